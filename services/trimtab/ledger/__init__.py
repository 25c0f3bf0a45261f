"""Rules of the shadow ledger that more than one service follows, over the ledger port."""
