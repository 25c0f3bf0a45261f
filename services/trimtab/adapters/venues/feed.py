"""A venue's public market data over ccxt.pro: every book update, every trade, in sync or said to be stale.

ccxt connects, subscribes and decodes; the books are our own (`depth`), fed with raw events, because ccxt's are floats,
cut to 1,000 levels, and handed out conflated. One task keeps the connection; one short-lived task an instrument fetches
snapshots. Whatever fails is tried again after a pause that grows.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import structlog
from ccxt.base.errors import BaseError

from trimtab.adapters.venues.answers import silence_ms
from trimtab.adapters.venues.budget import Budget, Priority
from trimtab.adapters.venues.depth import DepthBook, DepthUpdate, Outcome
from trimtab.adapters.venues.patience import PAUSE_SECONDS_MIN, until_done
from trimtab.adapters.venues.symbols import read_instruments
from trimtab.adapters.venues.transport import Transport, failure_of
from trimtab.domain.errors import InvalidValueError, UnreachableError
from trimtab.domain.instruments import Instrument
from trimtab.domain.orders import Side
from trimtab.ports.clock import Clock
from trimtab.ports.venue import BookUpdate, PublicTrade, Stale
from trimtab.settings import VenueSettings

Update = BookUpdate | PublicTrade | Stale

_SNAPSHOT_LEVELS = 1_000
_GLANCE_LEVELS = 5
# No event of any instrument for so long means that the connection is dead, or as good as.
_SILENCE_SECONDS = 10.0
_WATCH_SECONDS = 1.0
# No update of one instrument for so long, while others have some, is looked into: nothing may have happened to it.
_QUIET_SECONDS = 10.0
_BUDGET_WAIT_MS = 10_000


class SnapshotTooOldError(Exception):
    """The snapshot ends before the updates that are kept begin."""


_FAILURES = (BaseError, UnreachableError, SnapshotTooOldError, TimeoutError)


@dataclass(slots=True)
class Line:
    """One instrument's book, when it was last heard of, and the tasks that ask the venue for it."""

    instrument: Instrument
    book: DepthBook = field(default_factory=DepthBook)
    resync: "asyncio.Task[None] | None" = None
    glance: "asyncio.Task[None] | None" = None
    said_stale: bool = False
    heard_us: int = 0


class CcxtFeed:
    """Implements `trimtab.ports.venue.MarketFeed` for one venue."""

    def __init__(
        self, name: str, settings: VenueSettings, client: Transport, budget: Budget, clock: Clock, levels: int
    ) -> None:
        self.name = name
        self._symbols = settings.instruments
        self._timeout_seconds = settings.request_timeout_ms / 1_000
        self._client = client
        self._budget = budget
        self._clock = clock
        self._levels = levels
        self._log = structlog.get_logger().bind(venue=name)
        self._lines: dict[str, Line] = {}
        self._instruments: dict[str, Instrument] = {}
        self._queue: deque[Update] = deque()
        self._arrived = asyncio.Event()
        self._lost = asyncio.Event()
        self._lost_reason = ""
        self._heard_us = 0
        client.on_event = self._on_event
        client.on_lost = self._on_lost

    async def instruments(self) -> Sequence[Instrument]:
        """Return the rules of every configured instrument, asked of the venue now.

        One that the venue had at first and has no more is not tradable.

        Raises:
            InvalidValueError: if the venue does not have one of them when they are asked for first.
            UnreachableError: if the venue does not answer.

        """
        await self._budget.take(Priority.REST, _BUDGET_WAIT_MS)
        try:
            found = await self._rules(self._symbols)
        except InvalidValueError:
            if not self._instruments:
                raise
            found = await self._rules_listed(list(self._instruments.values()))
        known = {instrument.symbol: symbol_id for symbol_id, instrument in self._instruments.items()}
        for instrument in found:
            symbol_id = known.get(instrument.symbol) or self._client.market(instrument.symbol)["id"]
            self._instruments[symbol_id] = instrument
            if symbol_id in self._lines:
                self._lines[symbol_id].instrument = instrument
        return found

    async def updates(self) -> AsyncIterator[Update]:
        """Yield what the venue publishes, from now until the iterator is closed.

        Raises:
            InvalidValueError: if the venue does not have one of the instruments.

        """
        if not self._instruments:
            await until_done(self.instruments, _FAILURES, self._log, "asking for the rules")
        keeper = asyncio.create_task(self._keep())
        keeper.add_done_callback(lambda _: self._arrived.set())
        try:
            while not keeper.done():
                while self._queue:
                    yield self._queue.popleft()
                self._arrived.clear()
                await self._arrived.wait()
            keeper.result()
        finally:
            keeper.cancel()
            with suppress(asyncio.CancelledError):
                await keeper
            for line in self._lines.values():
                _stop(line)

    async def close(self) -> None:
        """Let the connections go."""
        await self._client.close()

    async def _keep(self) -> None:
        """Connect, watch, and connect again, for ever."""
        while True:
            await until_done(self._connect, _FAILURES, self._log, "subscribing")
            reason = await self._watch()
            self._log.warning("market data lost", reason=reason)
            for line in self._lines.values():
                self._stale(line, reason)
            await self._client.disconnect()
            await asyncio.sleep(PAUSE_SECONDS_MIN)

    async def _connect(self) -> None:
        self._lines = {symbol_id: Line(item) for symbol_id, item in self._instruments.items()} | self._lines
        for line in self._lines.values():
            line.book.void()
        self._lost.clear()
        await self._subscribe(list(self._lines.items()))
        self._heard_us = now_us = self._clock.now_us()
        for line in self._lines.values():
            line.heard_us = now_us
            self._begin(line)

    async def _rules(self, symbols: Sequence[str]) -> list[Instrument]:
        return await read_instruments(self._client, self.name, symbols)

    async def _rules_listed(self, known: Sequence[Instrument]) -> list[Instrument]:
        """Return these instruments' rules as they are now; what the venue has taken off its list is not tradable.

        The client has to have loaded the venue's list just before. Raises UnreachableError as `_rules`.
        """
        listed = frozenset(self._client.markets)
        gone = [replace(instrument, tradable=False) for instrument in known if instrument.symbol not in listed]
        return [*await self._rules([each.symbol for each in known if each.symbol in listed]), *gone]

    async def _subscribe(self, lines: Sequence[tuple[str, Line]]) -> None:
        names = [f"{symbol_id.lower()}@{kind}" for symbol_id, _ in lines for kind in ("depth@100ms", "trade")]
        async with asyncio.timeout(self._timeout_seconds):
            await self._client.subscribe(names)

    def _begin(self, line: Line) -> None:
        """Have the book of a connection that has just been made."""
        self._start_resync(line)

    async def _watch(self) -> str:
        """Return why the connection has to be made anew."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_WATCH_SECONDS):
                    await self._lost.wait()
                    return self._lost_reason
            silent_seconds = (self._clock.now_us() - self._heard_us) / 1e6
            if silent_seconds > _SILENCE_SECONDS:
                return f"nothing heard for {silent_seconds:.0f} s"
            if (quiet := self._quietest()) is not None:
                quiet.glance = asyncio.create_task(self._look_into(quiet))
                quiet.glance.add_done_callback(self._resynced)

    def _quietest(self) -> Line | None:
        """Return the book that has been heard of longest ago, if that is long; it is not asked for again soon."""
        now_us = self._clock.now_us()
        known = [line for line in self._lines.values() if line.book.in_sync]
        line = min(known, key=lambda each: each.heard_us, default=None)
        if line is None or now_us - line.heard_us <= _QUIET_SECONDS * 1_000_000:
            return None
        line.heard_us = now_us
        return line

    async def _look_into(self, line: Line) -> None:
        """Give the connection up if the venue has updates that never came; one on its way is given time to arrive."""
        try:
            answer = await self._depth(line, _GLANCE_LEVELS)
        except _FAILURES as error:
            self._log.warning("quiet book not looked into", instrument=line.instrument.symbol, reason=str(error))
            return
        await asyncio.sleep(_WATCH_SECONDS)
        if line.book.in_sync and line.book.last_id < answer["lastUpdateId"]:
            self._on_lost(f"nothing heard of {line.instrument.symbol}, though there is news of it")

    def _on_lost(self, reason: str) -> None:
        self._lost_reason = reason
        self._lost.set()

    def _on_event(self, event: dict[str, Any]) -> bool:
        kind = event["e"]
        if kind not in {"depthUpdate", "trade"}:
            return False
        line = self._lines.get(event["s"])
        if line is None:
            return True
        self._heard_us = now_us = self._clock.now_us()
        if kind == "trade":
            self._put(_trade(line.instrument, event, now_us))
        else:
            line.heard_us = now_us
            update = DepthUpdate(event["U"], event["u"], event["E"] * 1_000, now_us, event["b"], event["a"])
            self._apply(line, update)
        return True

    def _apply(self, line: Line, update: DepthUpdate) -> None:
        match line.book.update(update):
            case Outcome.APPLIED:
                self._show(line, update.last_id, update.event_time_us, update.received_us)
            case Outcome.GAP:
                self._stale(line, f"updates are missing before {update.first_id}")
                self._start_resync(line)
            case Outcome.KEPT | Outcome.OLD:
                pass

    def _show(self, line: Line, update_id: int, event_time_us: int, received_us: int) -> None:
        bids, asks = line.book.top(self._levels)
        line.said_stale = False
        self._put(BookUpdate(line.instrument, update_id, event_time_us, received_us, bids, asks))

    def _put(self, update: Update) -> None:
        self._queue.append(update)
        self._arrived.set()

    def _stale(self, line: Line, reason: str) -> None:
        if not line.said_stale:
            line.said_stale = True
            self._put(Stale(line.instrument, reason))

    def _start_resync(self, line: Line) -> None:
        _stop(line)
        line.resync = asyncio.create_task(self._resync(line))
        line.resync.add_done_callback(self._resynced)

    def _resynced(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_lost(f"a snapshot could not be used: {error!r}")

    async def _resync(self, line: Line) -> None:
        await until_done(lambda: self._load(line), _FAILURES, self._log, f"snapshot of {line.instrument.symbol}")
        for update in line.book.take_kept():
            self._apply(line, update)

    async def _load(self, line: Line) -> None:
        answer = await self._depth(line, _SNAPSHOT_LEVELS)
        if not line.book.load(answer["lastUpdateId"], answer["bids"], answer["asks"]):
            raise SnapshotTooOldError(f"{line.instrument.key}: snapshot {answer['lastUpdateId']}")

    async def _depth(self, line: Line, levels: int) -> dict[str, Any]:
        """Return the venue's book of this moment.

        Raises:
            BaseError: if the venue refuses or fails.
            UnreachableError: if the request budget is spent.

        """
        if (await self._budget.take(Priority.REST, _BUDGET_WAIT_MS)) is not None:
            raise UnreachableError(f"venue {self.name}", "depth", "the request budget is spent")
        symbol_id = self._client.market(line.instrument.symbol)["id"]
        try:
            answer: dict[str, Any] = await self._client.public_get_depth({"symbol": symbol_id, "limit": levels})
        except BaseError as error:
            pause_ms = silence_ms(failure_of(error))
            if pause_ms is not None:
                self._budget.hold(pause_ms)
            raise
        return answer


def _trade(instrument: Instrument, event: dict[str, Any], now_us: int) -> PublicTrade:
    return PublicTrade(
        instrument=instrument,
        trade_id=str(event["t"]),
        event_time_us=event["E"] * 1_000,
        received_us=now_us,
        price=Decimal(event["p"]),
        quantity=Decimal(event["q"]),
        aggressor=Side.SELL if event["m"] else Side.BUY,
    )


def _stop(line: Line) -> None:
    for task in (line.resync, line.glance):
        if task is not None:
            task.cancel()
    line.resync = line.glance = None
