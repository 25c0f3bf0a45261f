"""The audit's query: one portfolio's month out of a journal of 2.1 million postings, against a bare index scan."""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg_pool import AsyncConnectionPool

from trimtab.adapters.postgres.connections import Session, pool_of
from trimtab.adapters.postgres.deploy import migrate
from trimtab.adapters.postgres.failures import address_of
from trimtab.adapters.postgres.reports import Reports
from trimtab.adapters.postgres.sessions import Sessions
from trimtab.bench.database import database
from trimtab.bench.row import Row, percentile_rows
from trimtab.embedded.events import Event, OnEvent

GOAL_MS = 50.0
_ENTRY_POSTINGS = 6  # a fill's: base and quote change hands, a fee is paid
_WARM_READS = 20
_READS = 200
_WHAT = "a bare index scan that returns as many rows"
_SCAN = "SELECT recorded_at FROM ledger.posting WHERE holder = %s AND recorded_at >= %s AND recorded_at < %s"

# Past triggers and foreign keys, which would take minutes and say nothing of reading. Every fill is another
# portfolio's than the one before, as they come in life: a portfolio's month lies scattered over all of it.
_FILL = """
ALTER TABLE ledger.entry DISABLE TRIGGER USER;
ALTER TABLE ledger.posting DISABLE TRIGGER USER;
ALTER TABLE ledger.posting DROP CONSTRAINT posting_entry_id_fkey;
INSERT INTO ledger.entry (entry_id, kind, holder, event_time_us, recorded_at)
SELECT md5(number::text), 'fill', 'portfolio-' || number % {portfolios}, 0,
    '{start}'::timestamptz + ('{end}'::timestamptz - '{start}'::timestamptz) * number / ({entries} + 1.0)
FROM generate_series(1, {entries}) number;
INSERT INTO ledger.posting (entry_id, line, holder, account, asset, amount, recorded_at, kind, event_time_us)
SELECT entry_id, line, CASE WHEN line <= 3 THEN holder WHEN line <= 5 THEN '~venue' ELSE '~fees' END, 'main',
    CASE line % 3 WHEN 0 THEN 'BNB' WHEN 1 THEN 'BTC' ELSE 'USDT' END, 0.12345678 * line, recorded_at, kind,
    event_time_us
FROM ledger.entry, generate_series(1, {lines}) line ORDER BY recorded_at, line;
"""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a month is: fills of all portfolios together, each of six postings, and portfolios."""

    fills: int = 350_000
    portfolios: int = 200

    @property
    def postings(self) -> int:
        return self.fills * _ENTRY_POSTINGS


def measure(on_event: OnEvent, size: Size | None = None, reads: int = _READS) -> list[Row]:
    """Return the rows: reading a portfolio's month, at a database that has no other work.

    Raises:
        TrimtabError: if the database does not come up.

    """
    size = size or Size()
    with tempfile.TemporaryDirectory(prefix="trimtab-bench-") as folder, database(Path(folder), on_event) as dsn:
        migrate(dsn)
        on_event(Event.now("postgres", "starting", f"writing a journal of {size.postings:,} postings"))
        month = _fill(dsn, size)
        return asyncio.run(_read(dsn, size, month, reads))


def _fill(dsn: str, size: Size) -> tuple[datetime, datetime]:
    """Write this month's journal; return where the month begins and ends."""
    now = datetime.now(UTC)
    start = datetime(now.year, now.month, 1, tzinfo=UTC)
    end = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)
    values = {"start": start, "end": end, "entries": size.fills, "lines": _ENTRY_POSTINGS}
    with psycopg.connect(dsn, autocommit=True) as owner:
        owner.execute(_FILL.format(**values, portfolios=size.portfolios).encode())
        owner.execute("VACUUM ANALYZE ledger.posting")
        owner.execute("CHECKPOINT")
    return start, end


async def _read(dsn: str, size: Size, month: tuple[datetime, datetime], reads: int) -> list[Row]:
    async with pool_of(dsn) as pool:
        reports = Reports(Sessions(pool, address_of(dsn)))
        months, scans, lines = list[float](), list[float](), 0
        for number in range(_WARM_READS + reads):
            asked = (f"portfolio-{number % size.portfolios}", *month)
            if number % 2:  # who comes first finds colder pages
                keys, scan_ms = await _timed(_scan(pool, *asked))
                found, month_ms = await _timed(reports.journal(*asked))
            else:
                found, month_ms = await _timed(reports.journal(*asked))
                keys, scan_ms = await _timed(_scan(pool, *asked))
            assert len(keys) == len(found) > 0
            if number >= _WARM_READS:
                months.append(month_ms)
                scans.append(scan_ms)
                lines = max(lines, len(found))
    rows = percentile_rows("ledger.month", "ms", months, scans, _WHAT)
    slowest = rows[-1].value
    return [
        *rows,
        Row("ledger.month_within", slowest, "ms", goal=GOAL_MS),
        Row("ledger.month_rows", float(lines), "rows"),
        Row("ledger.journal", float(size.postings), "rows"),
    ]


async def _scan(pool: AsyncConnectionPool[Session], *values: object) -> Sequence[object]:
    async with pool.connection() as session:
        return await (await session.execute(_SCAN.encode(), values)).fetchall()


async def _timed(reading: Awaitable[Sequence[object]]) -> tuple[Sequence[object], float]:
    began = time.perf_counter()
    found = await reading
    return found, (time.perf_counter() - began) * 1_000
