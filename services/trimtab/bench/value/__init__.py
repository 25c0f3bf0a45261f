"""What a rule of rebalancing is worth: risk of drifting plus cost of trading, in basis points of wealth a year."""
