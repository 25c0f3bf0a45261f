"""Fixtures of the integration suites that stand beside them."""

from trading_floor import floor, still_exchange

__all__ = ["floor", "still_exchange"]
