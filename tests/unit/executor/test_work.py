"""A look at open orders: what it costs, and that it leaves the event loop to others."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import structlog
from executor_orders import BTC, NOW, child, parent, quote

from trimtab.domain.market import Market
from trimtab.domain.orders import Side
from trimtab.executor.desk import Desk
from trimtab.executor.work import Work
from trimtab.ports.ledger import WorkItem
from trimtab.ports.metrics import Unmetered
from trimtab.settings import ExecutorSettings


class Counted(list[WorkItem]):
    """Items that count how often somebody goes through them."""

    rounds = 0

    def __iter__(self) -> Iterator[WorkItem]:
        self.rounds += 1
        return super().__iter__()


@dataclass
class SlowClock:
    """Each time it is asked, so much time has passed."""

    step_us: int = 0
    wall_us: int = NOW

    def now_us(self) -> int:
        self.wall_us += self.step_us
        return self.wall_us

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here waits")


def resting(number: int) -> WorkItem:
    """A sell that rests where it should, on a book that gives no reason to move it."""
    order = parent(parent_id=f"p{number}", side=Side.SELL, limit_price=Decimal("59000.00"), volatility=Decimal(0))
    live = child(client_order_id=f"c{number}", parent_id=order.parent_id, price=Decimal("60000.25"))
    return WorkItem(order, live, 1, dry_run=False)


def market() -> Market:
    return Market(1, NOW, complete=True, instruments={BTC.key: BTC}, quotes={BTC.key: quote()})


def work(items: list[WorkItem], clock: SlowClock | None = None) -> Work:
    view: Any = SimpleNamespace(now=market())
    desk: Any = Desk(
        None,  # type: ignore[arg-type]  # a look asks memory alone: ledger, venues, ownership, trail
        {},
        None,  # type: ignore[arg-type]
        lambda: view.now,
        clock or SlowClock(),
        Unmetered(),
        None,  # type: ignore[arg-type]
        structlog.get_logger(),
        ExecutorSettings(),
    )
    found = Work(desk, None)  # type: ignore[arg-type]  # nothing is sent
    found._items = {"core": items}
    return found


async def test_a_look_at_many_orders_goes_through_them_a_fixed_number_of_times() -> None:
    few, many = Counted(map(resting, range(2))), Counted(map(resting, range(200)))
    for items in (few, many):
        work(items).on_frame()
    assert many.rounds == few.rounds > 0


async def test_a_look_that_takes_long_leaves_as_much_time_to_others() -> None:
    items, clock = Counted(map(resting, range(2))), SlowClock()
    look = work(items, clock)
    clock.step_us = 10_000
    look.on_frame()
    once = items.rounds
    clock.step_us = 0
    clock.wall_us += 20_000  # asked at both ends and for each order, it took 30 ms
    look.on_frame()
    assert items.rounds == once
    clock.wall_us += 10_000
    look.on_frame()
    assert items.rounds == 2 * once
    look.on_frame()
    assert items.rounds == 3 * once  # that one took no time
