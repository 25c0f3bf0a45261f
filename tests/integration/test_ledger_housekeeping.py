"""The ledger over months: partitions made ahead, sent messages forgotten, a month read from one index."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
import structlog
from alembic import command
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from endings import ends_when_cancelled_at
from ledger_fixtures import named
from ledger_worlds import ACCOUNT, NOW_US, PORTFOLIO, LedgerWorld
from trimtab.adapters.metrics import PrometheusMeter
from trimtab.adapters.postgres.deploy import _config, migrate
from trimtab.adapters.postgres.housekeeping import Housekeeping
from trimtab.adapters.postgres.relay import Relay
from trimtab.adapters.postgres.reports import Reports

TOPICS = ("portfolio.state", "execution.orders")
OLD_DAYS = 30


class Hours:
    """A clock whose sleeps end when a test says so."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self._turns = asyncio.Semaphore(0)
        self._asleep = asyncio.Event()

    def now_us(self) -> int:
        return 0

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._asleep.set()
        await self._turns.acquire()

    async def next_sleep(self) -> None:
        async with asyncio.timeout(20):
            await self._asleep.wait()
        self._asleep.clear()

    def pass_on(self) -> None:
        self._turns.release()


def keeper(
    world: LedgerWorld, clock: Hours, role: str = "reconciler"
) -> tuple[Housekeeping, structlog.testing.LogCapture]:
    said = structlog.testing.LogCapture()
    log: Any = structlog.wrap_logger(None, processors=[said])
    return Housekeeping(world.sessions[role], clock, PrometheusMeter(), log), said


def month(ahead: int = 0) -> datetime:
    now = datetime.now(UTC)
    index = now.year * 12 + now.month - 1 + ahead
    return datetime(index // 12, index % 12 + 1, 1, tzinfo=UTC)


def partition(moment: datetime) -> str:
    return f"posting_{moment:%Y_%m}"


def partitions(world: LedgerWorld) -> set[str]:
    rows = world.ask(
        "SELECT relname FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid"
        " WHERE inhparent = 'ledger.posting'::regclass AND relname <> 'posting_default'"
    )
    return {str(row["relname"]) for row in rows}


def book_at(world: LedgerWorld, *moments: datetime) -> None:
    """Book a deposit at other times than now, which only the database's owner can, past every rule."""
    with psycopg.connect(world.dsn) as session:
        session.execute("SET session_replication_role = replica")
        for number, moment in enumerate(moments):
            entry = (
                "INSERT INTO ledger.entry (entry_id, kind, holder, event_time_us, recorded_at)"
                " VALUES (%s, 'deposit', %s, 1, %s)"
            )
            session.execute(entry, (f"at-{number}", PORTFOLIO, moment))
            for line, (holder, amount) in enumerate(((PORTFOLIO, 1), ("~external", -1))):
                posting = (
                    "INSERT INTO ledger.posting (entry_id, line, holder, account, asset, amount, recorded_at, kind,"
                    " event_time_us) VALUES (%s, %s, %s, %s, 'BTC', %s, %s, 'deposit', 1)"
                )
                session.execute(posting, (f"at-{number}", line, holder, ACCOUNT, amount, moment))


async def test_a_month_that_is_missing_is_made_by_a_later_turn_too(funded: LedgerWorld) -> None:
    clock = Hours()
    housekeeping, said = keeper(funded, clock)
    running = asyncio.create_task(housekeeping.run())
    await clock.next_sleep()
    wanted = {partition(month(ahead)) for ahead in range(13)}
    assert partitions(funded) >= wanted
    funded.ask(f"DROP TABLE ledger.{partition(month(12))}")  # as if a month had passed
    clock.pass_on()
    await clock.next_sleep()
    assert partitions(funded) >= wanted
    assert clock.slept == [3_600, 3_600]
    assert [line["partitions_made"] for line in said.entries] == [10, 1]  # the migration makes three
    running.cancel()
    await asyncio.wait([running])


async def test_a_month_ends_with_its_last_microsecond(funded: LedgerWorld) -> None:
    housekeeping, _ = keeper(funded, Hours())
    await housekeeping.make_partitions()
    boundary = month(1)
    moments = [boundary - timedelta(microseconds=1), boundary, month(2) - timedelta(microseconds=1), month(2)]
    book_at(funded, *moments)
    found = funded.ask(
        "SELECT entry_id, tableoid::regclass::text AS place FROM ledger.posting WHERE entry_id LIKE 'at-%' AND line = 0"
        " ORDER BY entry_id"
    )
    assert [row["place"] for row in found] == [f"ledger.{partition(month(ahead))}" for ahead in (0, 1, 1, 2)]
    reports = Reports(funded.sessions["cli"])
    lines = await reports.journal(PORTFOLIO, boundary, month(2))
    assert [(line.entry_id, line.recorded_at) for line in lines] == [("at-1", moments[1]), ("at-2", moments[2])]
    assert [line.entry_id for line in await reports.journal(PORTFOLIO, month(), boundary)][-1] == "at-0"
    assert funded.ask("SELECT count(*) AS n FROM ledger.posting_default") == [{"n": 0}]


async def test_what_happens_now_lies_in_its_month_and_says_what_its_entry_says(funded: LedgerWorld) -> None:
    rows = funded.ask("SELECT DISTINCT tableoid::regclass::text AS place FROM ledger.posting")
    assert rows == [{"place": f"ledger.{partition(month())}"}]
    lines = await Reports(funded.sessions["cli"]).journal(PORTFOLIO, month(), month(1))
    assert [(line.kind, line.asset, line.amount, line.event_time_us) for line in lines] == [
        ("deposit", "USDT", Decimal(1_000), NOW_US),
        ("deposit", "BTC", Decimal(5), NOW_US),
    ]


async def test_a_month_is_read_from_one_index_in_its_order(funded: LedgerWorld) -> None:
    book_at(funded, *(month() + timedelta(seconds=number) for number in range(3_000)))
    funded.ask("VACUUM ANALYZE ledger.posting")
    query = (
        "SELECT recorded_at, kind, entry_id, account, asset, amount, event_time_us FROM ledger.posting"
        " WHERE holder = %s AND recorded_at >= %s AND recorded_at < %s ORDER BY recorded_at, entry_id, line"
    )
    plan = [str(row["QUERY PLAN"]) for row in funded.ask(f"EXPLAIN (ANALYZE) {query}", PORTFOLIO, month(), month(1))]
    assert plan[0].startswith(f"Index Only Scan using {partition(month())}"), plan
    assert any("Heap Fetches: 0" in line for line in plan), plan


@pytest.fixture
def upgraded(postgres_admin: str) -> Iterator[str]:
    """A database that was at the migration before, with a deposit booked, and was then brought to the newest."""
    name = "ledger_upgraded"
    with psycopg.connect(postgres_admin, autocommit=True) as owner:
        owner.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        owner.execute(f"CREATE DATABASE {name}")
    dsn = named(postgres_admin, name)
    config = _config()
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsn), poolclass=NullPool)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0007")
    with psycopg.connect(dsn) as session:
        session.execute("INSERT INTO ledger.venue_account (account, venue) VALUES ('main', 'binance')")
        session.execute(
            "INSERT INTO ledger.entry (entry_id, kind, holder, event_time_us)"
            " VALUES ('e', 'deposit', '~unallocated', 7)"
        )
        session.execute(
            "INSERT INTO ledger.posting (entry_id, line, holder, account, asset, amount)"
            " VALUES ('e', 1, '~unallocated', 'main', 'BTC', 2), ('e', 2, '~external', 'main', 'BTC', -2)"
        )
    migrate(dsn)
    yield dsn
    engine.dispose()
    with psycopg.connect(postgres_admin, autocommit=True) as owner:
        owner.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_postings_from_before_are_told_what_their_entries_say_and_stay_final(upgraded: str) -> None:
    with psycopg.connect(upgraded, autocommit=True) as session:
        found = session.execute("SELECT line, kind, event_time_us FROM ledger.posting ORDER BY line").fetchall()
        assert found == [(1, "deposit", 7), (2, "deposit", 7)]
        with pytest.raises(psycopg.DatabaseError, match="is never changed"):
            session.execute("UPDATE ledger.posting SET kind = 'fee'")


def fill_outbox(world: LedgerWorld, count: int, days_ago: int, topic: str, sent_to: int | None = 0) -> None:
    """Write messages as of some days ago, sent to a partition behind what is there, or not sent at all."""
    (before,) = world.ask("SELECT coalesce(max(sent_offset), -1) AS n FROM ledger.outbox WHERE topic = %s", topic)
    world.ask(
        "INSERT INTO ledger.outbox (writer, topic, key, event_id, payload, header_names, header_values, created_at,"
        " sent_at, sent_partition, sent_offset)"
        " SELECT 'w', %s, 'k', gen_random_uuid()::text, '', '{}', '{}', moment, CASE WHEN sent_to >= 0 THEN moment END,"
        " nullif(sent_to, -1), CASE WHEN sent_to >= 0 THEN %s + number END"
        " FROM generate_series(1, %s) number, (SELECT now() - make_interval(days => %s) AS moment, %s AS sent_to) one",
        topic,
        before["n"],
        count,
        days_ago,
        -1 if sent_to is None else sent_to,
    )


def left(world: LedgerWorld) -> dict[tuple[str, int | None, str], int]:
    """Count the outbox's rows by topic, partition and age."""
    rows = world.ask(
        "SELECT topic, sent_partition, CASE WHEN sent_at IS NULL THEN 'unsent' WHEN sent_at < now() - interval '7 days'"
        " THEN 'old' ELSE 'fresh' END AS age, count(*) AS n FROM ledger.outbox GROUP BY 1, 2, 3"
    )
    return {(r["topic"], r["sent_partition"], r["age"]): r["n"] for r in rows}  # type: ignore[misc]  # text and numbers


async def test_old_messages_are_forgotten_and_each_partitions_place_is_kept(ledger_world: LedgerWorld) -> None:
    for topic in TOPICS:
        fill_outbox(ledger_world, 7, OLD_DAYS, topic)
        fill_outbox(ledger_world, 5, 9, topic, 1)
        fill_outbox(ledger_world, 3, 6, topic, 1)
        fill_outbox(ledger_world, 4, OLD_DAYS, topic, None)
    newest = ledger_world.ask(
        "SELECT topic, sent_partition AS partition, max(sent_offset) AS last FROM ledger.outbox"
        " WHERE sent_at < now() - interval '7 days' GROUP BY 1, 2 ORDER BY 1, 2"
    )
    clock = Hours()
    housekeeping, said = keeper(ledger_world, clock)
    running = asyncio.create_task(housekeeping.run())
    await clock.next_sleep()
    assert [line["messages_forgotten"] for line in said.entries] == [2 * (6 + 4)]
    for topic in TOPICS:
        assert {place: n for place, n in left(ledger_world).items() if place[0] == topic} == {
            (topic, 0, "old"): 1,
            (topic, 1, "old"): 1,
            (topic, 1, "fresh"): 3,
            (topic, None, "unsent"): 4,
        }
    kept = ledger_world.ask(
        "SELECT topic, sent_partition AS partition, max(sent_offset) AS last FROM ledger.outbox"
        " WHERE sent_at < now() - interval '7 days' GROUP BY 1, 2 ORDER BY 1, 2"
    )
    assert kept == newest
    fill_outbox(ledger_world, 2, 20, TOPICS[0], 2)
    clock.pass_on()
    await clock.next_sleep()
    assert said.entries[-1]["messages_forgotten"] == 1
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()


async def test_a_topic_is_read_back_from_where_the_forgotten_ended(ledger_world: LedgerWorld) -> None:
    fill_outbox(ledger_world, 9, OLD_DAYS, TOPICS[0])
    fill_outbox(ledger_world, 4, OLD_DAYS - 1, TOPICS[0], 1)
    ends = {0: 8, 1: 12}  # the offsets of the last ones
    fill_outbox(ledger_world, 1, 1, TOPICS[0], None)  # left by a crash
    housekeeping, _ = keeper(ledger_world, Hours())
    assert await housekeeping.forget_messages() == 8 + 3
    reads: list[dict[int, int]] = []

    async def send(*_: object) -> tuple[int, int]:
        return 0, 99

    async def find(_: str, after: Any) -> dict[str, tuple[int, int]]:
        reads.append(dict(after))
        return {}

    assert await Relay(ledger_world.sessions["executor"], "executor-1", send, find).drain() == 1
    assert reads == [ends]


async def test_many_messages_are_forgotten_in_small_steps(ledger_world: LedgerWorld) -> None:
    fill_outbox(ledger_world, 100, OLD_DAYS, TOPICS[0])
    steps = []
    sessions = ledger_world.sessions["reconciler"]
    rows = sessions.rows

    async def counted(name: str, values: Any = None) -> Any:
        found = await rows(name, values)
        steps.append(found[0]["gone"])
        return found

    sessions.rows = counted  # type: ignore[method-assign]  # to look at the steps
    housekeeping, _ = keeper(ledger_world, Hours())
    assert await housekeeping.forget_messages(rows_max=40) == 99
    assert steps == [40, 40, 19]


async def test_a_turn_that_fails_is_said_and_tried_again_within_a_minute(funded: LedgerWorld) -> None:
    clock = Hours()
    housekeeping, said = keeper(funded, clock, "executor")  # which may not
    running = asyncio.create_task(housekeeping.run())
    await clock.next_sleep()
    clock.pass_on()
    await clock.next_sleep()
    assert clock.slept == [60, 60]
    assert [line["event"] for line in said.entries] == ["housekeeping interrupted"] * 2
    assert "permission denied for function make_partitions" in said.entries[0]["reason"]
    running.cancel()
    await asyncio.wait([running])


async def test_it_ends_wherever_it_is_cancelled(funded: LedgerWorld) -> None:
    class Quick(Hours):
        async def sleep(self, seconds: float) -> None:
            await asyncio.sleep(0.001)

    for wait in range(1, 25):
        assert await ends_when_cancelled_at(wait, keeper(funded, Quick())[0].run())
