"""From venue feeds to market.ticks, market.books and market.frames. Gathers here; decides in `ladder` and `frames`."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from trimtab.domain.amounts import plain
from trimtab.domain.errors import InvalidValueError, UnreachableError
from trimtab.domain.instruments import Instrument
from trimtab.ingest.frames import FrameBuilder
from trimtab.ingest.ladder import flatten, units
from trimtab.ingest.pace import Pace
from trimtab.messages import Book, Message, Tick
from trimtab.ports.clock import Clock
from trimtab.ports.metrics import Meter
from trimtab.ports.venue import BookUpdate, MarketFeed, PublicTrade, Stale
from trimtab.settings import IngestSettings

# Makes the trace of what began with a tick received at this wall clock time (microseconds) the current one.
TraceRoot = Callable[[int], AbstractContextManager[None]]

_RETRY_SECONDS_MIN, _RETRY_SECONDS_MAX = 0.5, 30.0
_RULES_SECONDS = 60.0
_NO_BOOK_YET = "no book yet"


class Outlet(Protocol):
    """Where market data goes: handed over without waiting."""

    def publish_nowait(self, message: Message) -> bool:
        """Return False if the message was dropped."""


class Ingest:
    """Follows the feeds and publishes what they say. `run` goes on until it is cancelled."""

    def __init__(
        self,
        feeds: Sequence[MarketFeed],
        builder: FrameBuilder,
        outlet: Outlet,
        clock: Clock,
        meter: Meter,
        trace_root: TraceRoot,
        log: FilteringBoundLogger,
        settings: IngestSettings,
    ) -> None:
        self._feeds = feeds
        self._builder = builder
        self._outlet = outlet
        self._clock = clock
        self._meter = meter
        self._trace_root = trace_root
        self._pace = Pace(settings.frame_interval_ms * 1_000, settings.frames_saved_max)
        self._levels = settings.ladder_levels
        self._stale: dict[str, str] = {}  # by instrument key: why
        self._news = asyncio.Event()
        self._log = log

    async def run(self) -> None:
        """Follow every feed, publish frames, keep the rules fresh.

        Raises:
            InvalidValueError: if a venue does not have a configured instrument.

        """
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._publish_frames())
            for feed in self._feeds:
                tasks.create_task(self._follow(feed))

    async def _follow(self, feed: MarketFeed) -> None:
        instruments = await self._reach(feed)
        self._builder.know(instruments)
        for instrument in instruments:
            self._stale[instrument.key] = _NO_BOOK_YET
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._refresh(feed))
            async for update in feed.updates():
                self.handle(update)

    async def _reach(self, feed: MarketFeed) -> Sequence[Instrument]:
        """Ask for the rules until the venue answers."""
        pause = _RETRY_SECONDS_MIN
        while True:
            try:
                return await feed.instruments()
            except UnreachableError as error:
                self._log.warning("venue not reached, trying again", reason=str(error), seconds=pause)
            await self._clock.sleep(pause)
            pause = min(pause * 2, _RETRY_SECONDS_MAX)

    async def _refresh(self, feed: MarketFeed) -> None:
        while True:
            await self._clock.sleep(_RULES_SECONDS)
            try:
                self._builder.know(await feed.instruments())
            except (UnreachableError, InvalidValueError) as error:
                self._log.warning("rules not refreshed", reason=str(error))

    def handle(self, update: BookUpdate | PublicTrade | Stale) -> None:
        """Publish one update, and keep it for the next frame."""
        match update:
            case BookUpdate():
                self._book(update)
            case PublicTrade():
                self._tick(update)
            case Stale(instrument, reason):
                self._empty(instrument, reason)

    def _book(self, update: BookUpdate) -> None:
        instrument = update.instrument
        try:
            bids = flatten(instrument, update.bids[: self._levels])
            asks = flatten(instrument, update.asks[: self._levels])
        except InvalidValueError as error:
            self._empty(instrument, str(error))
            return
        if (reason := self._stale.pop(instrument.key, None)) is not None:
            self._count_stale(instrument.venue)
            if reason != _NO_BOOK_YET:
                self._meter.count("book_resyncs_total", venue=instrument.venue)
        self._builder.update(instrument, update.update_id, update.event_time_us, update.received_us, bids, asks)
        self._news.set()
        self._publish_book(instrument, update.update_id, update.event_time_us, update.received_us, bids, asks)
        self._meter.count("books_total", venue=instrument.venue)

    def _tick(self, trade: PublicTrade) -> None:
        instrument = trade.instrument
        try:
            price = units(trade.price, instrument.tick, f"{instrument.key}.price")
            quantity = units(trade.quantity, instrument.step, f"{instrument.key}.quantity")
        except InvalidValueError as error:
            self._log.warning("trade left out", reason=str(error))
            return
        self._outlet.publish_nowait(
            Tick(
                venue=instrument.venue,
                instrument=instrument.symbol,
                trade_id=trade.trade_id,
                event_time_us=trade.event_time_us,
                received_us=trade.received_us,
                tick=plain(instrument.tick),
                step=plain(instrument.step),
                price=price,
                quantity=quantity,
                aggressor=trade.aggressor,
            )
        )
        self._meter.count("ticks_total", venue=instrument.venue)

    def _empty(self, instrument: Instrument, reason: str) -> None:
        """Take an instrument's book away, once for each time it goes stale."""
        if instrument.key in self._stale:
            return
        self._stale[instrument.key] = reason
        self._count_stale(instrument.venue)
        self._log.warning("book is stale", instrument=instrument.key, reason=reason)
        now_us = self._clock.now_us()
        last = self._builder.empty(instrument, now_us)
        self._news.set()
        self._publish_book(instrument, last.update_id, last.event_time_us, now_us, (), ())

    def _publish_book(
        self,
        instrument: Instrument,
        update_id: int,
        event_time_us: int,
        received_us: int,
        bids: tuple[int, ...],
        asks: tuple[int, ...],
    ) -> None:
        self._outlet.publish_nowait(
            Book(
                venue=instrument.venue,
                instrument=instrument.symbol,
                update_id=update_id,
                event_time_us=event_time_us,
                received_us=received_us,
                tick=plain(instrument.tick),
                step=plain(instrument.step),
                bids=bids,
                asks=asks,
            )
        )

    async def _publish_frames(self) -> None:
        """Publish what is new, at once or when the pace allows it: what comes meanwhile goes into the same frame."""
        while True:
            await self._wait_for_news()
            if wait_us := self._pace.wait_us(self._clock.now_us()):
                await self._clock.sleep(wait_us / 1e6)
            self.publish_frame()
            self._pace.spend(self._clock.now_us())

    async def _wait_for_news(self) -> None:
        """Return when something has changed, or a full frame is due."""
        while not self._builder.changed:
            self._news.clear()
            if not self._builder.ready:
                await self._news.wait()
                continue
            wait_us = self._builder.full_due_us - self._clock.now_us()
            if wait_us <= 0:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_us / 1e6):
                    await self._news.wait()

    def publish_frame(self) -> None:
        """Publish the next frame under a trace of its own, which begins with the oldest tick in it."""
        now_us = self._clock.now_us()
        built = self._builder.build(now_us)
        oldest_us = now_us if built.oldest_us is None else built.oldest_us
        with self._trace_root(oldest_us):
            sent = self._outlet.publish_nowait(built.frame)
        if not sent:
            self._builder.lost()
        if built.oldest_us is not None:
            self._meter.observe("frame_age_seconds", max(0, now_us - built.oldest_us) / 1e6)

    def _count_stale(self, venue: str) -> None:
        stale = sum(key.startswith(f"{venue}:") for key in self._stale)
        self._meter.set("stale_instruments", stale, venue=venue)
