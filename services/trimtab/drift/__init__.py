"""From frames and portfolio states to rebalance signals."""
