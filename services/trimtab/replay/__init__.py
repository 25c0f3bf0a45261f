"""Recorded topics once more: what was decided comes out again, and what would have come out otherwise."""
