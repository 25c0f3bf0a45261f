"""Coinbase's look-ups lag for longer than any window: an order that they do not show is not taken for ended.

What is cancelled is cancelled in the book itself, and whatever traded is told apart there from what never did.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from coinbase_account import account, asks

from simulated_exchange import SimulatedExchange, simulated_exchange
from trimtab.domain.orders import ChildOrder, OrderState
from trimtab.ports.venue import Absent, ExecutionReport, Unknown
from venue_orders import parent, resting, taking

WINDOW = {"recv_window_ms": 400, "clock_skew_ms": 100}
WINDOW_SECONDS = 0.6


@pytest.fixture
async def coinbase(tmp_path: Path) -> AsyncIterator[SimulatedExchange]:
    async with simulated_exchange(tmp_path, "--synthetic", "7", "--dialect", "coinbase", "--paused") as running:
        yield running


async def confirmed(answer: object, order: ChildOrder) -> ChildOrder:
    """The order as it is known once the venue has confirmed it, and its receive window is over."""
    assert isinstance(answer, ExecutionReport), answer
    await asyncio.sleep(WINDOW_SECONDS)
    return replace(order, venue_order_id=answer.venue_order_id, state=OrderState.ACCEPTED)


async def test_a_live_order_that_is_not_shown_for_long_is_never_said_to_be_over(coinbase: SimulatedExchange) -> None:
    async with account(coinbase, **WINDOW) as venue:
        await venue.balances()
        await coinbase.fault("stale_reads", duration_ms=None)
        order = resting()
        known = await confirmed(await venue.place(parent(), order), order)
        assert isinstance(await venue.find(parent(), known), Unknown)
        # It lived: it was taken back, so that whatever is done next does not come on top of it.
        assert [each.status for each in coinbase.journal().orders.values()] == ["CANCELED"]
        ended = await venue.find(parent(), known)
    assert isinstance(ended, ExecutionReport)
    assert (ended.state, ended.filled, ended.executions) == (OrderState.CANCELED, Decimal(0), ())


async def test_an_order_that_traded_does_not_end_without_its_fills_while_nobody_shows_them(
    coinbase: SimulatedExchange,
) -> None:
    async with account(coinbase, **WINDOW) as venue:
        await venue.balances()
        await coinbase.fault("stale_reads", duration_ms=None)
        order = taking()
        known = await confirmed(await venue.place(parent(), order), order)
        for _ in range(3):
            assert isinstance(await venue.find(parent(), known), Unknown)
        await coinbase.disarm()
        found = await venue.find(parent(), known)
    assert isinstance(found, ExecutionReport)
    assert (found.state, found.filled) == (OrderState.FILLED, order.quantity)
    assert sum(each.quantity for each in found.executions) == order.quantity


async def test_a_cancelled_order_that_had_traded_does_not_end_without_its_fills(coinbase: SimulatedExchange) -> None:
    async with account(coinbase, **WINDOW) as venue:
        price, size = (await asks(coinbase))[0]
        order = replace(resting(), price=price, quantity=size + Decimal("0.01"))
        await coinbase.fault("stale_reads", duration_ms=None)
        assert isinstance(await venue.place(parent(), order), ExecutionReport)
        assert isinstance(await venue.cancel(parent(), order), Unknown)
        assert isinstance(await venue.cancel(parent(), order), Unknown)  # done, it says: not that nothing traded
        await coinbase.disarm()
        found = await venue.find(parent(), order)
    assert isinstance(found, ExecutionReport)
    assert (found.state, found.filled) == (OrderState.CANCELED, size)
    assert sum(each.quantity for each in found.executions) == size


async def test_an_order_that_was_never_there_is_absent_for_look_ups_and_cancellations(
    coinbase: SimulatedExchange,
) -> None:
    async with account(coinbase, **WINDOW) as venue:
        await coinbase.fault("lost_request", "POST /orders")
        order = resting()
        assert isinstance(await venue.place(parent(), order), Unknown)
        await asyncio.sleep(WINDOW_SECONDS)
        assert isinstance(await venue.find(parent(), order), Absent)
        assert isinstance(await venue.cancel(parent(), order), Absent)
