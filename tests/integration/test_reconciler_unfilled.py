"""What a person says of an order that the venue denies: the way from a halt over it back to trading."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from floor_parties import Reconciler
from trading_floor import Floor

from ledger_worlds import PORTFOLIO
from trimtab.adapters.postgres.reports import Lapsed, Reports
from trimtab.domain.orders import ChildOrder, ParentOrder, Side
from trimtab.messages import Break, OrderEvent, ParentEvent
from trimtab.ports.venue import Absent

DENIALS = 3  # in a row, until anybody believes them
DENIED = "tt-denied"  # an id that the exchange has never heard of


def _change(floor: Floor, change: str) -> None:
    """Change our orders in a way that no role may."""
    floor.world.ask(
        "ALTER TABLE ledger.child_order DISABLE TRIGGER child_takes_legal_step;"
        f"UPDATE ledger.child_order SET {change};"
        "ALTER TABLE ledger.child_order ENABLE TRIGGER child_takes_legal_step;"
    )


async def _resting(floor: Floor) -> str:
    """Leave an order for 0.01 at the venue, older than any request on its way, and nobody who looks after it."""
    executor = await floor.executor(patient=True)
    await floor.accepted(executor, await floor.trade(Side.BUY, "0.01"))
    order = await floor.open_order()
    await executor.crash()
    _change(floor, "request_time_ms = request_time_ms - 60000")
    return str(order.client_order_id)


async def _denied(floor: Floor) -> tuple[Reconciler, set[str], str]:
    """Return a reconciler that has reported an order, the set of what its venue denies, and that order."""
    order = await _resting(floor)
    reconciler, denied = floor.reconciler(), {order}
    find = reconciler.venue.find

    async def answer(parent: ParentOrder, child: ChildOrder) -> Any:
        return Absent() if child.client_order_id in denied else await find(parent, child)

    reconciler.venue.find = answer  # type: ignore[method-assign]  # a venue that has lost an order
    await _compare(reconciler, DENIALS)
    return reconciler, denied, order


async def _compare(reconciler: Reconciler, times: int = 1) -> None:
    for _ in range(times):
        await reconciler.comparing.compare()


async def _say(floor: Floor, order: str, portfolio: str = PORTFOLIO) -> Break | None:
    async with floor.world.cli.transaction() as book:
        return await book.say_unfilled(order, portfolio)


async def _resume(floor: Floor) -> None:
    async with floor.world.cli.transaction() as book:
        assert await book.resume(PORTFOLIO)


async def _lapsed(floor: Floor) -> Sequence[Lapsed]:
    return await Reports(floor.world.cli._sessions).lapsed(PORTFOLIO)


def _resolutions(floor: Floor) -> list[str]:
    found = [m for m in floor.world.emitted() if isinstance(m, Break) and m.kind == "unknown_order"]
    return [each.resolution for each in found]


def _state(floor: Floor) -> tuple[str, Decimal]:
    (child,) = floor.children()
    return child["state"], child["filled"]


async def test_the_whole_way_from_a_denied_order_back_to_trading(floor: Floor) -> None:
    executor = await floor.executor(patient=True)
    await floor.accepted(executor, await floor.trade(Side.BUY, "0.01"))
    resting = await floor.open_order()
    _change(floor, f"client_order_id = '{DENIED}', request_time_ms = request_time_ms - 60000")
    reconciler = floor.reconciler()
    assert await _say(floor, DENIED) is None  # nobody has missed it yet
    await _compare(reconciler, DENIALS)
    halt = f"{floor.account} does not know order {DENIED}"
    assert floor.halt_reason() == halt
    await floor.until(lambda: floor.children()[0]["cancel_requested"], "the executor tries to take it back")

    # Lifting the halt alone leads nowhere: the order is in flight for good.
    await _resume(floor)
    await _compare(reconciler, DENIALS)
    assert [order.leaves for order in floor.world.states()[-1].open_orders] == [Decimal("0.01")]
    async with floor.world.cli.transaction() as book:
        await book.halt(PORTFOLIO, halt)

    reserved = floor.reserved()
    said = await _say(floor, DENIED)
    assert said is not None
    assert (said.account, said.asset, said.ledger) == (floor.account, "BTC", Decimal("0.01"))
    assert (_state(floor), floor.reserved()) == (("accepted", Decimal(0)), reserved)  # saying so ends nothing
    assert reserved > 0
    await _compare(reconciler, DENIALS)
    assert _state(floor)[0] == "accepted"
    await _compare(reconciler)
    assert _state(floor) == ("canceled", Decimal(0))
    assert floor.reserved() == 0
    assert floor.at_rest()
    (parent,) = floor.parents()
    assert floor.closings() == {parent["parent_id"]: "unfilled"}
    orders = [m for m in floor.world.emitted() if isinstance(m, OrderEvent) and m.client_order_id == DENIED]
    assert [m.state for m in orders if m.state != "accepted"] == ["canceled"]
    assert orders[-1].reason == "denied by the venue, and said to be unfilled"
    assert [m.state for m in floor.world.emitted() if isinstance(m, ParentEvent)][-1] == "closed"
    assert _resolutions(floor) == ["", "unfilled"]
    state = floor.world.states()[-1]
    assert (state.open_orders, state.halted, floor.halt_reason()) == ((), True, halt)
    assert await _lapsed(floor) == []
    await _compare(reconciler, DENIALS)
    assert _resolutions(floor) == ["", "unfilled"]

    await executor.crash()
    await _trades_again(floor, reconciler, resting)


async def _trades_again(floor: Floor, reconciler: Reconciler, resting: Any) -> None:
    await _resume(floor)
    trader = await floor.executor("executor-2")
    await floor.accepted(trader, await floor.trade(Side.BUY, "0.02"))
    await floor.until(floor.fills, "trades again")
    await floor.holds()

    # Whatever was said: what the venue executes of it later is recorded, and booked.
    await floor.hit(resting, "0.004")
    for _ in range(6):
        await _compare(reconciler)
    (late,) = [fill for fill in floor.fills() if fill.client_order_id == DENIED]
    assert (late.quantity, late.portfolio_id) == (Decimal("0.004"), PORTFOLIO)
    assert floor.halt_reason() == ""
    await floor.holds()


async def test_it_lapses_when_the_venue_shows_the_order(floor: Floor) -> None:
    reconciler, denied, order = await _denied(floor)
    assert await _say(floor, order) is not None
    await _compare(reconciler, DENIALS)
    assert await _lapsed(floor) == []
    denied.clear()
    await _compare(reconciler)
    assert (_state(floor)[0], _resolutions(floor)) == ("accepted", ["", "seen"])
    (lapsed,) = await _lapsed(floor)
    assert (lapsed.client_order_id, lapsed.resolution) == (order, "seen")
    denied.add(order)
    await _compare(reconciler, 2 * DENIALS)
    assert (_state(floor)[0], _resolutions(floor)) == ("accepted", ["", "seen", ""])  # to be said again
    assert len(await _lapsed(floor)) == 1
    await _say(floor, order)
    assert await _lapsed(floor) == []
    await _compare(reconciler, DENIALS + 1)
    assert (_state(floor)[0], floor.reserved()) == ("canceled", 0)


async def test_it_lapses_when_own_trades_show_more_of_the_order(floor: Floor) -> None:
    reconciler, _, order = await _denied(floor)
    assert await _say(floor, order) is not None
    journal = floor.journal().orders.values()
    (resting,) = [each for each in journal if each.client_order_id == order]
    await floor.hit(resting, "0.004")
    await _compare(reconciler, DENIALS + 2)
    assert (_state(floor), _resolutions(floor)) == (("partially_filled", Decimal("0.004")), ["", "changed", ""])
    assert [each.resolution for each in await _lapsed(floor)] == ["changed"]
    (known,) = await floor.world.cli.open_breaks(floor.account)
    assert (known.ledger, known.detail) == (Decimal("0.006"), f"order {order}")
    await _compare(reconciler, DENIALS)
    assert _state(floor)[0] == "partially_filled"

    await _say(floor, order)
    await _compare(reconciler, DENIALS + 1)
    assert (_state(floor), _resolutions(floor)[-1]) == (("canceled", Decimal("0.004")), "unfilled")
    (fill,) = floor.fills()
    assert fill.quantity == Decimal("0.004")
    await floor.holds()


async def test_nothing_is_ended_while_the_venue_does_not_tell_its_trades(floor: Floor) -> None:
    reconciler, _, order = await _denied(floor)
    await _resume(floor)  # a halt is not what it hangs on
    await _say(floor, order)
    await _compare(reconciler, DENIALS)
    await floor.fault("error_before", endpoint="GET /api/v3/myTrades")
    await _compare(reconciler)
    assert (_state(floor)[0], _resolutions(floor)) == ("accepted", [""])
    await _compare(reconciler)
    assert (_state(floor)[0], _resolutions(floor)) == ("canceled", ["", "unfilled"])
    assert floor.reserved() == 0


async def test_a_look_up_without_an_answer_is_no_denial(floor: Floor) -> None:
    reconciler, denied, order = await _denied(floor)
    await _say(floor, order)
    await _compare(reconciler, DENIALS)
    denied.clear()
    await floor.fault("error_before", endpoint="GET /api/v3/order")
    await _compare(reconciler)
    denied.add(order)
    await _compare(reconciler, DENIALS)
    assert (_state(floor)[0], _resolutions(floor)) == ("accepted", [""])
    await _compare(reconciler)
    assert _resolutions(floor) == ["", "unfilled"]


@pytest.mark.parametrize("portfolio", ["other", "nobody"])
async def test_only_the_orders_own_portfolio_can_be_named(floor: Floor, portfolio: str) -> None:
    await floor.world.add_portfolio("other", account=floor.account)
    reconciler, _, order = await _denied(floor)
    assert await _say(floor, order, portfolio) is None
    await _compare(reconciler, DENIALS + 1)
    assert _state(floor)[0] == "accepted"
