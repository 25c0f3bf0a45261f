"""The demonstration: the whole line on real parts, a simulated exchange, a minute of trading, and the bill."""
