"""Coinbase's feed over real ccxt, against the simulated exchange in that dialect: books are the venue's, or stale."""

import asyncio
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest

from simulated_exchange import SimulatedExchange, simulated_exchange
from trimtab.adapters.clock import SystemClock
from trimtab.adapters.venues import feed as feed_module
from trimtab.adapters.venues.registry import open_feed
from trimtab.ports.venue import BookUpdate, PublicTrade, Stale

MAKER, TAKER = Decimal("0.004"), Decimal("0.006")


@pytest.fixture
async def coinbase(tmp_path: Path) -> AsyncIterator[SimulatedExchange]:
    async with simulated_exchange(tmp_path, "--synthetic", "7", "--dialect", "coinbase") as running:
        yield running


Top = tuple[tuple[tuple[Decimal, Decimal], ...], tuple[tuple[Decimal, Decimal], ...]]


class Listener:
    """Follows the feed of an exchange; `books` are the last ones by instrument."""

    def __init__(self, exchange: SimulatedExchange) -> None:
        self.feed = open_feed("binance", exchange.settings(kind="coinbase"), SystemClock())
        self.books: dict[str, Top] = {}
        self.heard: list[BookUpdate | PublicTrade | Stale] = []
        self._updates = self.feed.updates()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                item = await anext(self._updates)
                self.heard.append(item)
                if isinstance(item, BookUpdate):
                    self.books[item.instrument.symbol] = item.bids, item.asks
                elif isinstance(item, Stale):
                    self.books.pop(item.instrument.symbol, None)

    async def close(self) -> None:
        await self._updates.aclose()  # type: ignore[attr-defined]  # it is a generator
        await self.feed.close()


async def test_the_feeds_books_are_the_exchanges_before_and_after_a_lost_connection(
    coinbase: SimulatedExchange,
) -> None:
    listener = Listener(coinbase)
    for _ in range(2):
        listener.heard.clear()
        await listener.until(lambda: len(listener.heard) > 20 and len(listener.books) == 2)
        await coinbase.say("pause")
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{coinbase.rest_url}/products/BTC-USDT/book?level=2") as answer,
        ):
            asked = await answer.json()
        told = tuple(tuple((Decimal(p), Decimal(s)) for p, s, _ in asked[side][:10]) for side in ("bids", "asks"))
        await listener.until(lambda told=told: tuple(side[:10] for side in listener.books["BTC/USDT"]) == told)  # type: ignore[misc]  # a default
        await coinbase.say("resume")
        await coinbase.fault("websocket_drop", streams="market")
        await listener.until(lambda: isinstance(listener.heard[-1], Stale))
    updates = [item for item in listener.heard if isinstance(item, BookUpdate) and item.instrument.symbol == "BTC/USDT"]
    assert [item.update_id for item in updates] == sorted({item.update_id for item in updates})
    assert any(isinstance(item, PublicTrade) for item in listener.heard)
    await listener.close()


async def test_one_silent_book_among_streams_that_speak_is_noticed(
    coinbase: SimulatedExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "_QUIET_SECONDS", 0.8)
    listener = Listener(coinbase)
    await listener.until(lambda: len(listener.books) == 2)
    await coinbase.fault("stream_silence", "BTC-USDT@level2", streams="market", duration_ms=None)
    await listener.until(lambda: isinstance(listener.heard[-1], Stale))
    assert "news" in listener.heard[-1].reason  # type: ignore[union-attr]  # it is stale
    await listener.until(lambda: len(listener.books) == 2)
    await listener.close()


async def test_a_market_where_nothing_happens_is_no_reason_to_connect_anew(
    coinbase: SimulatedExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "_QUIET_SECONDS", 0.3)
    await coinbase.say("pause")
    listener = Listener(coinbase)
    await listener.until(lambda: len(listener.books) == 2)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(4):
            await listener.until(lambda: isinstance(listener.heard[-1], Stale))
    await listener.close()


async def test_rules_and_the_accounts_own_fees_are_read_and_a_halt_is_seen(coinbase: SimulatedExchange) -> None:
    feed = open_feed("binance", coinbase.settings(kind="coinbase"), SystemClock())
    found = {each.symbol: each for each in await feed.instruments()}
    bitcoin = found["BTC/USDT"]
    assert (bitcoin.tick, bitcoin.step, bitcoin.min_notional) == (Decimal("0.01"), Decimal("0.00001"), Decimal(5))
    assert (bitcoin.maker_fee, bitcoin.taker_fee, bitcoin.tradable) == (MAKER, TAKER, True)
    await coinbase.fault("halt", symbol="BTCUSDT", duration_ms=None)
    found = {each.symbol: each for each in await feed.instruments()}
    assert (found["BTC/USDT"].tradable, found["ETH/USDT"].tradable) == (False, True)
    await coinbase.fault("delisting", symbol="BTCUSDT", duration_ms=None)
    found = {each.symbol: each for each in await feed.instruments()}
    assert (found["BTC/USDT"].tradable, found["ETH/USDT"].tradable) == (False, True)
    await feed.close()
