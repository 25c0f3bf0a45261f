"""Coinbase Exchange's dialect: REST with CB-ACCESS signatures, and the websocket feed.

Facts are of its documentation (docs.cdp.coinbase.com, "Exchange"); where that is silent, of what its clients reported.
"""
