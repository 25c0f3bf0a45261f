"""What services ask of the world, kept in this process's memory: for backtests and simulated worlds."""
