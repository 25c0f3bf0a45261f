"""Fixtures of the integration suites that stand beside them."""

from command_shell import shell
from topic_readers import publisher
from trading_floor import floor, still_exchange

__all__ = ["floor", "publisher", "shell", "still_exchange"]
