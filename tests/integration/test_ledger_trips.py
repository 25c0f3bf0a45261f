"""How often accepting a signal waits for the database: what it needs to know, what it has changed, the commit."""

from collections.abc import Generator
from typing import Any

import pytest
from psycopg import AsyncPipeline

from ledger_worlds import ACCOUNT, NOW_US, PORTFOLIO, LedgerWorld, child_of, parent_of, signal_of, spending
from trimtab.domain.orders import Side
from trimtab.ledger.events import order_event
from trimtab.ports.ledger import Fence


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one whenever answers that are not there yet are waited for: by how many."""
    waits: list[int] = []
    fetch = AsyncPipeline._fetch_gen

    def counted(self: AsyncPipeline, *, flush: bool) -> Generator[Any, Any, None]:
        if self.result_queue:
            waits.append(len(self.result_queue))
        yield from fetch(self, flush=flush)

    monkeypatch.setattr(AsyncPipeline, "_fetch_gen", counted)
    return waits


async def accept(world: LedgerWorld, fence: Fence, orders: int) -> None:
    """Accept a signal as the executor does, with so many orders that go out at once."""
    async with world.executor.transaction() as book:
        await book.fence(fence)
        row = await book.portfolio(PORTFOLIO)
        assert row is not None
        for number in range(orders):
            parent = parent_of(f"{orders}-{number}", Side.BUY, "0.01", signal_id=f"s{orders}")
            await book.available(PORTFOLIO, ACCOUNT, "USDT")
            await book.add_parent(parent, dry_run=False)
            await book.reserve(parent, *spending(parent))
            await book.add_child(child_of(parent))
            await book.emit(order_event(parent, child_of(parent), "", NOW_US, dry_run=False))
        await book.record_signal(signal_of(PORTFOLIO, row.ledger_version, f"s{orders}"), "accepted", "drift")
        await book.bump(PORTFOLIO, "signal", NOW_US)


async def test_a_signal_takes_three_trips_at_most_however_many_orders_it_has(
    funded: LedgerWorld, trips: list[int]
) -> None:
    fence = await funded.executor.own("signals/3", "executor")
    for orders in (1, 9):
        trips.clear()
        await accept(funded, fence, orders)
        assert 1 <= len(trips) <= 3  # answers may have come before anybody waits for them
    messages = funded.ask("SELECT count(*) AS n FROM ledger.outbox WHERE topic = 'execution.orders'")
    assert messages == [{"n": 10}]
