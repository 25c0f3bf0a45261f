"""Weights from a covariance: equal contributions, within bounds, on the grid, and an answer for every covariance."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from random import Random
from typing import NamedTuple

import pytest
from drift_worlds import D
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from trimtab.drift.allocation import (
    WEIGHT_STEP,
    Bounds,
    Matrix,
    UnallocatableError,
    inverse_volatility,
    on_grid,
    risk_weights,
)

NEAR = D("1e-9")
ENTRIES = st.integers(-20, 20)
DEVIATIONS = st.integers(1, 5_000).map(lambda n: D(n) / 1_000)


@st.composite
def covariances(draw: st.DrawFn, sizes: tuple[int, int] = (1, 6)) -> list[list[Decimal]]:
    """Every asset has noise of its own, so none is a copy of others; the rest is shared in any way."""
    size = draw(st.integers(*sizes))
    factors = [[D(draw(ENTRIES)) for _ in range(size)] for _ in range(draw(st.integers(0, 4)))]
    scale = [draw(DEVIATIONS) for _ in range(size)]
    return [
        [
            scale[i] * scale[j] * (sum((f[i] * f[j] for f in factors), D(0)) + (D(10) if i == j else D(0)))
            for j in range(size)
        ]
        for i in range(size)
    ]


class World(NamedTuple):
    """A covariance, bounds around some weights, however tight, and the sum of these weights, which is to be filled."""

    matrix: Matrix
    bounds: Bounds
    inside: list[Decimal]
    total: Decimal


@st.composite
def bounded(draw: st.DrawFn) -> World:
    matrix = draw(covariances((2, 6)))
    parts = [draw(st.integers(0, 100_000)) for _ in matrix]
    assume(sum(parts) > 0)
    inside = [D(part) * WEIGHT_STEP for part in parts]
    below = [D(draw(st.integers(0, 100_000))) * WEIGHT_STEP for _ in matrix]
    above = [D(draw(st.integers(0, 100_000))) * WEIGHT_STEP for _ in matrix]
    bounds = [(max(w - b, D(0)), min(w + a, D(1))) for w, b, a in zip(inside, below, above, strict=True)]
    return World(matrix, bounds, inside, sum(inside, D(0)))


def open_bounds(matrix: Matrix) -> Bounds:
    return [(D(0), D(1))] * len(matrix)


def contributions(matrix: Matrix, weights: Sequence[Decimal]) -> list[Decimal]:
    marginal = [sum((entry * w for entry, w in zip(row, weights, strict=True)), D(0)) for row in matrix]
    return [w * m for w, m in zip(weights, marginal, strict=True)]


@given(covariances())
def test_without_bounds_every_asset_contributes_alike(matrix: Matrix) -> None:
    weights = risk_weights(matrix, open_bounds(matrix), D("0.9"))
    parts = contributions(matrix, weights)
    mean = sum(parts, D(0)) / len(parts)
    assert all(abs(part - mean) <= NEAR * mean for part in parts)
    assert all(weight > 0 for weight in weights)
    assert abs(sum(weights, D(0)) - D("0.9")) < NEAR


@given(covariances(), st.randoms(use_true_random=False))
def test_the_order_of_the_assets_does_not_matter(matrix: Matrix, chance: Random) -> None:
    order = list(range(len(matrix)))
    chance.shuffle(order)
    shuffled = [[matrix[i][j] for j in order] for i in order]
    weights = risk_weights(matrix, open_bounds(matrix), D(1))
    other = risk_weights(shuffled, open_bounds(matrix), D(1))
    assert all(abs(other[place] - weights[i]) < NEAR for place, i in enumerate(order))


@given(covariances(), st.integers(-6, 6))
def test_the_scale_of_the_covariance_does_not_matter(matrix: Matrix, power: int) -> None:
    scaled = [[entry.scaleb(2 * power) for entry in row] for row in matrix]
    weights = risk_weights(matrix, open_bounds(matrix), D(1))
    other = risk_weights(scaled, open_bounds(matrix), D(1))
    assert all(abs(a - b) < NEAR for a, b in zip(weights, other, strict=True))


@given(covariances((2, 2)))
def test_two_assets_have_weights_by_inverse_volatility(matrix: Matrix) -> None:
    weights = risk_weights(matrix, open_bounds(matrix), D(1))
    inverse = inverse_volatility(matrix, open_bounds(matrix), D(1))
    assert all(abs(a - b) < NEAR for a, b in zip(weights, inverse, strict=True))


@given(covariances())
def test_inverse_volatility_is_what_it_says(matrix: Matrix) -> None:
    weights = inverse_volatility(matrix, open_bounds(matrix), D(1))
    products = [weight * row[i].sqrt() for i, (weight, row) in enumerate(zip(weights, matrix, strict=True))]
    assert all(abs(a - b) < NEAR * a for a, b in pairwise(products))


@settings(max_examples=50)
@given(bounded())
def test_bounds_hold_and_between_them_assets_contribute_alike(world: World) -> None:
    matrix, bounds, _, total = world
    weights = risk_weights(matrix, bounds, total)
    assert all(low - NEAR <= w <= high + NEAR for w, (low, high) in zip(weights, bounds, strict=True))
    assert abs(sum(weights, D(0)) - total) < 2 * NEAR
    if any(entry < 0 for row in matrix for entry in row):
        return  # assets that hedge each other may be allocated in proportion
    inside = D("0.000002")
    parts = contributions(matrix, weights)
    placed = list(zip(parts, weights, bounds, strict=True))
    free = [part for part, w, (low, high) in placed if low + inside < w < high - inside]
    if not free:
        return
    slack = D("0.0001") * max(free)
    assert max(free) - min(free) <= slack
    held_down = [part for part, w, (low, high) in placed if w >= high - NEAR and high - low > inside]
    held_up = [part for part, w, (low, high) in placed if w <= low + NEAR and high - low > inside]
    assert all(part <= max(free) + slack for part in held_down)
    assert all(part >= min(free) - slack for part in held_up)


@settings(max_examples=50)
@given(bounded())
def test_inverse_volatility_keeps_its_proportions_between_the_bounds(world: World) -> None:
    matrix, bounds, _, total = world
    weights = inverse_volatility(matrix, bounds, total)
    inside = D("0.000002")
    products = [
        w * matrix[i][i].sqrt()
        for i, (w, (low, high)) in enumerate(zip(weights, bounds, strict=True))
        if low + inside < w < high - inside
    ]
    assert all(abs(a - b) <= D("0.0001") * a for a, b in pairwise(products))


def test_assets_that_hedge_each_other_past_their_bounds_still_get_weights() -> None:
    matrix = [[D(9), D("-2.7")], [D("-2.7"), D(1)]]
    bounds = [(D("0.5"), D(1)), (D(0), D(1))]
    weights = on_grid(risk_weights(matrix, bounds, D(1)), bounds, D(1))
    assert weights == (D("0.5"), D("0.5"))


@pytest.mark.parametrize("correlation", ["1", "0.999999999999999999", "-0.999999999999"])
def test_copies_and_near_hedges_have_weights(correlation: str) -> None:
    matrix = [[D(1), 2 * D(correlation)], [2 * D(correlation), D(4)]]
    weights = on_grid(risk_weights(matrix, open_bounds(matrix), D(1)), open_bounds(matrix), D(1))
    assert weights == (D("0.666667"), D("0.333333"))


@pytest.mark.parametrize(
    ("matrix", "reason"),
    [
        ([[D(1), D(0)], [D(0), D(0)]], "without any volatility"),
        ([[D(1), D(0)], [D(0), D("-0.1")]], "without any volatility"),
        ([[D(1), D(-1)], [D(-1), D(1)]], "hedge each other completely"),
        ([[D(1), D(-5)], [D(-5), D(1)]], "hedge each other completely"),
    ],
)
def test_what_has_no_weights_has_a_reason(matrix: Matrix, reason: str) -> None:
    with pytest.raises(UnallocatableError, match=reason):
        risk_weights(matrix, open_bounds(matrix), D(1))


@settings(max_examples=60)
@given(st.integers(1, 4), st.data())
def test_any_numbers_have_weights_or_a_reason(size: int, data: st.DataObject) -> None:
    """Also what is no covariance at all."""
    entries = st.decimals(-10, 10, places=18)
    upper = [[data.draw(entries) for _ in range(size)] for _ in range(size)]
    matrix = [[upper[min(i, j)][max(i, j)] for j in range(size)] for i in range(size)]
    bounds = [(D(0), D("0.6"))] * size if size > 1 else [(D(0), D(1))]
    try:
        weights = on_grid(risk_weights(matrix, bounds, D(1)), bounds, D(1))
    except UnallocatableError:
        return
    assert sum(weights, D(0)) == 1
    assert all(low <= w <= high for w, (low, high) in zip(weights, bounds, strict=True))


@given(bounded(), st.data())
def test_on_the_grid_weights_sum_exactly_and_keep_to_their_bounds(world: World, data: st.DataObject) -> None:
    _, bounds, inside, total = world
    rough = [weight + data.draw(st.decimals("-0.000005", "0.000005", places=9)) for weight in inside]
    weights = on_grid(rough, bounds, total)
    assert sum(weights, D(0)) == total
    assert all(low <= w <= high for w, (low, high) in zip(weights, bounds, strict=True))
    assert all(w % WEIGHT_STEP == 0 for w in weights)


def test_what_rounding_leaves_goes_to_those_it_took_most_from() -> None:
    thirds = [D(1) / 3] * 3
    assert on_grid(thirds, [(D(0), D(1))] * 3, D(1)) == (D("0.333334"), D("0.333333"), D("0.333333"))
    assert on_grid([D("0.3000004"), D("0.6999996")], [(D(0), D(1))] * 2, D(1)) == (D("0.300000"), D("0.700000"))
