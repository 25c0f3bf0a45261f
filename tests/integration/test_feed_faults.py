"""Market streams with messages missing, doubled or in the wrong order, and silent ones: books end as the venue's."""

import pytest
from test_ingest_resync import SYMBOLS, assert_books_are_the_venues, both, listening, stale

from simulated_exchange import SimulatedExchange
from trimtab.adapters.venues import feed as feed_module
from trimtab.ports.venue import PublicTrade, Stale

BTC_DEPTH = "btcusdt@depth"


async def test_updates_that_are_missing_make_a_book_stale_and_then_right_again(exchange: SimulatedExchange) -> None:
    async with listening(exchange.settings()) as listener:
        await listener.until(both(3))
        await exchange.fault("stream_gap", BTC_DEPTH, count=3)
        came = await listener.until(stale(1))
        assert {item.instrument.symbol for item in came if isinstance(item, Stale)} == {"BTC/USDT"}
        await assert_books_are_the_venues(exchange, listener)
    struck = [line["struck"] for line in exchange.journal().faults]
    assert struck == ["btcusdt@depth@100ms"] * 3


async def test_updates_that_come_twice_change_nothing(exchange: SimulatedExchange) -> None:
    async with listening(exchange.settings()) as listener:
        await listener.until(both(3))
        await exchange.fault("stream_duplicate", "@depth", count=6)
        came = await listener.until(both(6))
        assert not any(isinstance(item, Stale) for item in came)
        await assert_books_are_the_venues(exchange, listener)
    assert len(exchange.journal().faults) == 6


async def test_an_update_that_comes_after_the_next_one_makes_a_book_stale_and_then_right_again(
    exchange: SimulatedExchange,
) -> None:
    async with listening(exchange.settings()) as listener:
        await listener.until(both(3))
        await exchange.fault("stream_reorder", BTC_DEPTH)
        await listener.until(stale(1))
        await assert_books_are_the_venues(exchange, listener)


async def test_a_connection_that_stays_and_says_nothing_is_given_up(
    exchange: SimulatedExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "_SILENCE_SECONDS", 1.0)
    monkeypatch.setattr(feed_module, "_WATCH_SECONDS", 0.1)
    async with listening(exchange.settings()) as listener:
        await listener.until(both(3))
        await exchange.fault("stream_silence", streams="market", duration_ms=None)
        came = await listener.until(stale(2))
        assert {item.instrument.symbol for item in came if isinstance(item, Stale)} == set(SYMBOLS)
        await assert_books_are_the_venues(exchange, listener)
    (began,) = exchange.journal().faults
    assert began["connections"] == 1


async def test_one_silent_instrument_among_others_that_speak_is_noticed(
    exchange: SimulatedExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "_QUIET_SECONDS", 1.0)
    monkeypatch.setattr(feed_module, "_WATCH_SECONDS", 0.1)
    async with listening(exchange.settings()) as listener:
        await listener.until(both(3))
        await exchange.fault("stream_silence", BTC_DEPTH, streams="market", duration_ms=None)
        came = await listener.until(stale(1))
        assert any(isinstance(item, PublicTrade) for item in came)  # the connection spoke all the while
        await assert_books_are_the_venues(exchange, listener)


async def test_a_quiet_instrument_is_left_alone(exchange: SimulatedExchange, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "_QUIET_SECONDS", 0.2)
    monkeypatch.setattr(feed_module, "_WATCH_SECONDS", 0.1)
    async with listening(exchange.settings()) as listener:
        await listener.until(both(3))
        await exchange.say("pause")
        await exchange.fault("latency", "GET /api/v3/depth", latency_ms=1, count=4)  # written down when it is asked
        await exchange.struck("GET /api/v3/depth", 4)
        assert not any(isinstance(item, Stale) for item in listener.came)
        await exchange.say("resume")
        await assert_books_are_the_venues(exchange, listener)


async def test_maintenance_closes_the_streams_and_the_books_come_back(exchange: SimulatedExchange) -> None:
    async with listening(exchange.settings()) as listener:
        await listener.until(both(3))
        await exchange.fault("maintenance", duration_ms=700)
        came = await listener.until(stale(2))
        assert {item.instrument.symbol for item in came if isinstance(item, Stale)} == set(SYMBOLS)
        await assert_books_are_the_venues(exchange, listener)
    assert [line["closed"] for line in exchange.journal().faults_over] == [True]
