"""Orders that the ledger has as accepted and the venue denies: reported once, halted, nothing released."""

from decimal import Decimal
from typing import Any

from floor_parties import Reconciler
from trading_floor import Floor

from ledger_worlds import PORTFOLIO
from trimtab.domain.orders import ChildOrder, ParentOrder, Side
from trimtab.messages import Break
from trimtab.ports.venue import Absent


def _told(floor: Floor) -> list[tuple[str, str, Decimal]]:
    """Return what others are told of unknown orders: portfolio, resolution, difference."""
    found = [m for m in floor.world.emitted() if isinstance(m, Break) and m.kind == "unknown_order"]
    return [(each.portfolio_id, each.resolution, each.difference) for each in found]


def _open(floor: Floor) -> list[str]:
    rows = floor.world.ask("SELECT detail FROM ledger.break WHERE kind = 'unknown_order' AND resolution = ''")
    return [str(row["detail"]) for row in rows]


def _change(floor: Floor, change: str) -> None:
    """Change our orders in a way that no role may."""
    floor.world.ask(
        "ALTER TABLE ledger.child_order DISABLE TRIGGER child_takes_legal_step;"
        f"UPDATE ledger.child_order SET {change};"
        "ALTER TABLE ledger.child_order ENABLE TRIGGER child_takes_legal_step;"
    )


async def _resting(floor: Floor, *, orders: int = 1) -> list[str]:
    """Leave orders for 0.01 at the venue, older than any request on its way, and nobody who looks after them."""
    executor = await floor.executor(patient=True)
    trades = [await floor.trade(Side.BUY, "0.01") for _ in range(orders)]
    await floor.accepted(executor, *trades)
    await floor.until(lambda: [c["state"] for c in floor.children()] == ["accepted"] * orders, "accepted")
    await executor.crash()
    _change(floor, "request_time_ms = request_time_ms - 60000")
    return [str(child["client_order_id"]) for child in floor.children()]


def _denying(floor: Floor, *orders: str, **settings: Any) -> tuple[Reconciler, set[str]]:
    """Return a reconciler whose venue denies these orders, and the set of them to change."""
    reconciler, denied = floor.reconciler(**settings), set(orders)
    find = reconciler.venue.find

    async def answer(parent: ParentOrder, child: ChildOrder) -> Any:
        return Absent() if child.client_order_id in denied else await find(parent, child)

    reconciler.venue.find = answer  # type: ignore[method-assign]  # a venue that has lost an order
    return reconciler, denied


async def _compare(reconciler: Reconciler, times: int) -> None:
    for _ in range(times):
        await reconciler.comparing.compare()


async def test_an_order_is_denied_three_times_before_anybody_believes_it(floor: Floor) -> None:
    await _resting(floor)
    _change(floor, "client_order_id = 'tt-denied', request_time_ms = request_time_ms + 60000")
    reconciler, reserved = floor.reconciler(missed_fill_after_ms=0), floor.reserved()
    await _compare(reconciler, 4)  # the exchange itself denies it
    assert _told(floor) == []  # young: its request could still arrive
    _change(floor, "request_time_ms = request_time_ms - 60000")
    await _compare(reconciler, 2)
    assert (_told(floor), floor.halt_reason()) == ([], "")
    await _compare(reconciler, 3)
    assert _told(floor) == [(PORTFOLIO, "", Decimal("-0.01"))]
    assert floor.halt_reason() == f"{floor.account} does not know order tt-denied"
    assert floor.children()[0]["state"] == "accepted"
    assert floor.reserved() == reserved > 0
    await reconciler.settling.sweep_once()
    assert reconciler.meter.registry.get_sample_value("open_breaks", {"kind": "unknown_order"}) == 1


async def test_it_is_told_once_and_over_when_the_venue_knows_the_order_again(floor: Floor) -> None:
    (order,) = await _resting(floor)
    reconciler, denied = _denying(floor, order)
    await _compare(reconciler, 3)
    async with floor.world.cli.transaction() as book:
        await book.resume(PORTFOLIO)
    await _compare(reconciler, 2)
    await _compare(_denying(floor, order)[0], 4)  # one that has just started
    assert (len(_told(floor)), floor.halt_reason()) == (1, "")
    denied.clear()
    await floor.fault("error_before", endpoint="GET /api/v3/order")
    await _compare(reconciler, 1)
    assert _open(floor) == [f"order {order}"]  # no answer says nothing
    await _compare(reconciler, 1)
    assert [resolution for _, resolution, _ in _told(floor)] == ["", "seen"]
    await reconciler.settling.sweep_once()
    assert reconciler.meter.registry.get_sample_value("open_breaks", {"kind": "unknown_order"}) == 0
    denied.add(order)
    await _compare(reconciler, 2)
    assert _open(floor) == []  # it counts from the start
    await _compare(reconciler, 1)
    assert [resolution for _, resolution, _ in _told(floor)] == ["", "seen", ""]


async def test_denials_count_in_a_row_only(floor: Floor) -> None:
    (order,) = await _resting(floor)
    reconciler, denied = _denying(floor, order)
    for _ in range(3):
        denied.add(order)
        await _compare(reconciler, 2)
        denied.clear()
        await _compare(reconciler, 1)
    assert (_told(floor), floor.halt_reason()) == ([], "")


async def test_an_order_that_is_over_is_denied_no_more_and_the_next_has_its_turn(floor: Floor) -> None:
    orders = await _resting(floor, orders=2)
    reconciler, _ = _denying(floor, *orders)
    await _compare(reconciler, 4)
    (told,) = _open(floor)
    (over,) = [order for order in orders if told == f"order {order}"]
    floor.world.ask("UPDATE ledger.child_order SET state = 'canceled' WHERE client_order_id = %s", over)
    await _compare(reconciler, 2)
    assert [resolution for _, resolution, _ in _told(floor)] == ["", "seen", ""]
    assert _open(floor) == [f"order {order}" for order in orders if order != over]


async def test_a_denied_order_holds_up_the_comparison_only_until_it_is_told(floor: Floor) -> None:
    (order,) = await _resting(floor)
    reconciler, _ = _denying(floor, order, busy_confirm_seconds=0.001)
    await floor.control("deposit", account=floor.account, asset="USDT", amount="5")

    def booked() -> int:
        return sum(isinstance(m, Break) and m.kind == "external_transfer" for m in floor.world.emitted())

    await _compare(reconciler, 2)
    assert (booked(), _told(floor)) == (0, [])
    await _compare(reconciler, 2)
    assert (booked(), len(_told(floor))) == (1, 1)
