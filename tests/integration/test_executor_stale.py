"""A venue whose look-ups lag behind what it did: nothing is sent twice, booked or halted on their word."""

from decimal import Decimal

import pytest
from exchange_process import Running
from trading_floor import Floor, open_floor

from ledger_worlds import LedgerWorld
from trimtab.domain.orders import Side
from trimtab.messages import Break


def _bought(floor: Floor) -> Decimal:
    return sum((e.quantity for e in floor.journal().executions_of(floor.account)), Decimal(0))


async def test_an_order_that_look_ups_do_not_show_yet_is_not_sent_again(floor: Floor) -> None:
    executor = await floor.executor(deaf=True)
    await floor.fault("stale_reads", duration_ms=2_000)
    await floor.fault("lost_answer")
    await floor.accepted(executor, await floor.trade(Side.BUY, "0.01"))
    await floor.until(lambda: floor.children()[0]["state"] == "unknown", "the outcome is unknown")
    floor.reconciler()
    await floor.holds()
    assert [child["state"] for child in floor.children()] == ["filled"]
    assert _bought(floor) == Decimal("0.01")
    journal = floor.journal()
    began = [line["fault_id"] for line in journal.faults if line["fault"] == "stale_reads"][-1]
    assert began in [line["fault_id"] for line in journal.faults_over]


async def test_an_order_that_look_ups_never_show_is_taken_back_before_there_is_another(
    still_exchange: Running, ledger_world: LedgerWorld
) -> None:
    async with open_floor(still_exchange, ledger_world, recv_window_ms=500, clock_skew_ms=100) as floor:
        executor = await floor.executor(deaf=True, patient=True)
        await floor.fault("stale_reads", duration_ms=None)
        await floor.fault("lost_answer")
        await floor.accepted(executor, await floor.trade(Side.BUY, "0.01"))
        await floor.until(lambda: len(floor.children()) == 2, "placed again")
        await floor.until(lambda: floor.children()[1]["state"] == "accepted", "answered")
        assert [child["state"] for child in floor.children()] == ["canceled", "accepted"]
        ours = [order for (account, *_), order in floor.journal().orders.items() if account == floor.account]
        assert [order.status for order in ours] == ["CANCELED", "NEW"]
        await floor.hit(ours[1], "0.01")
        await floor.http.delete(f"{floor.exchange.http}/sim/faults")
        await floor.reconciler(missed_fill_after_ms=0).comparing.compare()  # no stream tells of it
        await floor.holds()
        assert _bought(floor) == Decimal("0.01")


async def test_a_fill_that_look_ups_do_not_show_any_more_is_not_undone(floor: Floor) -> None:
    executor = await floor.executor(patient=True)
    await executor.following.wait()
    await floor.accepted(executor, await floor.trade(Side.BUY, "0.01"))
    order = await floor.open_order()
    await floor.fault("stale_reads", duration_ms=None)
    await floor.hit(order, "0.004")
    await floor.until(lambda: [fill.quantity for fill in floor.fills()] == [Decimal("0.004")], "recorded")
    reconciler = floor.reconciler(confirm_seconds=3.0)
    for _ in range(2):
        await reconciler.comparing.compare()
    assert floor.children()[0]["state"] == "partially_filled"
    await floor.hit(order, "0.006")
    await floor.http.delete(f"{floor.exchange.http}/sim/faults")
    await floor.holds()
    assert _bought(floor) == Decimal("0.01")


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
async def test_balances_of_a_moment_ago_are_no_deposit_and_no_loss(floor: Floor, side: Side) -> None:
    executor = await floor.executor()
    reconciler = floor.reconciler(confirm_seconds=3.0)
    await floor.fault("stale_reads", duration_ms=None)
    await floor.accepted(executor, await floor.trade(side, "0.01"))
    await floor.until(floor.fills, "filled")
    await floor.until(floor.at_rest, "settled")
    for _ in range(3):  # as after two reconnects in a row
        await reconciler.comparing.compare()
    assert [message for message in floor.world.emitted() if isinstance(message, Break)] == []
    assert floor.halt_reason() == ""
    await floor.http.delete(f"{floor.exchange.http}/sim/faults")
    await reconciler.comparing.compare()
    await floor.holds()
