"""Telling what happens: one form for every dialect."""

from collections.abc import Sequence
from typing import Protocol

from trimtab.exchange.broadcast import Broadcast
from trimtab.exchange.market import MarketEvent
from trimtab.exchange.orders import EngineEvent
from trimtab.exchange.reports import user_messages
from trimtab.exchange.users import UserStreams


class Teller(Protocol):
    """Turns what happens into the messages of a dialect's streams."""

    def event(self, event: MarketEvent) -> None:
        """Tell what the market did."""
        ...

    def tick(self, now_us: int) -> None:
        """Tell what is due at this market time."""
        ...

    def happened(self, events: Sequence[EngineEvent]) -> None:
        """Tell accounts what one request, or one event of the market, did to them."""
        ...


class BinanceTeller:
    """Binance's market streams and user streams."""

    def __init__(self, broadcast: Broadcast, users: UserStreams) -> None:
        self._users = users
        self.event = broadcast.event
        self.tick = broadcast.tick

    def happened(self, events: Sequence[EngineEvent]) -> None:
        """Tell accounts of their reports and balances."""
        if self._users.heard():  # else nothing has to be put into words
            for account, message in user_messages(events):
                self._users.publish(account, message)
