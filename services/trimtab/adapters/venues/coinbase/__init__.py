"""Coinbase Exchange through ccxt (its docs.cdp.coinbase.com, "Exchange"; ccxt's `coinbaseexchange`)."""
