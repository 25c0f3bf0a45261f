"""Coinbase's public market data over ccxt.pro: whole books, every change, every trade, in sync or said to be stale.

The venue guarantees its book channel and does not number it: a book is whole from its snapshot on until the connection
is lost, and a new connection begins with a new snapshot. Heartbeats tell a silent connection from a quiet market.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from trimtab.adapters.venues.coinbase.rules import read_listed, read_products
from trimtab.adapters.venues.depth import DepthUpdate
from trimtab.adapters.venues.feed import CcxtFeed, Line
from trimtab.domain.instruments import Instrument
from trimtab.domain.orders import Side
from trimtab.ports.venue import PublicTrade

_CHANNELS = ("level2_batch", "matches", "heartbeat")


class CoinbaseFeed(CcxtFeed):
    """Implements `trimtab.ports.venue.MarketFeed` for one venue."""

    async def _rules(self, symbols: Sequence[str]) -> list[Instrument]:
        return await read_products(self._client, self.name, symbols)

    async def _rules_listed(self, known: Sequence[Instrument]) -> list[Instrument]:
        return await read_listed(self._client, self.name, known)

    async def _subscribe(self, lines: Sequence[tuple[str, Line]]) -> None:
        async with asyncio.timeout(self._timeout_seconds):
            await self._client.subscribe(_CHANNELS, [product for product, _ in lines])

    def _begin(self, line: Line) -> None:
        """Wait for the snapshot, which comes by itself."""

    def _quietest(self) -> Line | None:
        """Nothing to look into: what is silent for long has no heartbeats either."""
        return None

    def _on_event(self, event: dict[str, Any]) -> bool:
        kind, line = event.get("type"), self._lines.get(str(event.get("product_id")))
        if kind not in {"snapshot", "l2update", "match", "last_match", "heartbeat"} or line is None:
            return kind not in {"error", None}
        self._heard_us = now_us = self._clock.now_us()
        line.heard_us = now_us
        if kind == "match":
            self._put(_trade(line.instrument, event, now_us))
        elif kind == "snapshot":
            told_us = _micros(event["time"]) if "time" in event else now_us
            number = max(line.book.last_id + 1, told_us)
            line.book.void()
            line.book.load(number, event["bids"], event["asks"])
            self._show(line, number, told_us, now_us)
        elif kind == "l2update" and line.book.in_sync:
            self._apply(line, _update(event, line.book.last_id, now_us))
        return True


def _update(event: dict[str, Any], last_id: int, now_us: int) -> DepthUpdate:
    """Read a change of the book; it is numbered by its time, and later than the one before."""
    told_us = _micros(event["time"])
    sides: dict[str, list[list[str]]] = {"buy": [], "sell": []}
    for side, price, size in event["changes"]:
        sides[side].append([price, size])
    return DepthUpdate(last_id + 1, max(last_id + 1, told_us), told_us, now_us, sides["buy"], sides["sell"])


def _trade(instrument: Instrument, event: dict[str, Any], now_us: int) -> PublicTrade:
    return PublicTrade(
        instrument=instrument,
        trade_id=str(event["trade_id"]),
        event_time_us=_micros(event["time"]),
        received_us=now_us,
        price=Decimal(event["price"]),
        quantity=Decimal(event["size"]),
        aggressor=Side.SELL if event["side"] == "buy" else Side.BUY,  # the side is the maker's
    )


def _micros(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000_000)
