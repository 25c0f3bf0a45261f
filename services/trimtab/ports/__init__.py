"""What the services ask of the outside world. Adapters implement these; a simulated world can too."""
