"""A database that is not there, goes away, comes back, is not migrated, or is held up by a process that stopped."""

import asyncio

import psycopg
import pytest

from ledger_fixtures import free_port, named, own_server
from ledger_worlds import NOW_US, PORTFOLIO, LedgerWorld, Tape, parent_of
from trimtab.adapters.postgres.connections import pool_of
from trimtab.adapters.postgres.deploy import migrate, migration_state, newest, require_newest
from trimtab.adapters.postgres.failures import address_of
from trimtab.adapters.postgres.ledger import PostgresLedger
from trimtab.adapters.postgres.outbox import Desk
from trimtab.adapters.postgres.queries import parse
from trimtab.adapters.postgres.sessions import Sessions
from trimtab.domain.errors import InvalidValueError, LedgerConflictError, LedgerRefusedError, UnreachableError
from trimtab.ports.ledger import LedgerBook


async def test_an_unreachable_database_is_said_in_one_line_without_its_password() -> None:
    dsn = f"postgresql://someone:hidden@127.0.0.1:{free_port()}/ledger"
    with pytest.raises(UnreachableError, match=r"PostgreSQL at 127\.0\.0\.1:\d+/ledger does not answer") as caught:
        migration_state(dsn)
    assert "hidden" not in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(LedgerRefusedError, match="is not a data source name"):
        migration_state("postgresql://[")


async def test_a_session_that_lost_its_statements_is_a_conflict_once_and_given_up() -> None:
    with own_server() as server:
        migrate(server.dsn)
        async with pool_of(server.dsn, 1) as pool:
            ledger = PostgresLedger(Sessions(pool, address_of(server.dsn)), Desk("w", Tape()))

            async def write() -> None:
                async with ledger.transaction() as book:
                    await book.add_account("main", "binance")

            for _ in range(3):  # now also BEGIN is prepared
                await write()
            async with pool.connection() as session:
                session.pgconn.exec_(b"DEALLOCATE ALL")  # behind the client's back
            with pytest.raises(LedgerConflictError, match="does not exist"):
                await write()
            await write()


async def test_a_killed_database_is_told_and_found_again() -> None:
    with own_server() as server:
        migrate(server.dsn)
        async with pool_of(server.dsn, 3) as pool:
            ledger = PostgresLedger(Sessions(pool, address_of(server.dsn)), Desk("w", Tape()))
            await asyncio.gather(*(ledger.sums("main") for _ in range(3)))

            async def cut_off() -> None:
                async with ledger.transaction() as book:
                    await book.add_account("main", "binance")
                    server.kill()
                    await book.portfolio(PORTFOLIO)

            with pytest.raises(UnreachableError):
                await cut_off()
            with pytest.raises(UnreachableError):
                await ledger.sums("main")
            server.start()
            for _ in range(100):
                try:
                    assert await ledger.sums("main") == {}
                except UnreachableError:
                    await asyncio.sleep(0.1)
                else:
                    break
            fence = await ledger.own("signals/1", "a")
            async with ledger.transaction() as book:
                await book.fence(fence)
                assert await book.portfolio(PORTFOLIO) is None  # what was cut off left nothing
        with psycopg.connect(server.dsn) as session:
            assert session.execute("SELECT count(*) FROM ledger.venue_account").fetchone() == (0,)


async def test_a_process_that_stops_in_a_transaction_does_not_hold_the_portfolio(funded: LedgerWorld) -> None:
    async def stop() -> None:
        async with funded.executor.transaction() as book:
            await book.portfolio(PORTFOLIO)
            await asyncio.sleep(7)  # longer than the idle limit of 5 s
            await book.bump(PORTFOLIO, "stopped", NOW_US)

    stopped = asyncio.create_task(stop())
    await asyncio.sleep(0.2)
    async with funded.reconciler.transaction() as book:
        assert await book.portfolio(PORTFOLIO) is not None
        assert await book.bump(PORTFOLIO, "went on", NOW_US) == 2
    with pytest.raises(UnreachableError):
        await stopped
    assert [state.reason for state in funded.states()] == ["applied", "went on"]


async def test_a_deadlock_is_a_conflict_and_run_tries_again(funded: LedgerWorld) -> None:
    await funded.add_portfolio("other")
    both = asyncio.Barrier(2)
    tries = []

    async def crossed(first: str, second: str, *, wait: bool) -> None:
        async def body(book: LedgerBook) -> None:
            tries.append(first)
            await book.portfolio(first)
            if len(tries) <= 2:
                await both.wait()
            await book.portfolio(second)
            await book.bump(second, "crossed", NOW_US)

        await funded.executor.run(body, tries_max=3 if wait else 1)

    await asyncio.gather(crossed(PORTFOLIO, "other", wait=True), crossed("other", PORTFOLIO, wait=True))
    # Once, or twice: who tries again may be at the first row before the other has woken up.
    assert len(tries) > 2
    assert [state.reason for state in funded.states()].count("crossed") == 2
    tries.clear()
    with pytest.raises(LedgerConflictError):
        await asyncio.gather(crossed(PORTFOLIO, "other", wait=False), crossed("other", PORTFOLIO, wait=False))


async def test_a_cancelled_transaction_leaves_nothing_and_the_session_usable(funded: LedgerWorld) -> None:
    async def hang() -> None:
        async with funded.executor.transaction() as book:
            await book.add_parent(parent_of(), dry_run=False)
            await book.portfolio(PORTFOLIO)
            await asyncio.sleep(60)

    for _ in range(6):  # more often than there are sessions
        task = asyncio.create_task(hang())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await funded.executor.work_of(PORTFOLIO) == []


def test_a_service_refuses_a_database_that_is_not_migrated(postgres_admin: str) -> None:
    with psycopg.connect(postgres_admin, autocommit=True) as owner:
        owner.execute("DROP DATABASE IF EXISTS bare_ledger")
        owner.execute("CREATE DATABASE bare_ledger")
    dsn = named(postgres_admin, "bare_ledger")
    try:
        with pytest.raises(LedgerRefusedError, match="has no ledger yet, this trimtab needs"):
            require_newest(dsn)
        with pytest.raises(InvalidValueError, match="trimtab_executor"):
            migrate(dsn, {"postgres": "x"})
        migrate(dsn)
        migrate(dsn)  # nothing is left to do
        require_newest(dsn)
        assert migration_state(dsn).applied == newest()
        with psycopg.connect(dsn, autocommit=True) as owner:
            owner.execute("UPDATE alembic_version SET version_num = '0001'")
        with pytest.raises(LedgerRefusedError, match="is at migration 0001"):
            require_newest(dsn)
    finally:
        with psycopg.connect(postgres_admin, autocommit=True) as owner:
            owner.execute("DROP DATABASE bare_ledger")


def test_passwords_are_kept_hashed(postgres_admin: str) -> None:
    with own_server() as server:
        migrate(server.dsn, {"trimtab_executor": "first"})
        with psycopg.connect(server.dsn) as session:
            rows = dict(
                session.execute("SELECT rolname, rolpassword FROM pg_authid WHERE rolname LIKE 'trimtab%'").fetchall()
            )
    assert rows["trimtab_executor"].startswith("SCRAM-SHA-256$")
    assert rows["trimtab_cli"] is None


def test_a_name_that_stands_twice_is_an_error() -> None:
    with pytest.raises(ValueError, match="a stands twice"):
        parse("-- name: a\nSELECT 1\n-- name: a\nSELECT 2\n")
