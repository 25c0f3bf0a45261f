"""What every implementation of the venue port keeps, whoever stands behind it.

There are two: real ccxt against the simulated exchange, in Binance's dialect and in Coinbase's. Another joins by being
one more parameter of `venue`.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from decimal import Decimal
from pathlib import Path

import pytest

from simulated_exchange import ACCOUNT, simulated_exchange
from trimtab.adapters.venues.registry import open_account
from trimtab.domain.orders import (
    OrderKind,
    OrderState,
    Side,
)
from trimtab.ports.venue import Absent, ExecutionReport, NotPlaced, Reconnected, Refused, Venue, VenueTrade
from venue_orders import HIGH, parent, resting, taking


@pytest.fixture(params=["binance", "coinbase"])
async def venue(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Venue]:
    async with simulated_exchange(tmp_path, "--synthetic", "7", "--dialect", request.param) as exchange:
        opened = open_account(ACCOUNT, exchange.settings(kind=request.param))
        yield opened
        await opened.close()


async def test_a_resting_order_is_accepted_found_listed_and_cancelled(venue: Venue) -> None:
    order = resting()
    placed = await venue.place(parent(), order)
    assert isinstance(placed, ExecutionReport)
    assert (placed.state, placed.filled, placed.client_order_id) == (
        OrderState.ACCEPTED,
        Decimal(0),
        order.client_order_id,
    )
    found = await venue.find(parent(), order)
    assert isinstance(found, ExecutionReport)
    assert (found.state, found.venue_order_id, found.instrument) == (
        OrderState.ACCEPTED,
        placed.venue_order_id,
        "BTC/USDT",
    )
    listed = await venue.open_orders()
    assert [item.client_order_id for item in listed] == [order.client_order_id]  # type: ignore[union-attr]  # a list
    cancelled = await venue.cancel(parent(), order)
    assert isinstance(cancelled, ExecutionReport)
    assert (cancelled.state, cancelled.client_order_id) == (OrderState.CANCELED, order.client_order_id)
    assert await venue.open_orders() == []


async def test_a_taking_order_brings_its_executions_the_same_from_everywhere(venue: Venue) -> None:
    order = taking()
    placed = await venue.place(parent(), order)
    assert isinstance(placed, ExecutionReport)
    assert placed.state is OrderState.FILLED
    assert placed.filled == sum(item.quantity for item in placed.executions) == order.quantity
    found = await venue.find(parent(), order)
    assert isinstance(found, ExecutionReport)
    assert set(found.executions) == set(placed.executions)
    trades = await venue.trades("BTC/USDT", placed.event_time_us)
    assert {trade.execution for trade in trades} == set(placed.executions)  # type: ignore[union-attr]  # a list
    assert all(isinstance(trade, VenueTrade) and trade.side is Side.BUY for trade in trades)  # type: ignore[union-attr]  # a list


async def test_an_instrument_that_the_venue_does_not_have_has_no_trades(venue: Venue) -> None:
    assert await venue.trades("BTC/USDT", 0) == []
    assert await venue.trades("LUNA/USDT", 0) == Absent()


async def test_a_market_order_fills(venue: Venue) -> None:
    placed = await venue.place(parent(Side.SELL), resting(kind=OrderKind.MARKET))
    assert isinstance(placed, ExecutionReport)
    assert placed.state is OrderState.FILLED


async def test_a_maker_only_order_that_would_take_is_refused(venue: Venue) -> None:
    answer = await venue.place(parent(), resting(price=HIGH, kind=OrderKind.LIMIT_MAKER))
    assert isinstance(answer, Refused)
    assert answer.code in {"would_cross", "percent_price"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"quantity": Decimal("0.010000001")}, "invalid_request"),
        ({"quantity": Decimal("0.0100001")}, "lot_size"),
        ({"price": Decimal("30000.001")}, "price_filter"),
        ({"quantity": Decimal("0.00001")}, "notional"),
        ({"quantity": Decimal(100)}, "insufficient_balance"),
    ],
)
async def test_what_the_venue_refuses_has_a_stable_code(venue: Venue, changes: dict[str, Decimal], code: str) -> None:
    answer = await venue.place(parent(), resting(**changes))
    assert isinstance(answer, Refused)
    assert answer.code == code


async def test_an_unknown_instrument_is_refused(venue: Venue) -> None:
    answer = await venue.place(parent(instrument="NOPE/USDT"), resting())
    assert isinstance(answer, Refused)
    assert answer.code == "misconfigured"


async def test_a_request_past_its_receive_window_is_not_placed(venue: Venue) -> None:
    order = resting(request_time_ms=time.time_ns() // 1_000_000 - 60_000)
    assert isinstance(await venue.place(parent(), order), NotPlaced)
    assert isinstance(await venue.find(parent(), order), Absent)


async def test_an_order_the_venue_never_had_is_absent(venue: Venue) -> None:
    assert isinstance(await venue.find(parent(), resting(99)), Absent)
    assert isinstance(await venue.cancel(parent(), resting(99)), Absent)


async def test_balances_are_what_the_account_has(venue: Venue) -> None:
    before = await venue.balances()
    assert isinstance(before, dict)
    placed = await venue.place(parent(), taking())
    assert isinstance(placed, ExecutionReport)
    after = await venue.balances()
    assert isinstance(after, dict)
    fees = sum(item.fee for item in placed.executions if item.fee_asset == "BTC")
    assert after["BTC"] - before["BTC"] == placed.filled - fees
    second = await venue.place(parent(), resting(2))
    assert isinstance(second, ExecutionReport)
    assert await venue.balances() == after  # locked counts too


async def test_the_user_stream_tells_every_execution_once(venue: Venue) -> None:
    async with aclosing(venue.reports()) as reports:
        assert await anext(reports) == Reconnected(ACCOUNT)
        order = taking()
        placed = await venue.place(parent(), order)
        assert isinstance(placed, ExecutionReport)
        told, report = [], None
        async with asyncio.timeout(10):
            while report is None or not report.state.terminal:
                report = await anext(reports)
                assert isinstance(report, ExecutionReport)
                assert report.client_order_id == order.client_order_id
                told += report.executions
        assert sorted(told, key=lambda item: item.trade_id) == sorted(placed.executions, key=lambda item: item.trade_id)
        assert report.filled == placed.filled


async def test_a_cancel_is_told_under_the_orders_own_id(venue: Venue) -> None:
    async with aclosing(venue.reports()) as reports:
        await anext(reports)
        order = resting()
        await venue.place(parent(), order)
        await venue.cancel(parent(), order)
        async with asyncio.timeout(10):
            states = [await anext(reports), await anext(reports)]
        assert [(item.client_order_id, item.state) for item in states] == [  # type: ignore[union-attr]  # reports
            (order.client_order_id, OrderState.ACCEPTED),
            (order.client_order_id, OrderState.CANCELED),
        ]
