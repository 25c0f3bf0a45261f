"""The way through one bar: where it may go, in which order, and how often."""

from itertools import pairwise

import numpy as np
import pytest

from trimtab.exchange.bar_path import Print, path

HOUR_US = 3_600_000_000


def way(seed: int, volume: int = 100_000, length_us: int = HOUR_US, **ticks: int) -> list[Print]:
    shape = {"start": 1_100, "high": 1_400, "low": 1_000, "close": 1_300} | ticks
    return path(tuple(shape.values()), volume, None, 5, length_us, np.random.default_rng(seed))


def test_the_nearer_extreme_comes_first_as_often_as_a_random_walk_meets_it_first() -> None:
    low_first = 0
    for seed in range(2_000):
        prices = [moment.tick for moment in way(seed)]
        low_first += prices.index(1_000) < prices.index(1_400)

    # 0.75, but for prices held at an extreme on the way to the other one.
    assert low_first / 2_000 == pytest.approx(0.75, abs=0.06)


@pytest.mark.parametrize(("seconds", "count"), [(1, 8), (60, 8), (300, 20), (900, 60), (3_600, 96), (86_400, 96)])
def test_a_bar_has_a_moment_in_fifteen_seconds_within_bounds(seconds: int, count: int) -> None:
    moments = way(1, length_us=seconds * 1_000_000)

    assert len(moments) == count
    times = [moment.time_us for moment in moments]
    assert times[0] == 5
    assert all(
        part * seconds * 1_000_000 // count <= time - 5 < (part + 1) * seconds * 1_000_000 / count
        for part, time in enumerate(times)
    )


@pytest.mark.parametrize(("volume", "traded"), [(0, []), (1, [1_100]), (2, [1_100, 1_300]), (3, None), (96, None)])
def test_a_few_lots_trade_at_the_open_and_the_close_first(volume: int, traded: list[int] | None) -> None:
    moments = [moment for moment in way(3, volume) if moment.volume]

    assert sum(moment.volume for moment in moments) == volume
    if traded is not None:
        assert [moment.tick for moment in moments] == traded


def test_prices_that_rise_are_bought_and_prices_that_fall_are_sold() -> None:
    moments = way(4)
    for before, after in pairwise(moments):
        if after.tick != before.tick:
            assert after.buys == (after.tick > before.tick)


def test_a_flat_bar_and_a_price_of_one_tick_have_a_way_too() -> None:
    flat = way(5, start=700, high=700, low=700, close=700)

    assert {moment.tick for moment in flat} == {700}
    assert not any(moment.buys for moment in way(5, start=1, high=1, low=1, close=1))
