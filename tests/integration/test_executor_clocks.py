"""A venue whose clock is wrong: an order that its own clock still lets in is never taken for absent."""

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from exchange_process import Running
from trading_floor import Floor, open_floor

from ledger_worlds import LedgerWorld
from trimtab.domain.orders import Side


@pytest.fixture
async def floor(still_exchange: Running, ledger_world: LedgerWorld) -> AsyncIterator[Floor]:
    """A floor on which nobody waits long for an answer, or reckons with a clock that is wrong."""
    async with open_floor(still_exchange, ledger_world, request_timeout_ms=300, clock_skew_ms=0) as opened:
        yield opened


async def test_an_order_that_comes_late_at_a_venue_whose_clock_is_behind_is_not_sent_again(floor: Floor) -> None:
    executor = await floor.executor(deaf=True)
    await floor.fault("clock_skew", skew_ms=-950, duration_ms=None)
    await floor.fault("latency", latency_ms=2_600)  # by the venue's clock 1.65 s old: within its window of 2 s
    await floor.accepted(executor, await floor.trade(Side.BUY, "0.01"))
    await floor.until(lambda: floor.children()[0]["state"] == "unknown", "nobody waits for its answer any more")
    floor.reconciler()
    await floor.holds()
    assert sum(e.quantity for e in floor.journal().executions_of(floor.account)) == Decimal("0.01")


async def test_orders_refused_for_the_clock_are_sent_again_once_it_is_right(floor: Floor) -> None:
    executor = await floor.executor()
    floor.reconciler()
    await floor.fault("clock_skew", skew_ms=-5_000, duration_ms=None)
    await floor.accepted(executor, await floor.trade(Side.BUY, "0.01"))
    await floor.until(lambda: floor.children()[0]["state"] == "rejected", "refused")
    assert floor.journal().executions_of(floor.account) == []
    await floor.http.delete(f"{floor.exchange.http}/sim/faults")
    await floor.holds()
    assert sum(e.quantity for e in floor.journal().executions_of(floor.account)) == Decimal("0.01")
