"""What lasts begins when it is armed and ends by its time, by hand, or when another of its kind begins."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from trimtab.exchange.clock import MarketClock
from trimtab.exchange.faults import Fault, Faults
from trimtab.exchange.journal import Journal, JournalContents, read_journal
from trimtab.exchange.misconduct import Misconduct
from trimtab.exchange.synthetic import SyntheticMarket
from trimtab.exchange.venue import Venue

START_US = 1_700_000_000_000_000


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Venue]:
    market = SyntheticMarket(7, ("LTCUSDT",), start_us=START_US)
    journal = Journal(tmp_path / "journal", lambda: 5)
    yield Venue(market, journal, MarketClock(START_US, paused=True), Faults())
    journal.close()


def written(venue: Venue) -> JournalContents:
    return read_journal(venue.journal.path)


async def test_a_fault_that_lasts_ends_by_its_time(venue: Venue) -> None:
    misconduct = Misconduct(venue)
    fault = misconduct.arm(Fault("stale_reads", duration_ms=20))
    assert venue.reads.history is not venue.engine.history
    assert misconduct.armed() == [fault]
    assert written(venue).faults_over == []
    async with asyncio.timeout(10):
        while misconduct.armed():  # noqa: ASYNC110 - a timer ends it
            await asyncio.sleep(0.01)
    assert venue.reads.history is venue.engine.history
    (began,), (over,) = written(venue).faults, written(venue).faults_over
    assert (began["fault"], began["struck"], began["fault_id"]) == ("stale_reads", "reads", fault.fault_id)
    assert over["fault_id"] == fault.fault_id


async def test_a_fault_without_an_end_lasts_until_it_is_disarmed(venue: Venue) -> None:
    misconduct = Misconduct(venue)
    other = misconduct.arm(Fault("latency"))
    fault = misconduct.arm(Fault("stale_reads", duration_ms=None))
    assert misconduct.disarm(other.fault_id) == 1
    assert venue.reads.history is not venue.engine.history
    assert misconduct.disarm(fault.fault_id) == 1
    assert venue.reads.history is venue.engine.history
    assert misconduct.disarm() == 0
    assert len(written(venue).faults_over) == 1


async def test_another_of_its_kind_takes_its_place(venue: Venue) -> None:
    misconduct = Misconduct(venue)
    first = misconduct.arm(Fault("stale_reads", duration_ms=None))
    second = misconduct.arm(Fault("stale_reads", duration_ms=60_000))
    assert misconduct.armed() == [second]
    assert [line["fault_id"] for line in written(venue).faults_over] == [first.fault_id]
    assert misconduct.disarm() == 1
    assert [line["fault_id"] for line in written(venue).faults_over] == [first.fault_id, second.fault_id]


async def test_dropped_websockets_are_told_at_once_and_nothing_stays_armed(venue: Venue) -> None:
    misconduct = Misconduct(venue)
    misconduct.arm(Fault("websocket_drop", streams="user", count=5))
    assert misconduct.armed() == []
    (line,) = written(venue).faults
    assert (line["struck"], line["cut"]) == ("websockets: user", 0)


async def test_maintenance_is_announced_before_the_doors_close_and_the_market_stands_still_behind_them(
    venue: Venue,
) -> None:
    venue.clock.set(paused=False)
    misconduct = Misconduct(venue)
    misconduct.arm(Fault("maintenance", notice_ms=20, duration_ms=None))
    assert (venue.maintenance, venue.closed, venue.clock.paused) == (True, False, False)
    async with asyncio.timeout(10):
        while not venue.closed:  # noqa: ASYNC110 - a timer closes them
            await asyncio.sleep(0.01)
    assert venue.clock.paused
    misconduct.disarm()
    assert (venue.maintenance, venue.closed, venue.clock.paused) == (False, False, False)
    assert [line["struck"] for line in written(venue).faults] == ["exchange", "exchange: closed"]
    assert [line["closed"] for line in written(venue).faults_over] == [True]


async def test_a_market_that_stood_still_before_maintenance_does_so_after_it(venue: Venue) -> None:
    misconduct = Misconduct(venue)
    misconduct.arm(Fault("maintenance", duration_ms=None))
    await asyncio.sleep(0.02)
    assert venue.closed
    misconduct.disarm()
    assert venue.clock.paused


async def test_maintenance_that_is_called_off_in_time_closes_nothing(venue: Venue) -> None:
    misconduct = Misconduct(venue)
    fault = misconduct.arm(Fault("maintenance", notice_ms=20, duration_ms=None))
    assert misconduct.disarm(fault.fault_id) == 1
    await asyncio.sleep(0.05)
    assert not venue.closed
    assert [line["closed"] for line in written(venue).faults_over] == [False]


async def test_a_wrong_clock_is_told_in_the_journal_as_it_begins_and_as_it_ends(venue: Venue) -> None:
    misconduct = Misconduct(venue)
    misconduct.arm(Fault("clock_skew", skew_ms=-700, duration_ms=None))
    assert venue.server_clock.skew_us() == -700_000
    misconduct.disarm()
    assert venue.server_clock.skew_us() == 0
    assert (written(venue).faults[0]["skew_ms"], written(venue).faults_over[0]["skew_ms"]) == (-700, -700)
