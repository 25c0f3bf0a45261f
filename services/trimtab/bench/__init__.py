"""Benchmarks: what the line takes for something, against the least it could take on this machine at the same time."""
