"""The market feed over real ccxt when the venue fails: stale is said, and the books come back right by themselves."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType, web
from pydantic import SecretStr
from test_venue_wire import RULES

from simulated_exchange import SimulatedExchange, simulated_exchange
from trimtab.adapters.clock import SystemClock
from trimtab.adapters.venues import feed as feed_module
from trimtab.adapters.venues.feed import CcxtFeed
from trimtab.adapters.venues.registry import feeds_of
from trimtab.domain.errors import InvalidValueError, UnreachableError
from trimtab.ports.venue import BookUpdate, PublicTrade, Stale
from trimtab.settings import Settings, VenueSettings

SYMBOLS = ("BTC/USDT", "ETH/USDT")
Update = BookUpdate | PublicTrade | Stale


class Listener:
    """Takes everything a feed says, in the background."""

    def __init__(self, feed: CcxtFeed) -> None:
        self.feed = feed
        self.came: list[Update] = []
        self.newest: dict[str, BookUpdate] = {}
        self._news = asyncio.Event()

    async def listen(self) -> None:
        async with aclosing(self.feed.updates()) as updates:  # type: ignore[type-var]  # a generator, by its protocol
            async for update in updates:
                self.came.append(update)
                if isinstance(update, BookUpdate):
                    self.newest[update.instrument.symbol] = update
                self._news.set()

    async def until(self, enough: Callable[[list[Update]], bool]) -> list[Update]:
        """Wait until what came since the last call is enough; return it."""
        async with asyncio.timeout(30):
            while not enough(self.came):
                self._news.clear()
                await self._news.wait()
        came, self.came = self.came, []
        return came

    async def until_id(self, symbol: str, update_id: int) -> BookUpdate:
        """Wait for the book as of this update."""
        await self.until(lambda _: symbol in self.newest and self.newest[symbol].update_id >= update_id)
        return self.newest[symbol]


@asynccontextmanager
async def listening(settings: Settings) -> AsyncIterator[Listener]:
    async with feeds_of(settings, SystemClock()) as (feed,):
        listener = Listener(feed)
        task = asyncio.create_task(listener.listen())
        try:
            yield listener
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def both(count: int) -> Callable[[list[Update]], bool]:
    """So many updates of each book."""
    return lambda came: all(
        sum(isinstance(item, BookUpdate) and item.instrument.symbol == symbol for item in came) >= count
        for symbol in SYMBOLS
    )


def stale(count: int) -> Callable[[list[Update]], bool]:
    return lambda came: sum(isinstance(item, Stale) for item in came) >= count


async def assert_books_are_the_venues(exchange: SimulatedExchange, listener: Listener) -> None:
    """Stop the market and compare each book with what the venue itself says."""
    await listener.until(both(2))
    await exchange.say("pause")
    for symbol in SYMBOLS:
        async with aiohttp.ClientSession() as session:
            query = {"symbol": symbol.replace("/", ""), "limit": "10"}
            async with session.get(f"{exchange.rest_url}/api/v3/depth", params=query) as answer:
                truth = await answer.json()
        found = await listener.until_id(symbol, truth["lastUpdateId"])
        assert found.update_id == truth["lastUpdateId"]
        for mine, theirs in ((found.bids, truth["bids"]), (found.asks, truth["asks"])):
            assert list(mine) == [(Decimal(price), Decimal(size)) for price, size in theirs]
    await exchange.say("resume")


@pytest.mark.parametrize("drops", [1, 3])
async def test_a_dropped_connection_is_stale_and_then_right_again(exchange: SimulatedExchange, drops: int) -> None:
    async with listening(exchange.settings()) as listener:
        await listener.until(both(3))
        for _ in range(drops):
            await exchange.fault("websocket_drop", streams="market")
            came = await listener.until(stale(2))
            assert {item.instrument.symbol for item in came if isinstance(item, Stale)} == set(SYMBOLS)
            await listener.until(both(1))
        await assert_books_are_the_venues(exchange, listener)


@pytest.mark.parametrize(
    ("kind", "more"),
    [("error_before", {"status": 503, "count": 4}), ("rate_limit", {"retry_after_seconds": 1}), ("lost_answer", {})],
)
async def test_a_failing_snapshot_is_asked_for_again(
    exchange: SimulatedExchange, kind: str, more: dict[str, int]
) -> None:
    async with listening(exchange.settings()) as listener:
        await listener.until(both(1))
        await exchange.fault(kind, "GET /api/v3/depth", **more)
        await exchange.fault("websocket_drop", streams="market")
        await listener.until(stale(2))
        await assert_books_are_the_venues(exchange, listener)


async def test_a_venue_that_restarts_is_found_again(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    async with AsyncExitStack() as stack:
        async with simulated_exchange(tmp_path / "first", "--synthetic", "7") as first:
            listener = await stack.enter_async_context(listening(first.settings()))
            await listener.until(both(3))
        await listener.until(stale(2))
        async with simulated_exchange(tmp_path / "second", "--synthetic", "8", port=first.port) as second:
            listener.newest.clear()
            await assert_books_are_the_venues(second, listener)


async def test_a_venue_that_is_not_there_is_said_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with feeds_of(settings_for(port), SystemClock()) as (feed,):
        with pytest.raises(UnreachableError, match=f"venue binance at http://127.0.0.1:{port}/api/v3 does not answer"):
            await feed.instruments()


async def test_an_instrument_the_venue_does_not_have_is_named(exchange: SimulatedExchange) -> None:
    async with feeds_of(exchange.settings("BTC/USDT", "NOPE/USDT"), SystemClock()) as (feed,):
        with pytest.raises(InvalidValueError, match="NOPE/USDT"):
            await feed.instruments()


async def test_rules_and_fees_are_the_venues_own(exchange: SimulatedExchange) -> None:
    terms = {"name": "cheap", "api_key": "k2", "secret": "s2", "maker_fee": "0.0002", "taker_fee": "0.0004"}
    await exchange.say("accounts", **terms)
    settings = exchange.settings("BTC/USDT")
    account = settings.accounts["binance-main"].model_copy(
        update={"api_key": SecretStr("k2"), "secret": SecretStr("s2")}
    )
    async with feeds_of(settings.model_copy(update={"accounts": {"cheap": account}}), SystemClock()) as (feed,):
        (btc,) = await feed.instruments()
    assert (btc.maker_fee, btc.taker_fee) == (Decimal("0.0002"), Decimal("0.0004"))
    assert (btc.tick, btc.step, btc.min_notional) == (Decimal("0.01"), Decimal("0.00001"), Decimal(5))


def settings_for(port: int) -> Settings:
    venue = VenueSettings(
        rest_url=f"http://127.0.0.1:{port}",
        websocket_url=f"ws://127.0.0.1:{port}",
        instruments=("BTC/USDT",),
        request_timeout_ms=1_000,
    )
    return Settings(venues={"binance": venue})


class Scripted:
    """A venue that streams exactly what a test tells it to, over a real socket."""

    def __init__(self) -> None:
        self.snapshots = [100]  # ids of the snapshots to come; the last one stays
        self.snapshots_given = 0
        self.connections = 0
        self.socket: web.WebSocketResponse | None = None
        self._happened = asyncio.Condition()

    async def rules(self, _: web.Request) -> web.Response:
        return web.json_response(RULES)

    async def depth(self, _: web.Request) -> web.Response:
        last_id = self.snapshots.pop(0) if len(self.snapshots) > 1 else self.snapshots[0]
        self.snapshots_given += 1
        async with self._happened:
            self._happened.notify_all()
        return web.json_response({"lastUpdateId": last_id, "bids": [["99.00", "1"]], "asks": [["101.00", "1"]]})

    async def stream(self, request: web.Request) -> web.WebSocketResponse:
        self.socket = web.WebSocketResponse()
        await self.socket.prepare(request)
        self.connections += 1
        async for message in self.socket:
            if message.type is WSMsgType.TEXT:
                await self.socket.send_json({"result": None, "id": json.loads(message.data)["id"]})
        return self.socket

    async def say(self, data: dict[str, Any]) -> None:
        assert self.socket is not None
        await self.socket.send_json({"stream": "btcusdt@depth@100ms", "data": data})

    async def send(self, first_id: int, last_id: int, bid: str = "99.50") -> None:
        data = {"e": "depthUpdate", "E": 1_700_000_000_000, "s": "BTCUSDT", "U": first_id, "u": last_id}
        await self.say(data | {"b": [[bid, "2"]], "a": []})

    async def asked(self, snapshots: int) -> None:
        """Wait until so many snapshots have been asked for."""
        async with asyncio.timeout(20), self._happened:
            await self._happened.wait_for(lambda: self.snapshots_given >= snapshots)

    async def subscribed(self, connections: int) -> None:
        """Wait until the feed has subscribed for the nth time, and asked for its snapshot."""
        await self.asked(connections)
        assert self.connections == connections


@asynccontextmanager
async def scripted() -> AsyncIterator[tuple[Scripted, Listener]]:
    """Yield the venue, with the feed subscribed and its snapshot loaded, and the feed's listener."""
    venue = Scripted()
    application = web.Application()
    application.router.add_get("/api/v3/exchangeInfo", venue.rules)
    application.router.add_get("/api/v3/depth", venue.depth)
    application.router.add_get("/stream/{tail:.*}", venue.stream)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    server = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, server).start()
    try:
        async with listening(settings_for(server.getsockname()[1])) as listener:
            await venue.subscribed(1)
            yield venue, listener
    finally:
        await runner.cleanup()


def kinds(came: list[Update]) -> list[tuple[str, int]]:
    return [(type(item).__name__, getattr(item, "update_id", 0)) for item in came]


async def test_a_gap_is_stale_until_a_new_snapshot_without_a_new_connection() -> None:
    async with scripted() as (venue, listener):
        await venue.send(101, 105)
        venue.snapshots = [112]
        await venue.send(110, 112)  # 106 to 109 never came
        await venue.asked(2)
        await venue.send(113, 115, bid="99.75")
        await venue.send(116, 117)
        came = await listener.until(lambda came: len(came) == 4)
    assert kinds(came) == [("BookUpdate", 105), ("Stale", 0), ("BookUpdate", 115), ("BookUpdate", 117)]
    assert isinstance(came[2], BookUpdate)
    assert came[2].bids[0] == (Decimal("99.75"), Decimal(2))
    assert venue.connections == 1


async def test_a_snapshot_that_lags_behind_the_updates_is_not_used() -> None:
    async with scripted() as (venue, listener):
        await venue.send(101, 105)
        venue.snapshots = [104, 104, 111]
        await venue.send(110, 112)
        came = await listener.until(lambda came: len(came) == 3)
    assert kinds(came) == [("BookUpdate", 105), ("Stale", 0), ("BookUpdate", 112)]
    assert venue.snapshots_given == 4


async def test_an_event_that_cannot_be_read_costs_the_connection_not_the_reader() -> None:
    async with scripted() as (venue, listener):
        await venue.send(101, 105)
        await venue.say({"e": "depthUpdate", "s": "BTCUSDT"})
        await venue.subscribed(2)
        await venue.send(101, 106)
        came = await listener.until(lambda came: len(came) == 3)
    assert kinds(came) == [("BookUpdate", 105), ("Stale", 0), ("BookUpdate", 106)]
    assert venue.connections == 2


async def test_a_close_in_good_order_is_a_lost_connection_too() -> None:
    async with scripted() as (venue, listener):
        await venue.send(101, 105)
        assert venue.socket is not None
        await venue.socket.close(code=1001)
        await venue.subscribed(2)
        await venue.send(101, 106)
        came = await listener.until(lambda came: len(came) == 3)
    assert kinds(came) == [("BookUpdate", 105), ("Stale", 0), ("BookUpdate", 106)]


async def test_silence_costs_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "_SILENCE_SECONDS", 0.5)
    monkeypatch.setattr(feed_module, "_WATCH_SECONDS", 0.1)
    async with scripted() as (venue, listener):
        await venue.send(101, 105)
        await venue.subscribed(2)
        await venue.send(101, 106)
        came = await listener.until(lambda came: len(came) == 3)
    assert kinds(came) == [("BookUpdate", 105), ("Stale", 0), ("BookUpdate", 106)]
