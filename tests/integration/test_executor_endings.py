"""A cancellation ends every loop over the ledger, wherever it strikes: also when a session comes at the same moment."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog
from psycopg.conninfo import conninfo_to_dict

from endings import ends_when_cancelled_at
from ledger_fixtures import named
from ledger_worlds import ACCOUNT, NOW_US, PORTFOLIO, VENUE, LedgerWorld, child_of, parent_of
from trimtab.adapters.clock import SystemClock
from trimtab.adapters.postgres.connections import pool_of
from trimtab.adapters.postgres.ledger import PostgresLedger
from trimtab.adapters.postgres.outbox import Desk as OutboxDesk
from trimtab.adapters.postgres.relay import Relay
from trimtab.adapters.postgres.sessions import Sessions
from trimtab.adapters.tracing import BaggageTrail
from trimtab.domain.market import Market
from trimtab.executor.accounts import AccountWatch
from trimtab.executor.desk import Desk
from trimtab.executor.ownership import Ownership
from trimtab.executor.sending import Sender
from trimtab.executor.work import Work
from trimtab.ports.metrics import Unmetered
from trimtab.ports.venue import Absent, Reconnected
from trimtab.settings import ExecutorSettings

WAITS = 40
SHARD = 3
Loop = Coroutine[Any, Any, None]


class StillVenue:
    """A venue that knows nothing of our orders; its stream brings one interruption after another."""

    name, account, absence_window_ms = VENUE, ACCOUNT, 1

    async def find(self, *_: object) -> Absent:
        await asyncio.sleep(0)
        return Absent()

    async def reports(self) -> AsyncGenerator[Reconnected, None]:
        while True:
            yield Reconnected(self.account)
            await asyncio.sleep(0.001)


@asynccontextmanager
async def contended(world: LedgerWorld, role: str) -> AsyncIterator[Sessions]:
    """One session for everybody, and a rival who borrows it all the time: nearly every turn has to wait for it."""
    database = str(conninfo_to_dict(world.dsn)["dbname"])
    async with pool_of(named(world.dsn, database, f"trimtab_{role}"), 1) as pool:
        ended = asyncio.Event()  # not a cancellation, which they may lose

        async def borrow() -> None:
            while not ended.is_set():
                async with pool.connection():
                    await asyncio.sleep(0.001)
                await asyncio.sleep(0)

        rivals = [asyncio.create_task(borrow()) for _ in range(2)]
        yield Sessions(pool, "contended")
        ended.set()
        await asyncio.gather(*rivals)


def relay(sessions: Sessions) -> Loop:
    async def send(*_: object) -> tuple[int, int]:
        await asyncio.sleep(0)
        return 0, 1

    async def find(*_: object) -> dict[str, tuple[int, int]]:
        return {}

    return Relay(sessions, "executor-1", send, find, stale_seconds=0.0, sweep_seconds=0.002).run()


def _desk(sessions: Sessions) -> tuple[Desk, Sender, Work]:
    ledger = PostgresLedger(sessions, OutboxDesk("executor-1", None))  # type: ignore[arg-type]  # nothing is written
    log: Any = structlog.wrap_logger(None, processors=[structlog.testing.LogCapture()])
    settings = ExecutorSettings(lookup_interval_seconds=0.001, lookup_after_ms=1, lease_seconds=0.006)
    venues: Any = {ACCOUNT: StillVenue()}
    ownership, clock, trail = Ownership(ledger, "executor-1"), SystemClock(), BaggageTrail()
    desk = Desk(ledger, venues, ownership, Market, clock, Unmetered(), trail, log, settings)
    sender = Sender(desk)
    return desk, sender, Work(desk, sender)


def watch_of(sessions: Sessions) -> AccountWatch:
    desk, sender, work = _desk(sessions)
    watch = AccountWatch(desk, sender, work, desk.venues[ACCOUNT], "executor-1")
    watch._leads = lambda: True  # type: ignore[method-assign]  # its loops are tried one by one
    return watch


async def work(sessions: Sessions) -> None:
    desk, _, orders = _desk(sessions)
    await desk.ownership.take([SHARD])
    await orders.follow()


LOOPS: dict[str, Callable[[Sessions], Loop]] = {
    "relay": relay,
    "work": work,
    "lease": lambda sessions: watch_of(sessions).hold_lease(),
    "stream": lambda sessions: watch_of(sessions).follow_stream(),
    "look-ups": lambda sessions: watch_of(sessions).look_up_lost(),
}


@pytest.mark.parametrize("name", LOOPS)
async def test_a_loop_ends_wherever_it_is_cancelled(
    funded: LedgerWorld, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("trimtab.executor.work._REFRESH_SECONDS", 0.001)
    parent = parent_of()
    await funded.accept(parent)
    await funded.submit(child_of(parent))
    async with contended(funded, "executor") as sessions:
        for wait in range(1, WAITS + 1):
            async with funded.executor.transaction() as book:
                await book.bump(PORTFOLIO, "to be published", NOW_US)
            assert await ends_when_cancelled_at(wait, LOOPS[name](sessions))


async def test_a_session_that_comes_with_the_cancellation_goes_back(funded: LedgerWorld) -> None:
    async with contended(funded, "executor") as sessions:

        async def ask() -> None:
            while True:
                await sessions.rows("accounts")

        for wait in range(1, WAITS + 1):
            assert await ends_when_cancelled_at(wait, ask())
        async with asyncio.timeout(5):
            assert await sessions.rows("accounts") == [{"account": ACCOUNT, "venue": VENUE}]
