"""Markets with something wrong, over real ccxt: what is shown, what is refused, and right again afterwards."""

from contextlib import aclosing
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from test_ingest_resync import Listener, assert_books_are_the_venues, both, listening

from simulated_exchange import ACCOUNT, SimulatedExchange
from trimtab.adapters.clock import SystemClock
from trimtab.adapters.venues.registry import feeds_of, open_account
from trimtab.domain.orders import OrderState
from trimtab.ports.venue import Absent, BookUpdate, ExecutionReport, Reconnected, Refused, Stale, Unknown
from venue_orders import parent, resting, taking

BTC = {"symbol": "BTCUSDT", "duration_ms": None}


def is_empty(book: BookUpdate) -> bool:
    return not book.asks and bool(book.bids)


def is_crossed(book: BookUpdate) -> bool:
    return bool(book.bids and book.asks) and book.bids[0][0] > book.asks[0][0]


async def seen(listener: Listener, what: Any) -> None:
    """Wait for a book of BTC/USDT that is so."""

    def found(came: list[Any]) -> bool:
        return any(isinstance(u, BookUpdate) and u.instrument.symbol == "BTC/USDT" and what(u) for u in came)

    await listener.until(found)


@pytest.mark.parametrize(
    ("kind", "more", "what"),
    [
        ("thin_book", {"share_percent": 1}, lambda book: not is_crossed(book) and bool(book.bids)),
        ("empty_book", {"sides": "asks"}, is_empty),
        ("crossed_book", {}, is_crossed),
    ],
)
async def test_a_book_with_something_wrong_is_followed_without_a_gap_and_comes_back(
    exchange: SimulatedExchange, kind: str, more: dict[str, Any], what: Any
) -> None:
    async with listening(exchange.settings()) as listener:
        await listener.until(both(3))
        await exchange.fault(kind, **BTC, **more)
        await seen(listener, what)
        await assert_books_are_the_venues_if_it_has_any(exchange, listener, kind)
        assert not any(isinstance(item, Stale) for item in listener.came)
        await exchange.disarm()
        await seen(listener, lambda book: not is_crossed(book) and bool(book.bids and book.asks))
        await assert_books_are_the_venues(exchange, listener)
    journal = exchange.journal()
    assert [line["struck"] for line in journal.faults] == ["market BTCUSDT"]
    assert len(journal.faults_over) == 1


async def assert_books_are_the_venues_if_it_has_any(exchange: SimulatedExchange, listener: Listener, kind: str) -> None:
    """A book with an empty side changes on the other one only, which may take long."""
    if kind != "empty_book":
        await assert_books_are_the_venues(exchange, listener)


async def test_an_order_into_an_empty_book_expires_and_into_a_thin_one_fills_a_little(
    exchange: SimulatedExchange,
) -> None:
    venue = open_account(ACCOUNT, exchange.settings())
    await exchange.say("pause")
    await exchange.fault("empty_book", **BTC)
    expired = await venue.place(parent(), taking(1))
    await exchange.fault("thin_book", **BTC, share_percent=1)
    little = await venue.place(parent(), replace(taking(2), quantity=Decimal(4)))
    await venue.close()
    assert isinstance(expired, ExecutionReport)
    assert (expired.state, expired.filled) == (OrderState.EXPIRED, Decimal(0))
    assert isinstance(little, ExecutionReport)
    assert little.state is OrderState.EXPIRED
    assert 0 < little.filled < 4
    assert little.filled == sum(item.quantity for item in little.executions)


@pytest.mark.parametrize("status", ["BREAK", "HALT"])
async def test_a_symbol_that_does_not_trade_refuses_orders_and_gives_them_back(
    exchange: SimulatedExchange, status: str
) -> None:
    settings = exchange.settings()
    venue = open_account(ACCOUNT, settings)
    assert isinstance(await venue.place(parent(), resting(1)), ExecutionReport)
    await exchange.fault("halt", **BTC, symbol_status=status)
    refused = await venue.place(parent(), taking(2))
    assert isinstance(refused, Refused)
    assert (refused.code, "Market is closed" in refused.reason) == ("market_closed", True)
    async with feeds_of(settings, SystemClock()) as (feed,):
        rules = {instrument.symbol: instrument.tradable for instrument in await feed.instruments()}
        assert rules == {"BTC/USDT": False, "ETH/USDT": True}
        cancelled = await venue.cancel(parent(), resting(1))
        assert isinstance(cancelled, ExecutionReport)
        assert cancelled.state is OrderState.CANCELED
        await exchange.disarm()
        assert all(instrument.tradable for instrument in await feed.instruments())
    assert isinstance(await venue.place(parent(), taking(3)), ExecutionReport)
    await venue.close()


async def test_a_symbol_taken_off_the_list_loses_its_orders_and_holds_up_no_other(exchange: SimulatedExchange) -> None:
    settings = exchange.settings()
    venue = open_account(ACCOUNT, settings)
    async with feeds_of(settings, SystemClock()) as (feed,), aclosing(venue.reports()) as reports:
        assert len(await feed.instruments()) == 2
        assert await anext(reports) == Reconnected(ACCOUNT)
        await venue.place(parent(), resting(1))
        await anext(reports)
        await exchange.fault("delisting", **BTC)
        gone = await anext(reports)
        assert isinstance(gone, ExecutionReport)
        assert (gone.client_order_id, gone.state) == (resting(1).client_order_id, OrderState.CANCELED)
        refused = await venue.place(parent(), resting(2))
        assert isinstance(refused, Refused)
        assert refused.code == "unknown_instrument"
        assert isinstance(await venue.trades("BTC/USDT", 0), Absent)
        assert not isinstance(await venue.trades("ETH/USDT", 0), Absent | Unknown)
        assert not isinstance(await venue.balances(), Unknown)
        rules = {instrument.symbol: instrument.tradable for instrument in await feed.instruments()}
        assert rules == {"BTC/USDT": False, "ETH/USDT": True}
    await venue.close()


async def test_a_fault_of_a_market_that_is_not_there_is_refused(exchange: SimulatedExchange) -> None:
    with pytest.raises(AssertionError, match="Invalid symbol"):
        await exchange.fault("thin_book", symbol="NOPEUSDT")
