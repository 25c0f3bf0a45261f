"""Coinbase's public market data over ccxt.pro: whole books, every change, every trade, in sync or said to be stale.

The venue guarantees its book channel and does not number it: a book is whole from its snapshot on until the connection
is lost, and a new connection begins with a new snapshot. Heartbeats tell a silent connection from a quiet market; of
one book that is quiet for long the best prices are asked for.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from ccxt.base.errors import BaseError

from trimtab.adapters.venues.answers import silence_ms
from trimtab.adapters.venues.budget import Priority
from trimtab.adapters.venues.coinbase.rules import read_products
from trimtab.adapters.venues.depth import DepthUpdate
from trimtab.adapters.venues.feed import CcxtFeed, Line
from trimtab.adapters.venues.transport import failure_of
from trimtab.domain.errors import UnreachableError
from trimtab.domain.instruments import Instrument
from trimtab.domain.orders import Side
from trimtab.ports.venue import PublicTrade

_CHANNELS = ("level2_batch", "matches", "heartbeat")
_ARRIVAL_SECONDS = 1.0
_BUDGET_WAIT_MS = 10_000


class CoinbaseFeed(CcxtFeed):
    """Implements `trimtab.ports.venue.MarketFeed` for one venue."""

    async def _rules(self, symbols: Sequence[str]) -> list[Instrument]:
        return await read_products(self._client, self.name, symbols)

    async def _subscribe(self, lines: Sequence[tuple[str, Line]]) -> None:
        async with asyncio.timeout(self._timeout_seconds):
            await self._client.subscribe(_CHANNELS, [product for product, _ in lines])

    def _begin(self, line: Line) -> None:
        """Wait for the snapshot, which comes by itself."""

    async def _look_into(self, line: Line) -> None:
        """Give the connection up if the venue's best prices are not those of the book, though it was told nothing."""
        symbol, before = line.instrument.symbol, line.book.last_id
        try:
            answer = await self._best(symbol)
        except (BaseError, UnreachableError) as error:
            self._log.warning("quiet book not looked into", instrument=symbol, reason=str(error))
            return
        await asyncio.sleep(_ARRIVAL_SECONDS)  # what is on its way is given time to arrive
        told = tuple(tuple((Decimal(row[0]), Decimal(row[1])) for row in answer[side]) for side in ("bids", "asks"))
        if line.book.in_sync and line.book.last_id == before and line.book.top(1) != told:
            self._on_lost(f"nothing heard of {symbol}, though there is news of it")

    async def _best(self, symbol: str) -> dict[str, Any]:
        """Return the best level of both sides.

        Raises:
            BaseError: if the venue refuses or fails.
            UnreachableError: if the request budget is spent.

        """
        if (await self._budget.take(Priority.REST, _BUDGET_WAIT_MS)) is not None:
            raise UnreachableError(f"venue {self.name}", "book", "the request budget is spent")
        asked = {"id": self._client.market(symbol)["id"], "level": 1}
        try:
            answer: dict[str, Any] = await self._client.public_get_products_id_book(asked)
        except BaseError as error:
            pause_ms = silence_ms(failure_of(error))
            if pause_ms is not None:
                self._budget.hold(pause_ms)
            raise
        return answer

    def _on_event(self, event: dict[str, Any]) -> bool:
        kind, line = event.get("type"), self._lines.get(str(event.get("product_id")))
        if kind not in {"snapshot", "l2update", "match", "last_match", "heartbeat"} or line is None:
            return True
        self._heard_us = now_us = self._clock.now_us()
        if kind in {"snapshot", "l2update"}:
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
