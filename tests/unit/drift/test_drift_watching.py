"""What a worker does with frames: which portfolios it looks at, and when a signal leaves it."""

import pytest
from drift_ports import Counted, Sent, estimate, frame, held, parse, watch
from drift_worlds import SETTINGS

from trimtab.drift.portfolios import Portfolios
from trimtab.drift.watching import Watch

LIFETIME = SETTINGS.signal_lifetime_seconds


@pytest.fixture
def world() -> tuple[Watch, Sent, Counted]:
    return watch()


async def test_a_frame_is_decided_in_its_own_callback(world: tuple[Watch, Sent, Counted]) -> None:
    worker, sent, counted = world
    worker.portfolios.put(held())
    worker.on_frame(frame(1, full=True))
    await worker.settled()
    (signal,) = sent.signals
    assert (signal.portfolio_id, signal.ledger_version, signal.frame_offset) == ("core", 1, 1)
    assert counted.counts["decisions_total", "signal", "band_exceeded"] == 1
    assert counted.gauges["portfolio_drift_ratio"] > 1.25


async def test_one_signal_a_version_until_a_new_state_comes(world: tuple[Watch, Sent, Counted]) -> None:
    worker, sent, _ = world
    worker.portfolios.put(held(version=1))
    for number in range(1, 6):
        worker.on_frame(frame(number, full=number == 1))
    worker.portfolios.put(held(version=2, offset=1))
    for number in range(6, 9):
        worker.on_frame(frame(number))
    await worker.settled()
    assert [signal.ledger_version for signal in sent.signals] == [1, 2]


async def test_an_unanswered_signal_is_decided_afresh_after_twice_its_lifetime(
    world: tuple[Watch, Sent, Counted],
) -> None:
    worker, sent, _ = world
    worker.portfolios.put(held())
    worker.on_frame(frame(1, full=True))
    worker.on_frame(frame(2, seconds=2 * LIFETIME - 0.001, full=True))
    worker.on_frame(frame(3, seconds=2 * LIFETIME, full=True))
    await worker.settled()
    assert [signal.frame_offset for signal in sent.signals] == [1, 3]


async def test_a_signal_that_could_not_be_sent_is_decided_afresh_on_the_next_frame(
    world: tuple[Watch, Sent, Counted],
) -> None:
    worker, sent, _ = world
    worker.portfolios.put(held())
    sent.broken = True
    worker.on_frame(frame(1, full=True))
    await worker.settled()
    sent.broken = False
    worker.on_frame(frame(2))
    await worker.settled()
    assert [signal.frame_offset for signal in sent.signals] == [2]


async def test_nothing_is_decided_before_the_copy_is_complete(world: tuple[Watch, Sent, Counted]) -> None:
    worker, sent, counted = world
    worker.portfolios.put(held(partition=3))
    worker.on_frame(frame(1, full=True))
    await worker.settled()
    assert not sent.signals
    assert not counted.counts
    worker.portfolios.complete(3)
    worker.on_frame(frame(2))
    await worker.settled()
    assert len(sent.signals) == 1


async def test_a_revoked_partition_is_decided_no_more(world: tuple[Watch, Sent, Counted]) -> None:
    worker, sent, _ = world
    worker.portfolios.put(held())
    worker.portfolios.forget({0})
    worker.on_frame(frame(1, full=True))
    await worker.settled()
    assert not sent.signals


async def test_holds_are_counted_by_reason(world: tuple[Watch, Sent, Counted]) -> None:
    worker, sent, counted = world
    worker.portfolios.put(held())
    worker.on_frame(frame(5))
    worker.on_frame(frame(9, full=True, session="b"))
    await worker.settled()
    assert counted.counts["decisions_total", "hold", "market_incomplete"] == 1
    assert len(sent.signals) == 1


async def test_a_broken_frame_stops_trading_until_the_next_full_one(world: tuple[Watch, Sent, Counted]) -> None:
    worker, sent, counted = world
    worker.on_frame(frame(1, full=True))
    worker.on_frame(frame(2, broken=True))
    worker.portfolios.put(held())
    worker.on_frame(frame(3))
    assert counted.counts["decisions_total", "hold", "market_incomplete"] == 1
    worker.on_frame(frame(4, full=True))
    await worker.settled()
    assert [signal.frame_offset for signal in sent.signals] == [4]


async def test_a_new_estimate_is_used_at_once(world: tuple[Watch, Sent, Counted]) -> None:
    worker, sent, counted = world
    worker.deciding.risks.clear()
    worker.portfolios.put(held())
    worker.on_frame(frame(1, full=True))
    assert counted.counts["decisions_total", "hold", "risk_missing"] == 1
    worker.on_risk(estimate(offset=8))
    worker.on_frame(frame(2))
    await worker.settled()
    assert [signal.risk_offset for signal in sent.signals] == [8]


async def test_only_what_a_frame_touches_is_looked_at(world: tuple[Watch, Sent, Counted]) -> None:
    worker, sent, counted = world
    worker.on_frame(frame(1, full=True))
    worker.portfolios.put(held("b"))
    worker.portfolios.put(held("a"))
    worker.on_frame(frame(2, names=("SOL",)))
    assert not counted.counts
    worker.on_frame(frame(3, names=("BTC",)))
    await worker.settled()
    assert [signal.portfolio_id for signal in sent.signals] == ["a", "b"]


def test_a_state_counts_once_and_never_backwards() -> None:
    copy = Portfolios(parse)
    copy.complete(0)
    copy.put(held(version=4, offset=7))
    for late in (held(version=5, offset=7), held(version=5, offset=6), held(version=3, offset=8)):
        copy.put(late)
    assert (entry := copy.get("core"))
    assert (entry.state.ledger_version, entry.offset) == (4, 7)
    copy.put(held(version=4, offset=9))
    assert (entry := copy.get("core"))
    assert (entry.state.ledger_version, entry.offset) == (4, 9)


async def test_time_that_goes_back_does_not_silence_a_portfolio(world: tuple[Watch, Sent, Counted]) -> None:
    worker, sent, _ = world
    worker.portfolios.put(held())
    worker.on_frame(frame(1, seconds=1_000, full=True))
    worker.on_frame(frame(1, seconds=0, full=True, session="b"))
    await worker.settled()
    assert len(sent.signals) == 2
