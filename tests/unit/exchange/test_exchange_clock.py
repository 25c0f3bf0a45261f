"""Server time is the wall's unless it is set wrong: by a jump, and by what it gains or loses from there on."""

import time

import pytest

from trimtab.exchange.clock import ServerClock, wall_us


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
