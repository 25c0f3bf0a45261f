"""Recorded messages handed out once more, each when the market has come to its time."""

from collections.abc import Iterator
from typing import Generic, TypeVar

from trimtab.domain.market import Market
from trimtab.messages import Costs, Risk

E = TypeVar("E", bound=Risk | Costs)


class HandedOut(Generic[E]):
    """Implements backtest.given's Estimates and Charges; the messages come in the order of their event times."""

    def __init__(self, messages: Iterator[E]) -> None:
        self._messages = messages
        self._next = next(messages, None)

    def observe(self, market: Market) -> E | None:
        """Return the newest that is not later than the market and was not handed out; None if there is none."""
        found = None
        while self._next is not None and self._next.event_time_us <= market.event_time_us:
            found, self._next = self._next, next(self._messages, None)
        return found
