"""How much an asset moves, and how much one return may say about it."""

from decimal import localcontext

import numpy as np
import pytest
from drift_worlds import D

from trimtab.drift.memory import Memory
from trimtab.drift.variability import CLIP, CLIP_AFTER, Variability

HALF_LIFE = D(100)


def learn(found: Variability, *rates: float, points: int = 1, stretch: int = 1) -> list[float]:
    with localcontext(prec=34):
        memory, long_memory = Memory.of(HALF_LIFE), Memory.of(HALF_LIFE * 24)
        return [
            float(found.learn(D(str(rate)), memory, long_memory, points=points, stretch=D(stretch))) for rate in rates
        ]


def steady() -> Variability:
    found = Variability()
    learn(found, *[0.5, -0.5] * 300)
    return found


def test_a_plain_mean_at_first() -> None:
    found = Variability()
    learn(found, 1, 2, 3)
    assert float(found.variance) == pytest.approx(14 / 3)
    assert found.count == 3


def test_one_return_however_large_adds_a_bounded_share() -> None:
    found = steady()
    assert learn(found, 1_000) == [pytest.approx(float(CLIP), rel=0.1)]
    bound = 1 + (float(CLIP) ** 2 - 1) * np.log(2) / float(HALF_LIFE)
    assert 0.25 < found.variance < 0.25 * bound
    assert learn(found, -1_000) == [pytest.approx(-float(CLIP), rel=0.15)]


def test_a_market_that_turns_wild_for_good_is_believed() -> None:
    found = steady()
    learn(found, *[50, -50] * 60)
    assert found.variance > 100
    learn(found, *[50, -50] * 400)
    assert float(found.variance) == pytest.approx(2_500, rel=0.05)


def test_nothing_is_clipped_before_there_is_a_measure_to_clip_by() -> None:
    found = Variability()
    learn(found, *[0.01] * (CLIP_AFTER - 1), 1)
    assert float(found.variance) == pytest.approx(1 / CLIP_AFTER, rel=0.01)
    still = Variability()
    learn(still, *[0] * 50, 1)
    assert float(still.variance) == pytest.approx(1 / 51)


def test_a_return_for_many_points_weighs_as_many() -> None:
    many, one = steady(), steady()
    learn(many, 1, points=20)
    learn(one, *[1] * 20)
    assert float(many.variance) == pytest.approx(float(one.variance), rel=1e-9)
    assert many.count == one.count


def test_the_long_run_level_is_slower() -> None:
    found = steady()
    learn(found, *[1, -1] * 100)
    assert 0.25 < found.long_run < 0.5 < found.variance


def test_standing_still_is_no_variance_and_no_error() -> None:
    found = Variability()
    assert learn(found, 0, 0, 0) == [0, 0, 0]
    assert found.variance == 0
