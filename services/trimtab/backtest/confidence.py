"""How sure a figure is: a circular block bootstrap of risk and cost, look by look (Politis & Romano 1992).

Looks close to one another are alike (markets are calm or wild for a while, trades come in bunches), so blocks of them
are drawn, three days long at least, which wrap around the end. Two policies are compared on the same blocks. The seed
is fixed: the same run gives the same interval. On a long tape several looks stand together as one (course.py): a block
then begins and ends between these, and is as long at least.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.backtest.score import Score

_DRAWS = 2_000
_SEED = 1
_LEVEL = 0.95
_BLOCK_US = 3 * 86_400_000_000
_BLOCKS_MIN = 10  # fewer say nothing
_BASIS_POINTS = 1e4


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a figure lies with 95 %, basis points of equity a year."""

    low: float
    high: float


def interval(score: Score, other: Score | None = None) -> Interval | None:
    """Return the interval of a policy's risk and cost, or of how much more it is than another's on the same tape.

    None if the tape is too short for ten blocks.
    """
    costs = _costs(score) - _costs(other) if other is not None else _costs(score)
    count = costs.size
    length = _block(score.times_us, score.looks_each)
    if count < _BLOCKS_MIN * length:
        return None
    starts = np.random.default_rng(_SEED).integers(0, count, (_DRAWS, math.ceil(count / length)))
    # The sum of each block from the running sum of the series laid twice.
    sums = np.concatenate([[0.0], np.cumsum(np.concatenate([costs, costs]))])
    blocks = sums[starts + length] - sums[starts]
    means = blocks.sum(axis=1) / (starts.shape[1] * length)
    low, high = np.quantile(means * count / score.years * _BASIS_POINTS, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Interval(float(low), float(high))


def _costs(score: Score) -> NDArray[np.float64]:
    costs: NDArray[np.float64] = np.array(score.risks) + np.array(score.paid)
    return costs


def _block(times_us: Sequence[int], looks_each: int) -> int:
    """Return how many stretches a block has: three days' looks, and no fewer than the cube root of all looks."""
    count = (len(times_us) - 1) * looks_each
    if count < 1:
        return 1
    a_look = (times_us[-1] - times_us[0]) / count
    least = round(_BLOCK_US / a_look) if a_look else 1
    return max(math.ceil(max(least, math.ceil(math.cbrt(count))) / looks_each), 1)
