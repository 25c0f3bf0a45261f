"""Ingest over two venues of different kinds: one frame has the books of both, and they are the venues'."""

import asyncio
from contextlib import ExitStack, nullcontext, suppress
from decimal import Decimal
from pathlib import Path

import aiohttp
import structlog
from exchange_process import Running, control, running

from trimtab.adapters.clock import SystemClock
from trimtab.adapters.venues.registry import feeds_of
from trimtab.frames import Feed
from trimtab.ingest.frames import FrameBuilder
from trimtab.ingest.handlers import Ingest
from trimtab.messages import Book, Frame, Message, Tick
from trimtab.ports.metrics import Unmetered
from trimtab.settings import Settings, VenueSettings

KINDS = ("binance", "coinbase")
SYMBOLS = ("BTC/USDT", "ETH/USDT")
PATHS = {"binance": "/api/v3/depth?symbol=BTCUSDT&limit=5", "coinbase": "/products/BTC-USDT/book?level=1"}


class Outlet:
    def __init__(self) -> None:
        self.messages: list[Message] = []

    def publish_nowait(self, message: Message) -> bool:
        self.messages.append(message)
        return True

    def market(self) -> Feed:
        """What a reader of the frames knows."""
        feed = Feed()
        for message in self.messages:
            if isinstance(message, Frame):
                feed = feed.advance(message, message.sequence)
        return feed

    def heard(self, kind: type[Book | Tick]) -> set[tuple[str, str]]:
        return {(each.venue, each.instrument) for each in self.messages if isinstance(each, kind)}


async def touch(exchange: Running, kind: str) -> tuple[Decimal, Decimal]:
    """The best bid and ask of BTC/USDT, as the venue's own answer has them."""
    async with aiohttp.ClientSession() as session, session.get(f"{exchange.http}{PATHS[kind]}") as answer:
        told = await answer.json()
    return Decimal(told["bids"][0][0]), Decimal(told["asks"][0][0])


async def test_a_frame_has_the_books_of_both_venues(tmp_path: Path) -> None:
    everything = {(kind, symbol) for kind in KINDS for symbol in SYMBOLS}
    with ExitStack() as stack:
        exchanges = {}
        for kind in KINDS:
            (folder := tmp_path / kind).mkdir()
            options = ("--synthetic", "7", "--symbols", "BTCUSDT,ETHUSDT", "--dialect", kind)
            exchanges[kind] = stack.enter_context(running(folder, *options))
        venues = {
            kind: VenueSettings(
                kind=kind, rest_url=exchange.http, websocket_url=f"ws://{exchange.host}", instruments=SYMBOLS
            )  # type: ignore[arg-type]  # a literal
            for kind, exchange in exchanges.items()
        }
        settings, outlet, clock = Settings(venues=venues), Outlet(), SystemClock()
        async with feeds_of(settings, clock) as feeds:
            builder = FrameBuilder("session", settings.ingest.full_frame_interval_ms * 1_000)
            flow = Ingest(
                feeds, builder, outlet, clock, Unmetered(), lambda _: nullcontext(), structlog.get_logger(),
                settings.ingest,
            )  # fmt: skip
            task = asyncio.create_task(flow.run())
            async with asyncio.timeout(60):
                while outlet.heard(Book) != everything or outlet.heard(Tick) != everything:  # noqa: ASYNC110 - no event tells
                    await asyncio.sleep(0.1)
                for exchange in exchanges.values():
                    await control(exchange, "POST", "pause")
                at_venues = {kind: await touch(exchange, kind) for kind, exchange in exchanges.items()}

                def at_readers() -> dict[str, tuple[Decimal, Decimal]]:
                    quotes = outlet.market().market.quotes
                    return {kind: (q.bid, q.ask) for kind in KINDS if (q := quotes.get(f"{kind}:BTC/USDT")) is not None}

                while at_readers() != at_venues:  # noqa: ASYNC110 - as above
                    await asyncio.sleep(0.2)
            market = outlet.market().market
            assert market.complete
            fees = {kind: market.instruments[f"{kind}:BTC/USDT"].taker_fee for kind in KINDS}
            assert fees == {"binance": Decimal("0.001"), "coinbase": Decimal("0.006")}  # of nobody's account
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
