"""Fills: each once, in ledger order, whichever way and however often they are told."""

import asyncio
from decimal import Decimal

from floor_parties import Executor
from trading_floor import Floor

from trimtab.domain.orders import Side
from trimtab.ledger.recording import record_report
from trimtab.ports.venue import ExecutionReport


async def _resting(floor: Floor, executor: Executor, quantity: str = "0.01", side: Side = Side.BUY) -> str:
    trade = await floor.trade(side, quantity)
    await floor.accepted(executor, trade)
    return trade.trade_id


async def test_partial_fills_are_recorded_as_they_come_and_what_is_left_is_told(floor: Floor) -> None:
    executor = await floor.executor(patient=True)
    floor.reconciler()
    await _resting(floor, executor)
    order = await floor.open_order()
    for number, (quantity, leaves) in enumerate((("0.004", "0.006"), ("0.001", "0.005"), ("0.005", "0")), 1):
        await floor.hit(order, quantity)
        await floor.until(lambda n=number: len(floor.fills()) == n, "the fill is recorded")
        assert floor.fills()[-1].leaves_quantity == Decimal(leaves)
    await floor.holds()
    assert {fill.liquidity for fill in floor.fills()} == {"maker"}
    assert [child["state"] for child in floor.children()] == ["filled"]
    assert list(floor.closings().values()) == ["filled"]


async def test_a_fill_told_by_answer_stream_and_look_up_is_recorded_once(floor: Floor) -> None:
    executor = await floor.executor()
    floor.reconciler()
    await _resting(floor, executor, "0.5")
    await floor.holds()
    count = len(floor.fills())
    assert count > 1  # more than one level was taken
    child = floor.children()[0]
    async with floor.world.executor.transaction() as book:
        located = await book.child(child["client_order_id"])
    assert located is not None
    report = await executor.venues[floor.account].find(*located)
    assert isinstance(report, ExecutionReport)
    for _ in range(2):
        async with floor.world.executor.transaction() as book:
            recorded = await record_report(book, report)
        assert recorded is not None
        assert recorded.new_fills == 0
    assert len(floor.fills()) == count
    await floor.holds()


async def test_a_fill_that_overtakes_its_answer_counts_at_once_and_once(floor: Floor) -> None:
    executor = await floor.executor(lookup_after_ms=60_000)
    floor.reconciler()
    await executor.following.wait()
    await floor.fault("late_answer", latency_ms=1_500)
    await _resting(floor, executor)
    order_id = floor.children()[0]["client_order_id"]
    await floor.until(lambda: floor.children()[0]["state"] == "filled", "the stream told of it")
    assert executor.sender.in_flight(order_id)  # the answer is still on its way
    await floor.until(lambda: not executor.sender.in_flight(order_id), "the answer came")
    await floor.holds()
    assert len({fill.trade_id for fill in floor.fills()}) == len(floor.fills())


async def test_fills_while_the_stream_is_down_are_found_by_look_up(floor: Floor) -> None:
    executor = await floor.executor(patient=True)
    floor.reconciler()
    await _resting(floor, executor)
    order = await floor.open_order()
    await floor.hit(order, "0.003")
    await floor.until(lambda: len(floor.fills()) == 1, "the stream works")
    await floor.control("faults", kind="websocket_drop", streams="user")
    await floor.hit(order, "0.002")
    await floor.until(lambda: len(floor.fills()) == 2, "the fill is found")
    await floor.hit(order, "0.005")
    await floor.holds()
    assert len(floor.fills()) == 3


async def test_one_executor_follows_an_account_and_another_takes_over(floor: Floor) -> None:
    first = await floor.executor("executor-1", patient=True, lease_seconds=1)
    second = await floor.executor("executor-2", patient=True, lease_seconds=1)
    floor.reconciler()
    await floor.until(first.watches[0]._leads, "the first leads")
    assert not second.watches[0]._leads()
    await first.crash()
    await floor.until(second.watches[0]._leads, "the second leads")
    await _resting(floor, second)
    await floor.hit(await floor.open_order(), "0.01")
    await floor.holds()


async def test_a_report_the_ledger_refuses_does_not_hold_up_the_stream(floor: Floor) -> None:
    executor = await floor.executor(patient=True)
    floor.reconciler()
    await _resting(floor, executor)
    order = await floor.open_order()
    await floor.hit(order, "0.004")
    await floor.until(lambda: len(floor.fills()) == 1, "the first fill")
    (fill,) = floor.fills()
    async with floor.world.executor.transaction() as book:
        located = await book.child(fill.client_order_id)
    assert located is not None
    told = await executor.venues[floor.account].find(*located)
    assert isinstance(told, ExecutionReport)
    execution = told.executions[0]
    wrong = ExecutionReport(
        told.venue,
        told.account,
        told.instrument,
        told.client_order_id,
        told.venue_order_id,
        told.state,
        told.filled,
        told.event_time_us,
        executions=(
            type(execution)(
                execution.trade_id,
                execution.price,
                Decimal("0.002"),
                execution.fee,
                execution.fee_asset,
                execution.liquidity,
                execution.event_time_us,
            ),
        ),
    )  # fmt: skip - the same trade with another quantity
    await asyncio.wait_for(executor.watches[0]._take(wrong), 5)
    assert any(entry["event"] == "report not recorded" for entry in floor.captured.entries)
    await floor.hit(order, "0.006")
    await floor.holds()
