"""How long accepting a signal takes, against a bare one-row commit on the same database.

    python tests/bench/ledger_accept.py postgresql://owner@host:port/postgres [rounds]

A database is made and dropped. One accept is: fence, lock, signal, two parents, two reservations, two children, the new
state, three messages, commit. Prints milliseconds as JSON.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import psycopg

sys.path.insert(0, str(Path(__file__).parents[1]))

from ledger_fixtures import named
from ledger_worlds import ACCOUNT, NOW_US, PORTFOLIO, LedgerWorld, Tape, child_of, parent_of, signal_of, spending
from trimtab.adapters.postgres.connections import pool_of
from trimtab.adapters.postgres.deploy import migrate
from trimtab.adapters.postgres.ledger import PostgresLedger
from trimtab.adapters.postgres.outbox import Desk
from trimtab.adapters.postgres.sessions import Sessions
from trimtab.domain.orders import Side
from trimtab.ledger.events import order_event
from trimtab.ports.ledger import Fence

DATABASE = "ledger_bench"
WARM_ROUNDS = 50


async def accept(ledger: PostgresLedger, fence: Fence, number: int) -> None:
    """Accept one signal with a sell and a buy, and submit a first child of each."""
    sell = parent_of(f"sell-{number}", Side.SELL, "0.0001", signal_id=f"s{number}")
    buy = parent_of(f"buy-{number}", Side.BUY, "0.0001", signal_id=f"s{number}")
    async with ledger.transaction() as book:
        await book.fence(fence)
        row = await book.portfolio(PORTFOLIO)
        assert row is not None
        for parent in (sell, buy):
            await book.available(PORTFOLIO, ACCOUNT, spending(parent)[0])
            await book.add_parent(parent, dry_run=False)
            await book.reserve(parent, *spending(parent))
            await book.add_child(child_of(parent))
            await book.emit(order_event(parent, child_of(parent), "", NOW_US, dry_run=False))
        await book.record_signal(signal_of(PORTFOLIO, row.ledger_version, f"s{number}"), "accepted", "drift")
        await book.bump(PORTFOLIO, "signal", NOW_US)


async def tidy(world: LedgerWorld) -> None:
    """Close what a round opened, so that every round finds the same number of open orders."""
    world.ask(
        "UPDATE ledger.child_order SET state = 'rejected' WHERE state = 'submitted';"
        "UPDATE ledger.parent_order SET state = 'closed' WHERE state = 'working';"
        "UPDATE ledger.reservation SET remaining = 0, state = 'voided' WHERE state = 'pending';"
        "UPDATE ledger.parent_order SET state = 'released' WHERE state = 'closed'"
    )


async def measured(
    rounds: int, work: Callable[[int], Awaitable[None]], after: Callable[[], Awaitable[None]]
) -> dict[str, float]:
    times = []
    for number in range(rounds + WARM_ROUNDS):
        begun = time.perf_counter()
        await work(number)
        if number >= WARM_ROUNDS:
            times.append((time.perf_counter() - begun) * 1_000)
        await after()
    cuts = statistics.quantiles(times, n=100)
    return {"p50": round(cuts[49], 3), "p99": round(cuts[98], 3)}


async def bench(admin: str, rounds: int) -> dict[str, object]:
    dsn = named(admin, DATABASE)
    async with pool_of(named(dsn, DATABASE, "trimtab_executor")) as pool, pool_of(dsn) as owner:
        tape = Tape()
        ledgers = {
            "executor": PostgresLedger(Sessions(pool, "bench"), Desk("e", tape)),
            "reconciler": PostgresLedger(Sessions(owner, "bench"), Desk("r", tape)),
            "cli": PostgresLedger(Sessions(owner, "bench"), Desk("c", tape)),
        }
        world = LedgerWorld(dsn, tape, {}, **ledgers)
        await world.add_portfolio()
        await world.deposit("USDT", "1000", PORTFOLIO)
        await world.deposit("BTC", "5", PORTFOLIO)
        fence = await world.executor.own("signals/3", "bench")

        async def bare(number: int) -> None:
            async with owner.connection() as session:
                await session.execute("INSERT INTO bare VALUES (%s)", (number,))

        async def nothing() -> None:
            """A bare commit leaves nothing to tidy."""

        one_row = await measured(rounds, bare, nothing)
        accepting = await measured(rounds, lambda number: accept(world.executor, fence, number), lambda: tidy(world))
    return {"accept_ms": accepting, "one_row_commit_ms": one_row, "rounds": rounds}


def main() -> None:
    admin, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 500
    with psycopg.connect(admin, autocommit=True) as session:
        session.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        session.execute(f"CREATE DATABASE {DATABASE}")
        migrate(named(admin, DATABASE))
        with psycopg.connect(named(admin, DATABASE)) as owner:
            owner.execute("CREATE TABLE bare (number int)")
        sys.stdout.write(json.dumps(asyncio.run(bench(admin, rounds))) + "\n")
        session.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


if __name__ == "__main__":
    main()
