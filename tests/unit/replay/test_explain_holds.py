"""How often it held, and why: counted from the topics, in the words of a single explanation."""

from decimal import Decimal

import pytest
from past_worlds import METHOD, SETTINGS, World

from trimtab.drift.reasons import MEANINGS, Reason
from trimtab.replay.errors import GoneError
from trimtab.replay.holds import Holds, counted

SECOND_US = 1_000_000


def counted_in(world: World, last: int, seconds: int) -> Holds:
    return counted(world.topics, SETTINGS, world.past(), "core", world.moment(last), seconds * SECOND_US)


def told(holds: Holds) -> dict[tuple[str, str], int]:
    return {(each.outcome, each.reason): each.frames for each in holds.outcomes}


def test_every_reason_has_words() -> None:
    assert set(MEANINGS) == set(Reason)
    assert all(MEANINGS.values())


def test_every_full_frame_of_the_span_is_counted_once() -> None:
    world = World()
    world.state(1, targets=METHOD)
    world.frames(10)
    world.targets(0, "0.5")
    world.frames(10)
    found = counted_in(world, 39, 60)
    assert told(found) == {("hold", "targets_missing"): 10, ("hold", "within_band"): 10}
    assert (found.frames, found.signals) == (20, 0)
    assert {each.share for each in found.outcomes} == {Decimal("0.5")}
    missing, inside = sorted(found.outcomes, key=lambda each: each.reason)
    assert (missing.last_frame, inside.last_frame) == (18, 38)
    decided = world.verdict(inside.last_frame)
    (reason,) = [row for row in decided.rows if row.term == "reason"]
    assert (reason.value, reason.meaning) == (inside.reason, inside.meaning)
    part = counted_in(world, 39, 5)
    assert (told(part), part.first.offset) == ({("hold", "within_band"): 5}, 30)
    assert part.document()["from"] == {"frame": 30, "event_time_us": part.first.event_time_us}


def test_signals_and_waiting_for_their_answer_are_no_holds() -> None:
    world = World()
    world.state(1, btc="200")
    world.frames(4)
    world.publish(4)
    world.frames(3)
    world.state(2)
    world.frames(2)
    assert SETTINGS.signal_lifetime_seconds == 60
    found = counted_in(world, 17, 60)
    assert told(found) == {
        ("trade", "threshold_reached"): 2,
        ("signal", "threshold_reached"): 1,
        ("wait", ""): 4,
        ("hold", "within_band"): 2,
    }
    assert found.signals == 1
    trade = next(each for each in found.outcomes if each.outcome == "trade")
    assert trade.meaning == "a drift has reached its bound; no signal was published at this frame"


def test_a_signal_that_was_never_answered_counts_as_lost() -> None:
    world = World()
    world.state(1, btc="200")
    world.frames(1)
    world.publish(0)
    world.frames(125)
    assert told(counted_in(world, 251, 200)) == {
        ("signal", "threshold_reached"): 1,
        ("wait", ""): 119,
        ("trade", "threshold_reached"): 6,
    }


def test_counting_begins_when_the_portfolio_was_there() -> None:
    world = World()
    world.frames(5)
    world.state(1)
    with pytest.raises(GoneError, match=r"core: no full frame in the span to frame 9 of .* at which it was there"):
        counted_in(world, 9, 60)
    world.frames(3)
    found = counted_in(world, 15, 60)
    assert (found.first.offset, found.frames) == (10, 3)
