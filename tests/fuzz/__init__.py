"""Seeded requests to the simulated exchange, most of them wrong, and what has to hold of every answer."""
