"""From venue streams to market topics."""
