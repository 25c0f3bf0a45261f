"""A user stream that leaves out, doubles or swaps events, or falls silent: no fill is lost, none counts twice."""

from contextlib import aclosing
from decimal import Decimal

import pytest
from trading_floor import Floor

from simulated_exchange import ACCOUNT, SimulatedExchange
from trimtab.adapters.venues.registry import open_account
from trimtab.domain.orders import OrderState, Side
from trimtab.ports.venue import ExecutionReport
from venue_orders import parent, resting

REPORTS = "@executionReport"


async def test_events_come_twice_in_the_wrong_order_or_not_at_all(exchange: SimulatedExchange) -> None:
    venue = open_account(ACCOUNT, exchange.settings())
    heard: list[tuple[int, OrderState]] = []

    async def hear(count: int) -> list[tuple[int, OrderState]]:
        heard.clear()
        while len(heard) < count:
            report = await anext(reports)
            if isinstance(report, ExecutionReport):
                heard.append((numbers[report.client_order_id], report.state))
        return heard

    numbers = {resting(attempt).client_order_id: attempt for attempt in (1, 2, 3)}
    async with aclosing(venue.reports()) as reports:
        await anext(reports)
        await exchange.fault("stream_duplicate", REPORTS, streams="user")
        await venue.place(parent(), resting(1))
        assert await hear(2) == [(1, OrderState.ACCEPTED)] * 2
        await exchange.fault("stream_reorder", REPORTS, streams="user", latency_ms=20_000)
        await venue.place(parent(), resting(2))
        await venue.cancel(parent(), resting(2))
        assert await hear(2) == [(2, OrderState.CANCELED), (2, OrderState.ACCEPTED)]
        await exchange.fault("stream_gap", REPORTS, streams="user")
        await venue.place(parent(), resting(3))
        await venue.cancel(parent(), resting(3))
        assert await hear(1) == [(3, OrderState.CANCELED)]
    await venue.close()
    assert [line["struck"] for line in exchange.journal().faults] == [f"demo{REPORTS}"] * 3


@pytest.mark.parametrize(("kind", "count"), [("stream_gap", 1), ("stream_gap", 20), ("stream_duplicate", 20)])
async def test_fills_of_which_the_stream_told_nothing_or_twice_count_once(floor: Floor, kind: str, count: int) -> None:
    executor = await floor.executor(patient=True)
    await executor.following.wait()
    reconciler = floor.reconciler()
    await floor.accepted(executor, await floor.trade(Side.BUY, "0.01"))
    order = await floor.open_order()
    await floor.fault(kind, f"{floor.account}{REPORTS}", streams="user", count=count)
    for quantity in ("0.004", "0.001", "0.005"):
        await floor.hit(order, quantity)

    async def recorded() -> bool:
        await reconciler.comparing.compare()
        return sum(fill.quantity for fill in floor.fills()) == Decimal("0.01")

    await floor.until(recorded, "all fills are recorded")
    await floor.holds()
    assert len(floor.fills()) == 3
    assert [child["state"] for child in floor.children()] == ["filled"]


async def test_events_in_the_wrong_order_end_the_order_as_it_ended(floor: Floor) -> None:
    executor = await floor.executor(patient=True)
    await executor.following.wait()
    floor.reconciler()
    await floor.accepted(executor, await floor.trade(Side.BUY, "0.01"))
    order = await floor.open_order()
    await floor.fault("stream_reorder", f"{floor.account}{REPORTS}", streams="user", latency_ms=20_000)
    for quantity in ("0.004", "0.006"):  # that it is filled is told before that it was partially
        await floor.hit(order, quantity)
    await floor.holds()
    assert [child["state"] for child in floor.children()] == ["filled"]
    assert len(floor.fills()) == 2


async def test_a_user_stream_that_stays_and_says_nothing_is_made_good_by_looking(floor: Floor) -> None:
    executor = await floor.executor(patient=True)
    await executor.following.wait()
    reconciler = floor.reconciler()
    await floor.accepted(executor, await floor.trade(Side.BUY, "0.01"))
    order = await floor.open_order()
    await floor.fault("stream_silence", floor.account, streams="user", duration_ms=None)
    await floor.hit(order, "0.01")

    async def recorded() -> bool:
        await reconciler.comparing.compare()
        return bool(floor.fills())

    await floor.until(recorded, "the fill is recorded")
    await floor.holds()
    await floor.http.delete(f"{floor.exchange.http}/sim/faults")
    assert floor.journal().faults_over[-1]["swallowed"] > 0
