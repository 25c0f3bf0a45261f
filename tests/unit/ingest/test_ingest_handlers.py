"""The ingest service over ports: what it publishes, when, and what it does when a venue fails."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from decimal import Decimal

import pytest
import structlog
from test_ingest_frames import BTC, ETH, FULL_US

from trimtab.domain.errors import InvalidValueError, UnreachableError
from trimtab.domain.instruments import Instrument
from trimtab.domain.orders import Side
from trimtab.ingest.frames import FrameBuilder
from trimtab.ingest.handlers import Ingest
from trimtab.messages import Book, Frame, Message, Tick
from trimtab.ports.metrics import Unmetered
from trimtab.ports.venue import BookUpdate, PublicTrade, Stale
from trimtab.settings import IngestSettings

Update = BookUpdate | PublicTrade | Stale
PRICE, SIZE = Decimal("100.00"), Decimal("0.5")


class StepClock:
    """Time passes only by sleeping; every sleeper still lets the others run."""

    def __init__(self) -> None:
        self.us = 1_000_000
        self.slept: list[float] = []

    def now_us(self) -> int:
        return self.us

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.us += round(seconds * 1_000_000)
        await asyncio.sleep(0)


class Outlet:
    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.roots: list[int] = []
        self.accepts: Callable[[Message], bool] = lambda _: True

    def publish_nowait(self, message: Message) -> bool:
        if not self.accepts(message):
            return False
        self.messages.append(message)
        return True

    @contextmanager
    def root(self, tick_us: int):  # type: ignore[no-untyped-def]  # a generator is what the decorator wants
        self.roots.append(tick_us)
        yield

    def of(self, kind: type) -> list:  # type: ignore[type-arg]  # of that kind
        return [message for message in self.messages if type(message) is kind]


class ListFeed:
    """A feed that says what it was given, then waits for ever."""

    def __init__(self, updates: Sequence[Update] = (), failures: int = 0) -> None:
        self.said = list(updates)
        self.failures = failures

    async def instruments(self) -> Sequence[Instrument]:
        if self.failures:
            self.failures -= 1
            raise UnreachableError("venue binance", "http://127.0.0.1:1", "connection refused")
        return (BTC, ETH)

    async def updates(self) -> AsyncIterator[Update]:
        for update in self.said:
            yield update
        await asyncio.Event().wait()


def book(instrument: Instrument, number: int, received_us: int, price: Decimal = PRICE) -> BookUpdate:
    levels = tuple((price - n * instrument.tick, SIZE) for n in range(15))
    above = tuple((price + (n + 1) * instrument.tick, SIZE) for n in range(15))
    return BookUpdate(instrument, number, number * 1_000, received_us, levels, above)


class World:
    def __init__(self, feed: ListFeed) -> None:
        self.clock, self.outlet = StepClock(), Outlet()
        settings = IngestSettings(frame_interval_ms=10, full_frame_interval_ms=1_000, ladder_levels=10)
        self.builder = FrameBuilder("session", FULL_US)
        self.ingest = Ingest(
            [feed],
            self.builder,
            self.outlet,
            self.clock,
            Unmetered(),
            self.outlet.root,
            structlog.get_logger(),
            settings,
        )

    async def run(self, turns: int = 40) -> Outlet:
        task = asyncio.create_task(self.ingest.run())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        return self.outlet


async def test_every_book_update_is_published_and_the_frame_has_the_newest() -> None:
    outlet = await World(ListFeed([book(BTC, 1, 10), book(BTC, 2, 20), book(ETH, 3, 30)])).run()
    assert [(item.instrument, item.update_id) for item in outlet.of(Book)] == [
        ("BTC/USDT", 1),
        ("BTC/USDT", 2),
        ("ETH/USDT", 3),
    ]
    first = outlet.of(Frame)[0]
    assert [(quote.instrument, quote.update_id) for quote in first.quotes] == [("BTC/USDT", 2), ("ETH/USDT", 3)]
    assert outlet.roots[0] == 10  # the oldest tick behind the frame


async def test_ladders_are_cut_and_counted() -> None:
    outlet = await World(ListFeed([book(BTC, 1, 10)])).run()
    (published,) = outlet.of(Book)
    assert len(published.bids) == len(published.asks) == 20
    assert published.bids[:2] == (10_000, 50_000)
    assert (published.tick, published.step) == ("0.01", "0.00001")


async def test_a_trade_becomes_a_tick() -> None:
    trade = PublicTrade(BTC, "9", 1_000, 2_000, PRICE, SIZE, Side.SELL)
    outlet = await World(ListFeed([trade])).run()
    assert outlet.of(Tick) == [
        Tick("binance", "BTC/USDT", "9", 1_000, 2_000, "0.01", "0.00001", 10_000, 50_000, Side.SELL)
    ]


async def test_a_stale_book_is_emptied_everywhere_until_the_next_update() -> None:
    outlet = await World(ListFeed([book(BTC, 1, 10), Stale(BTC, "gap"), Stale(BTC, "gap")])).run()
    assert [bool(item.bids) for item in outlet.of(Book)] == [True, False]
    assert outlet.of(Frame)[-1].quotes[0].bids == ()


async def test_a_book_comes_back_after_it_was_stale() -> None:
    outlet = await World(ListFeed([book(BTC, 1, 10), Stale(BTC, "gap"), book(BTC, 5, 20)])).run()
    assert [bool(item.bids) for item in outlet.of(Book)] == [True, False, True]
    assert outlet.of(Frame)[-1].quotes[0].update_id == 5


async def test_a_book_off_the_grid_is_stale_not_rounded() -> None:
    off = book(BTC, 2, 20, price=Decimal("100.005"))
    outlet = await World(ListFeed([book(BTC, 1, 10), off])).run()
    assert [bool(item.bids) for item in outlet.of(Book)] == [True, False]


async def test_a_trade_off_the_grid_is_left_out() -> None:
    trade = PublicTrade(BTC, "9", 1_000, 2_000, Decimal("100.005"), SIZE, Side.SELL)
    assert (await World(ListFeed([trade])).run()).of(Tick) == []


async def test_no_frame_is_published_before_the_venue_has_told_a_time() -> None:
    assert (await World(ListFeed()).run()).of(Frame) == []


async def test_frames_keep_their_interval_under_load() -> None:
    feed = ListFeed([book(BTC, number, number) for number in range(1, 500)])
    world = World(feed)
    outlet = await world.run()
    frames = outlet.of(Frame)
    assert frames[0].quotes[0].update_id == 499
    assert len(outlet.of(Book)) == 499
    assert [frame.sequence for frame in frames] == list(range(1, len(frames) + 1))


async def test_a_dropped_frame_is_followed_by_a_full_one() -> None:
    world = World(ListFeed())
    world.builder.know([BTC])
    world.ingest.handle(book(BTC, 1, 10))
    world.ingest.publish_frame()
    world.outlet.accepts = lambda message: not isinstance(message, Frame)
    world.ingest.handle(book(BTC, 2, 20))
    world.ingest.publish_frame()
    world.outlet.accepts = lambda _: True
    world.ingest.handle(book(BTC, 3, 30))
    world.ingest.publish_frame()
    assert [(frame.sequence, frame.full) for frame in world.outlet.of(Frame)] == [(1, True), (3, True)]


async def test_an_unreachable_venue_is_tried_again_with_growing_pauses(capsys: pytest.CaptureFixture[str]) -> None:
    world = World(ListFeed([book(BTC, 1, 10)], failures=4))
    outlet = await world.run()
    assert outlet.of(Frame)
    assert [pause for pause in world.clock.slept if pause >= 0.5][:4] == [0.5, 1.0, 2.0, 4.0]
    said = capsys.readouterr()
    assert "venue binance at http://127.0.0.1:1 does not answer" in said.out + said.err
    assert "Traceback" not in said.out + said.err


async def test_an_instrument_that_the_venue_does_not_have_ends_the_service() -> None:
    class Wrong(ListFeed):
        async def instruments(self) -> Sequence[Instrument]:
            raise InvalidValueError("venues.binance.instruments", ["XX/YY"], "spot instruments that the venue lists")

    with pytest.raises(ExceptionGroup) as caught:
        await World(Wrong()).ingest.run()
    assert caught.group_contains(InvalidValueError)


def test_changed_rules_reach_the_frames() -> None:
    world = World(ListFeed())
    world.builder.know([BTC])
    world.ingest.handle(book(BTC, 1, 10))
    world.ingest.publish_frame()
    world.builder.know([replace(BTC, tradable=False)])
    world.ingest.publish_frame()
    assert [frame.rules[0].tradable for frame in world.outlet.of(Frame)] == [True, False]
