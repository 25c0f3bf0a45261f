"""The recorded books, rebuilt exactly: recording -> simulated exchange -> real ccxt -> feed -> ingest -> market.books.

The measure is the recording itself: after each update the best bid and ask, prices and sizes, are those of the last
recorded bookTicker whose `u` is not above the update's. (The recordings are described in shared/data/README.md.)
"""

import asyncio
import gzip
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog

from simulated_exchange import SimulatedExchange, simulated_exchange
from trimtab.adapters.clock import SystemClock
from trimtab.adapters.venues.depth import DepthBook, DepthUpdate, Outcome
from trimtab.adapters.venues.registry import open_feed
from trimtab.frames import Feed
from trimtab.ingest.frames import FrameBuilder
from trimtab.ingest.handlers import Ingest
from trimtab.messages import Book, Frame, Message, Tick
from trimtab.ports.metrics import Unmetered

RECORDINGS = Path(__file__).parents[3] / "shared" / "data" / "hftbacktest"
FILES = {"BTC/USDT": RECORDINGS / "btcusdt_20240808.gz", "ETH/USDT": RECORDINGS / "ethusdt_20240808.gz"}
LEVELS_AT_THE_END = {"BTC/USDT": (1_209, 2_196), "ETH/USDT": (1_195, 1_158)}
UPDATES = {"BTC/USDT": 3_449, "ETH/USDT": 3_432}  # all but the two that the snapshot holds already
STREAMED = {"BTC/USDT": 3_448, "ETH/USDT": 3_432}  # BTC's first one spans the snapshot the exchange starts from
TRADES = {"BTC/USDT": 9_757, "ETH/USDT": 6_106}
SPEED = 30

Top = tuple[Decimal, Decimal, Decimal, Decimal]

missing = [str(path) for path in FILES.values() if not path.exists()]
pytestmark = pytest.mark.skipif(bool(missing), reason=f"needs the recordings {missing}")


class Recorded:
    """What a recording says the top of the book was."""

    def __init__(self, path: Path) -> None:
        self._ids: list[int] = []
        self._tops: list[Top] = []
        for message in messages(path):
            if message.get("stream", "").endswith("@bookTicker"):
                data = message["data"]
                self._ids.append(data["u"])
                self._tops.append((Decimal(data["b"]), Decimal(data["B"]), Decimal(data["a"]), Decimal(data["A"])))

    def top(self, update_id: int) -> Top | None:
        index = bisect_right(self._ids, update_id) - 1
        return self._tops[index] if index >= 0 else None


def messages(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path) as lines:
        for line in lines:
            yield orjson.loads(line.split(b" ", 1)[1])


@pytest.mark.parametrize("symbol", FILES)
def test_a_book_fed_with_the_recording_is_the_recorded_one(symbol: str) -> None:
    recorded, book, compared = Recorded(FILES[symbol]), DepthBook(), 0

    def feed(update: DepthUpdate) -> int:
        if book.update(update) is not Outcome.APPLIED:
            return 0
        bids, asks = book.top(1)
        expected = recorded.top(update.last_id)
        if expected is None:
            return 0
        assert (*bids[0], *asks[0]) == expected
        assert bids[0][0] < asks[0][0]
        return 1

    for message in messages(FILES[symbol]):
        if "lastUpdateId" in message:
            assert book.load(message["lastUpdateId"], message["bids"], message["asks"])
            compared += sum(feed(update) for update in book.take_kept())
        elif "@depth" in message["stream"]:
            data = message["data"]
            compared += feed(DepthUpdate(data["U"], data["u"], data["E"], 0, data["b"], data["a"]))
    assert compared == UPDATES[symbol]
    assert book.levels == LEVELS_AT_THE_END[symbol]


class Outlet:
    def __init__(self) -> None:
        self.messages: list[Message] = []

    def publish_nowait(self, message: Message) -> bool:
        self.messages.append(message)
        return True


async def play(exchange: SimulatedExchange, outlet: Outlet) -> None:
    """Let the whole recording pass through ingest."""
    settings = exchange.settings()
    clock = SystemClock()
    feed = open_feed("binance", settings, clock)
    builder = FrameBuilder("session", settings.ingest.full_frame_interval_ms * 1_000)
    ingest = Ingest(
        [feed],
        builder,
        outlet,
        clock,
        Unmetered(),
        lambda _: nullcontext(),
        structlog.get_logger(),
        settings.ingest,
    )
    task = asyncio.create_task(ingest.run())
    async with asyncio.timeout(120):
        while not (feed._lines and all(line.book.in_sync for line in feed._lines.values())):  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.05)
        await exchange.say("resume")
        while not (await exchange.status())["ended"]:  # noqa: ASYNC110 - another process is asked
            await asyncio.sleep(0.2)
        await asyncio.sleep(0.5)  # what is still on its way
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    await feed.close()


async def test_the_recorded_books_come_out_of_ingest_exactly(tmp_path: Path) -> None:
    outlet = Outlet()
    options = ("--tape", str(RECORDINGS), "--speed", str(SPEED), "--paused")
    async with simulated_exchange(tmp_path, *options) as exchange:
        await play(exchange, outlet)
    for symbol, path in FILES.items():
        recorded, compared = Recorded(path), 0
        books = [item for item in outlet.messages if isinstance(item, Book) and item.instrument == symbol]
        assert len(books) == STREAMED[symbol]
        for book in books:
            tick, step = Decimal(book.tick), Decimal(book.step)
            top = (book.bids[0] * tick, book.bids[1] * step, book.asks[0] * tick, book.asks[1] * step)
            assert top == recorded.top(book.update_id)
            assert book.bids[0] < book.asks[0]
            compared += 1
        assert compared == STREAMED[symbol]
        ticks = [item for item in outlet.messages if isinstance(item, Tick) and item.instrument == symbol]
        assert len({tick.trade_id for tick in ticks}) == len(ticks) <= TRADES[symbol]
        assert len(ticks) > TRADES[symbol] - 200  # those before the market's start are not played
    check_frames([item for item in outlet.messages if isinstance(item, Frame)], outlet)


def check_frames(frames: list[Frame], outlet: Outlet) -> None:
    """The frames alone give a reader the same last books, in one unbroken sequence."""
    feed = Feed()
    for frame in frames:
        before = feed.market.event_time_us
        feed = feed.advance(frame, frame.sequence)
        assert feed.market.complete
        assert feed.market.event_time_us >= before
    last = {item.instrument: item for item in outlet.messages if isinstance(item, Book)}
    for symbol, book in last.items():
        quote = feed.market.quotes[f"binance:{symbol}"]
        assert (quote.bid, quote.ask) == (book.bids[0] * Decimal(book.tick), book.asks[0] * Decimal(book.tick))
