"""Market time runs at its speed, stands, and never goes back. Server time is the wall's unless it is set wrong: by a
jump, and by what it gains or loses from there on.
"""

import time

import pytest

from trimtab.exchange.clock import MarketClock, ServerClock, wall_us


def test_it_agrees_with_the_wall_until_it_is_set_wrong_and_after_it_is_set_right() -> None:
    clock = ServerClock()
    assert abs(clock.now_us() // 1000 - wall_us() // 1000) < 1_000
    clock.set_wrong(-3_600_000, 0)
    assert clock.skew_us() == -3_600_000_000
    assert 3_599_000 < wall_us() // 1000 - clock.now_us() // 1000 < 3_601_000
    clock.set_right()
    assert clock.skew_us() == 0


@pytest.mark.parametrize("ppm", [500_000, -500_000])
def test_a_drift_grows_with_time(ppm: int) -> None:
    clock = ServerClock()
    clock.set_wrong(0, ppm)
    before = clock.skew_us()
    began = time.monotonic_ns()
    time.sleep(0.02)
    gained = clock.skew_us() - before
    elapsed_us = (time.monotonic_ns() - began) // 1000
    assert 10_000 <= abs(gained) <= elapsed_us
    assert (gained > 0) == (ppm > 0)


class Wall:
    """A monotonic clock that is moved by hand."""

    def __init__(self) -> None:
        self.ns = 5_000_000_000

    def __call__(self) -> int:
        return self.ns

    def passes(self, seconds: float) -> None:
        self.ns += round(seconds * 1e9)


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    made = Wall()
    monkeypatch.setattr(time, "monotonic_ns", made)
    return made


def test_market_time_runs_at_its_speed_and_goes_on_from_where_it_is_when_that_changes(wall: Wall) -> None:
    clock = MarketClock(1_000_000, 10.0)
    wall.passes(2)
    assert clock.now_us() == 21_000_000
    clock.set(speed=0.5)
    assert (clock.now_us(), clock.speed) == (21_000_000, 0.5)
    wall.passes(4)
    assert clock.now_us() == 23_000_000
    assert clock.seconds_until(24_000_000) == 2.0
    assert clock.seconds_until(22_000_000) == 0.0
    with pytest.raises(ValueError, match="must be positive"):
        clock.set(speed=0)


def test_a_pause_takes_no_market_time_whatever_is_set_meanwhile(wall: Wall) -> None:
    clock = MarketClock(0, 2.0)
    wall.passes(3)
    clock.set(paused=True)
    wall.passes(100)
    clock.set(speed=4.0)
    wall.passes(100)
    assert (clock.now_us(), clock.paused, clock.seconds_until(7_000_000)) == (6_000_000, True, float("inf"))
    clock.set(paused=False)
    assert clock.now_us() == 6_000_000
    wall.passes(1)
    assert clock.now_us() == 10_000_000
