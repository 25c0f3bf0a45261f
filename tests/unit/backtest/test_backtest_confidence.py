"""Intervals by block bootstrap: they cover what they should, compare on the same blocks, come out the same again."""

from dataclasses import replace

import numpy as np
import pytest

from trimtab.backtest.confidence import interval
from trimtab.backtest.score import YEAR_US, Score

HOUR_US = 3_600_000_000


def score(costs: np.ndarray) -> Score:
    times = tuple(i * HOUR_US for i in range(costs.size + 1))
    years = times[-1] / YEAR_US
    none = (0.0,) * costs.size
    return Score(1, 1, 1, years, 0, costs.sum() / years * 1e4, 0, 0, {}, times, (1.0,) * len(times), none, tuple(costs))


def clustered(seed: int, count: int = 24 * 120) -> np.ndarray:
    """Costs that are alike for half a day, of mean 1e-6."""
    rng = np.random.default_rng(seed)
    return 1e-6 * np.repeat(rng.exponential(size=count // 12), 12)


def test_it_covers_the_truth_as_often_as_it_says() -> None:
    truth = 1e-6 * 24 * 365 * 1e4
    found = [interval(score(clustered(seed))) for seed in range(200)]
    covered = sum(each is not None and each.low <= truth <= each.high for each in found)
    assert 0.88 <= covered / len(found) <= 0.98


def test_blocks_are_as_long_as_what_is_alike() -> None:
    """Single looks drawn by themselves would be far too sure of clustered costs."""
    costs = clustered(1)
    shuffled = np.random.default_rng(2).permutation(costs)
    wide, narrow = interval(score(costs)), interval(score(shuffled))
    assert wide is not None
    assert narrow is not None
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_two_policies_are_compared_on_the_same_blocks() -> None:
    costs = clustered(3)
    dearer = interval(score(costs + 2e-8), score(costs))
    assert dearer is not None
    assert dearer.low == pytest.approx(2e-8 * 24 * 365 * 1e4)
    assert dearer.high == pytest.approx(dearer.low)


def test_it_is_the_same_again_and_none_on_a_short_tape() -> None:
    assert interval(score(clustered(4))) == interval(score(clustered(4)))
    assert interval(score(clustered(4, 24 * 29))) is None
    assert interval(replace(score(clustered(4)), times_us=(0,), risks=(), paid=())) is None
