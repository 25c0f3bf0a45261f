"""The kill switch: what is open is taken back, nothing is placed, and a restart changes nothing of that."""

import asyncio

import pytest
from trading_floor import Floor

from ledger_worlds import PORTFOLIO
from trimtab.domain.orders import Side

PLACE = "POST /api/v3/order"


async def _throw(floor: Floor, scope: str) -> None:
    async with floor.world.cli.transaction() as book:
        if scope == "portfolio":
            await book.halt(PORTFOLIO, "enough")
        else:
            await book.throw_switch(scope, "binance" if scope == "venue" else "", "enough", 0)


async def _lift(floor: Floor, scope: str) -> None:
    async with floor.world.cli.transaction() as book:
        if scope == "portfolio":
            await book.resume(PORTFOLIO)
        else:
            await book.clear_switch(scope, "binance" if scope == "venue" else "", 0)


@pytest.mark.parametrize("scope", ["all", "venue", "portfolio"])
async def test_a_halt_takes_everything_back_and_survives_a_restart(floor: Floor, scope: str) -> None:
    executor = await floor.executor(patient=True)
    floor.reconciler()
    resting, waiting = await floor.trade(Side.SELL, "0.01"), await floor.trade(Side.BUY, "1", "buy", base="ETH")
    dependent = await floor.trade(Side.BUY, "1", "late", base="ETH", depends_on=(resting.trade_id,))
    await floor.accepted(executor, resting, waiting, dependent)
    await floor.hit(await floor.open_order("BTC"), "0.004")
    await floor.open_order("ETH")
    await _throw(floor, scope)
    await floor.holds()
    assert set(floor.closings().values()) == {"halted"}
    assert len(floor.fills()) == 1
    asked = len(floor.gateway.times(PLACE))
    await executor.crash()
    again = await floor.executor("executor-2", patient=True)
    await again.take(floor.signal(await floor.trade(Side.BUY, "0.01", "more")))
    assert floor.world.states()[-1].reason == "halted"
    await asyncio.sleep(0.3)
    assert len(floor.gateway.times(PLACE)) == asked
    await _lift(floor, scope)
    await floor.accepted(again, await floor.trade(Side.BUY, "0.01", "after"))
    await floor.open_order()


async def test_a_halt_needs_no_market(floor: Floor) -> None:
    executor = await floor.executor(patient=True)
    floor.reconciler()
    await floor.accepted(executor, await floor.trade(Side.BUY, "0.01"))
    await floor.open_order()
    await executor.crash()
    floor.market_runs = False
    await asyncio.sleep(0.1)
    await _throw(floor, "all")
    again = await floor.executor("executor-2", patient=True)
    again.view._feed = type(again.view._feed)()  # as at a start without ingest: not one frame
    await floor.holds()
    assert list(floor.closings().values()) == ["halted"]


async def test_a_halt_waits_for_an_order_of_unknown_fate(floor: Floor) -> None:
    executor = await floor.executor(patient=True, deaf=True, lookup_after_ms=1_500)
    floor.reconciler()
    await floor.fault("lost_answer")
    await floor.accepted(executor, await floor.trade(Side.BUY, "0.01"))
    await floor.until(lambda: floor.children()[0]["state"] == "unknown", "unknown")
    await _throw(floor, "all")
    await asyncio.sleep(0.4)
    assert (floor.closings(), floor.reserved() > 0) == ({}, True)
    await floor.holds()
    assert [child["state"] for child in floor.children()] == ["canceled"]


async def test_a_closed_parent_is_not_closed_again_while_its_fills_settle(floor: Floor) -> None:
    executor = await floor.executor()
    await floor.accepted(executor, await floor.trade(Side.BUY, "0.01"))
    await floor.until(lambda: [p["state"] for p in floor.parents()] == ["closed"], "closed")
    await _throw(floor, "portfolio")
    (sequence,) = floor.world.ask("SELECT ledger_sequence FROM ledger.portfolio")
    await asyncio.sleep(0.5)
    assert floor.world.ask("SELECT ledger_sequence FROM ledger.portfolio") == [sequence]
    assert [p["reason"] for p in floor.parents()] == ["filled"]
    floor.reconciler()
    await floor.holds()
