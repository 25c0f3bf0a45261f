"""Explaining a past frame: which records counted then, and what is said when one is gone."""

import pytest
from past_worlds import METHOD, SETTINGS, START_US, World

from trimtab.replay.charges import Charges
from trimtab.replay.comparison import Difference
from trimtab.replay.errors import GoneError
from trimtab.replay.moment import Moments
from trimtab.replay.verdict import of_signal
from trimtab.topics import (
    MARKET_COSTS,
    MARKET_FRAMES,
    MARKET_RISK,
    PORTFOLIO_STATE,
    PORTFOLIO_TARGETS,
    REBALANCE_SIGNALS,
)


@pytest.fixture
def world() -> World:
    return World()


def test_the_market_is_rebuilt_from_the_last_full_frame(world: World) -> None:
    world.frames(400)
    for _ in range(300):
        last = world.frame(full=False)
    moment = Moments(world.topics, Charges(world.topics).at).at(last)
    assert (moment.offset, moment.market.complete) == (last, True)
    assert moment.event_time_us == START_US + 400_000_000
    assert moment.recorded_ms == moment.event_time_us // 1_000 + 301
    assert world.topics.reads < 3_000
    world.frame(full=False, session="b")
    assert not world.moment(last + 1).market.complete  # a worker trades on nothing until the next full one
    world.frame(session="b")
    newest = Moments(world.topics, Charges(world.topics).at).newest()
    assert newest is not None
    assert (newest.offset, newest.market.complete) == (last + 2, True)


def test_frames_that_are_not_there_get_one_clear_line(world: World) -> None:
    assert Moments(world.topics, Charges(world.topics).at).newest() is None
    world.frames(5)
    unreadable = world.topics.skip(MARKET_FRAMES)
    refused = world.frame(full=False, ladder=(100,))
    world.topics.forget(MARKET_FRAMES, 3)
    lines = {
        2: "frame 2: past retention; market.frames begins with frame 3",
        3: "frame 3: no full frame before it is kept, so its market cannot be rebuilt",
        unreadable: f"frame {unreadable}: it could not be read, so nothing was decided on it; see market.frames.dlq",
        refused: f"frame {refused}: it could not be read, so nothing was decided on it; see market.frames.dlq",
        refused + 1: f"frame {refused + 1}: not there yet; market.frames ends with frame {refused}",
    }
    for frame, line in lines.items():
        with pytest.raises(GoneError) as raised:
            world.moment(frame)
        assert str(raised.value) == line


def test_a_time_means_the_last_frame_that_is_not_later(world: World) -> None:
    world.frames(50)
    moments = Moments(world.topics, Charges(world.topics).at)
    for second in (1, 2, 25, 50, 99):
        assert moments.at_time(START_US + second * 1_000_000).offset == 2 * min(second, 50) - 1
        assert moments.at_time(START_US + second * 1_000_000 + 999_999).offset == 2 * min(second, 50) - 1
    with pytest.raises(GoneError, match=r"no frame of then is kept; market.frames begins with frame 0 of 2023-11-14"):
        moments.at_time(START_US)
    world.topics.skip(MARKET_FRAMES)
    assert Moments(world.topics, Charges(world.topics).at).offset_at(START_US + 99_000_000) == 99


def test_what_counts_is_what_was_written_no_later_and_of_no_later_frame(world: World) -> None:
    world.state(1)
    world.frames(2)
    world.risk(1)
    world.risk(1, quote="EUR")
    world.frames(2)
    world.state(2)
    world.risk(99)  # of a frame to come: the clock of its writer is behind
    world.frames(1)
    world.state(3, btc="500")
    found = [world.verdict(frame).decision for frame in range(10)]
    assert [each.risk_offset for each in found] == [-1] * 4 + [0] * 6
    assert [each.ledger_version for each in found] == [1] * 8 + [2] * 2
    assert world.verdict(9).source == "as_of"


def test_a_state_that_comes_twice_or_late_changes_nothing(world: World) -> None:
    world.state(1)
    world.state(2)
    world.state(1)
    world.frames(1)
    assert world.verdict(0).decision.ledger_version == 2


def test_computed_targets_count_as_they_did_then(world: World) -> None:
    world.state(1, targets=METHOD)
    world.frames(2)
    world.targets(1, "0.5")
    world.targets(1, "0.9", name="other")
    world.frames(2)
    world.targets(5, "0.3")
    world.frames(1)
    found = [world.verdict(frame).decision for frame in range(10)]
    assert [each.targets_offset for each in found] == [-1] * 4 + [0] * 4 + [2] * 2
    assert {each.reason for each in found[:4]} == {"targets_missing"}
    assert {each.reason for each in found[4:8]} == {"within_band"}
    assert found[-1].reason == "threshold_reached"


def test_costs_count_from_the_next_full_frame_on(world: World) -> None:
    world.state(1)
    world.frames(2)
    world.costs(2, sequence=1, fee="0.002", coefficient="0.65")
    world.costs(2, sequence=1, fee="0.9")  # of two with the same number the first one counts
    world.frame(full=False)
    world.frames(2)
    world.costs(8, sequence=2, fee="0.003")
    found = [world.verdict(frame) for frame in range(9)]
    assert [each.decision.costs_offset for each in found] == [-1] * 5 + [0] * 4
    rows = {row.term: row.value for row in found[-1].rows}
    assert (rows["costs"], rows["binance:BTC/USDT fee"], rows["Y"]) == ("0", "0.002", "0.65")
    (law,) = (row.meaning for row in found[-1].rows if row.term == "Y")
    assert law.endswith("refit from 12.3 own trades, weighted, with the prior 0.6 as set")
    (law,) = (row.meaning for row in found[0].rows if row.term == "Y")
    assert law.endswith("as set")
    newest = Moments(world.topics, Charges(world.topics).newest).newest()
    assert newest is not None
    assert newest.market.costs_offset == 2
    world.topics.forget(MARKET_COSTS, 2)
    with pytest.raises(GoneError, match=r"^market\.costs at frame 7: past retention; it begins with offset 2$"):
        world.verdict(8)


def test_what_is_compacted_away_is_said_in_one_line(world: World) -> None:
    world.frames(1)
    world.state(1, targets=METHOD)
    with pytest.raises(GoneError, match=r"^portfolio\.state of core at frame 0 of .*: none yet; .* at offset 0$"):
        world.verdict(0)
    world.targets(0, "0.5")
    world.risk(0)
    world.frames(1)
    world.state(2, targets=METHOD)
    world.targets(2, "0.6")
    world.risk(2)
    assert world.verdict(2).decision.reason == "within_band"
    world.topics.forget(PORTFOLIO_STATE, 1)
    with pytest.raises(GoneError, match=r"^portfolio\.state of core at frame 2 of .*: compacted away; .* offset 1$"):
        world.verdict(2)
    world.frames(1)
    assert world.verdict(5).decision.targets_offset == 1
    world.topics.forget(MARKET_RISK, 2)
    with pytest.raises(GoneError, match=r"^market\.risk at frame 5 of .*: past retention; it begins with offset 2$"):
        world.verdict(5)


def test_targets_that_are_compacted_away_are_not_taken_for_missing_ones(world: World) -> None:
    world.state(1, targets=METHOD)
    world.targets(0, "0.5")
    world.frames(1)
    world.targets(0, "0.6")
    world.topics.forget(PORTFOLIO_TARGETS, 1)
    with pytest.raises(GoneError, match=r"^portfolio\.targets of core at frame 0 of .*: compacted away;"):
        world.verdict(0)


def test_a_signal_is_decided_again_on_what_it_cites(world: World) -> None:
    world.state(1, btc="200")
    world.frames(1)
    world.risk(0)
    world.frames(1)
    signal_id = world.publish(3)
    world.risk(3)
    world.state(2)
    for found in (of_signal(world.topics, SETTINGS, "core", signal_id), world.verdict(3)):
        assert (found.source, found.decision.signal_id, found.decision.risk_offset) == ("cited", signal_id, 0)
        assert found.holds
        rows = {row.term: row.value for row in found.rows}
        assert (rows["signal"], rows["recomputed"]) == (signal_id, "equal, byte for byte")


def test_a_signal_that_comes_out_otherwise_is_told_field_by_field(world: World) -> None:
    world.state(1, btc="200")
    world.frames(1)
    signal_id = world.forge(1, urgency=0, terms=())
    found = of_signal(world.topics, SETTINGS, "core", signal_id)
    assert not found.holds
    (told,) = found.comparisons
    fields = [each.field for each in told.differences]
    assert fields == ["urgency", "terms[0]", "terms[1]"]
    assert told.differences[0].published == "0"
    assert told.differences[1].published is None
    again = World()
    again.state(1, btc="200")
    again.frames(1)
    signal_id = again.publish(1)
    again.topics.forget(PORTFOLIO_STATE, 1)
    again.state(1)  # inside its bound: nothing would be traded
    assert of_signal(again.topics, SETTINGS, "core", signal_id).comparisons[0].differences == (
        Difference("decision", "trade", "hold: within_band"),
    )


@pytest.mark.parametrize(
    ("topic", "line"),
    [
        (PORTFOLIO_STATE, "portfolio.state of core: ledger version 1 is compacted away"),
        (MARKET_RISK, "market.risk: offset 0 is past retention; the topic begins at 1"),
        (PORTFOLIO_TARGETS, "portfolio.targets of core: offset 0 is compacted away"),
        (MARKET_COSTS, "market.costs: offset 0 is past retention; the topic begins at 1"),
        (MARKET_FRAMES, "frame 2: past retention; market.frames begins with frame 4"),
    ],
)
def test_what_a_signal_cites_and_is_gone_is_said(world: World, topic: object, line: str) -> None:
    world.state(1, btc="200", targets=METHOD)
    world.targets(0, "0.5")
    world.risk(0)
    world.costs(0, sequence=1, fee="0.002")
    world.frames(2)
    signal_id = world.publish(2)
    world.frames(2)
    world.costs(2, sequence=2, fee="0.002")
    world.state(2, targets=METHOD)
    world.targets(2, "0.6")
    world.risk(2)
    world.topics.forget(topic, 4 if topic is MARKET_FRAMES else 1)
    with pytest.raises(GoneError) as raised:
        of_signal(world.topics, SETTINGS, "core", signal_id)
    assert str(raised.value) == line


def test_a_signal_that_is_nobodys_is_said_with_the_last_one(world: World) -> None:
    world.state(1, btc="200")
    world.frames(1)
    signal_id = world.publish(1)
    with pytest.raises(GoneError) as raised:
        of_signal(world.topics, SETTINGS, "core", "x")
    assert str(raised.value) == f"signal x: not on rebalance.signals; of core it has 1, the last is {signal_id}"
    assert REBALANCE_SIGNALS.name in str(raised.value)
