"""From fills to settled balances; comparison with the venue."""
