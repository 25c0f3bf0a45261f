"""Landing: against a descent that takes its time, and against the conditions of a minimum."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

import numpy as np
import pytest
from drift_worlds import D
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.domain.amounts import CONTEXT, ZERO, quantise
from trimtab.drift.equations import Equations
from trimtab.drift.landing import Bounds, Landing

Row = Sequence[Decimal]


@dataclass(frozen=True)
class World:
    effective: list[Decimal]
    effects: list[list[Decimal]]
    edges: list[Decimal]
    bounds: list[Bounds]

    def land(self, order: Sequence[int] | None = None) -> Landing:
        with localcontext(CONTEXT):
            landing = Landing(self.effective, self.effects, self.edges, self.bounds)
            for index in order if order is not None else range(len(self.edges)):
                landing.activate(index)
            return landing


def exact(value: float, places: int = 9) -> Decimal:
    return D(str(round(value, places)))


@st.composite
def worlds(draw: st.DrawFn, *, singular: bool = False, forced: bool = False) -> World:
    size = draw(st.integers(1, 10))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    common = draw(st.sampled_from([0.0, 0.5, 1.0, 3.0]))
    factors = rng.standard_normal((size, 2 if singular else size + 3)) + common
    matrix = factors @ factors.T + 1e-3 * np.eye(size) * (not singular)
    root = np.sqrt(np.diag(matrix))
    effects = matrix / np.diag(matrix)[:, None]
    drifts = rng.normal(0, 0.05, size)
    rows = [[exact(value, 18) for value in row] for row in effects]
    with localcontext(CONTEXT):
        effective = [sum((e * exact(x) for e, x in zip(row, drifts, strict=True)), ZERO) for row in rows]
    lowest, highest = -rng.uniform(0, 0.2, size), rng.uniform(0, 0.2, size)
    if forced:
        shift = rng.uniform(-0.15, 0.15, size) * (rng.uniform(size=size) < 0.3)
        lowest, highest = lowest + shift, highest + shift
    edges = [exact(edge, 6) for edge in rng.uniform(0, 0.04, size) * root.mean() / root]
    bounds = [Bounds(exact(a, 4), max(exact(a, 4), exact(b, 4))) for a, b in zip(lowest, highest, strict=True)]
    return World(effective, rows, edges, bounds)


def descent(world: World) -> list[Decimal]:
    """One coordinate after the other with soft thresholds (Friedman et al. 2007), until next to nothing moves."""
    after, changes = list(world.effective), [ZERO] * len(world.edges)
    with localcontext(CONTEXT):
        for _ in range(50_000):
            moved = ZERO
            for i, edge in enumerate(world.edges):
                alone = after[i] - changes[i]
                wanted = edge - alone if alone > edge else -edge - alone if alone < -edge else ZERO
                change = quantise(world.bounds[i].clamp(wanted))
                step = change - changes[i]
                if step:
                    changes[i] = change
                    after = [value + row[i] * step for value, row in zip(after, world.effects, strict=True)]
                    moved = max(moved, abs(step))
            if moved <= D("1e-17"):
                break
    return changes


@settings(max_examples=150)
@given(worlds(), st.booleans())
def test_it_lands_where_a_long_descent_does(world: World, backwards: bool) -> None:  # noqa: FBT001 - drawn
    found = world.land(range(len(world.edges))[:: -1 if backwards else 1]).changes
    for one, other in zip(found, descent(world), strict=True):
        assert abs(one - other) < D("1e-11")


def assert_least(world: World, landing: Landing) -> None:
    """The conditions of a minimum: no change is worth more, up or down, than its edge."""
    slack = D("1e-12")
    rows = zip(landing.changes, landing.effective, world.edges, world.bounds, strict=True)
    for change, drift, edge, bound in rows:
        assert bound.lowest <= change <= bound.highest
        if change > bound.lowest:
            assert drift - edge <= slack if change <= 0 else drift + edge <= slack
        if change < bound.highest:
            assert drift + edge >= -slack if change >= 0 else drift - edge >= -slack


@settings(max_examples=150)
@given(st.one_of(worlds(), worlds(singular=True), worlds(forced=True), worlds(singular=True, forced=True)))
def test_nothing_is_left_to_gain_and_bounds_hold(world: World) -> None:
    landing = world.land()
    assert_least(world, landing)
    with localcontext(CONTEXT):
        for row, before, after in zip(world.effects, world.effective, landing.effective, strict=True):
            moved = sum((e * change for e, change in zip(row, landing.changes, strict=True)), ZERO)
            assert after == before + moved


def test_assets_that_cannot_be_told_apart_share_the_trade() -> None:
    same = [[D(1), D(1)], [D(1), D(1)]]
    wide = Bounds(D(-1), D(1))
    landing = World([D("0.1"), D("0.1")], same, [D("0.02"), D("0.02")], [wide, wide]).land()
    assert [quantise(value) for value in landing.effective] == pytest.approx([D("0.02")] * 2, abs=D("1e-13"))
    assert landing.changes[0] == pytest.approx(landing.changes[1], abs=D("1e-13"))


def test_an_asset_that_is_cured_by_another_is_left_alone() -> None:
    effects = [[D(1), D("0.9")], [D("0.9"), D(1)]]
    wide = Bounds(D(-1), D(1))
    landing = World([D("0.1"), D("0.05")], effects, [D("0.02"), D("0.03")], [wide, wide]).land([1, 0])
    assert landing.changes[1] == 0
    assert landing.effective[0] == pytest.approx(D("0.02"), abs=D("1e-13"))


def test_a_bound_that_forbids_to_stay_is_kept() -> None:
    landing = World([D("0.01")], [[D(1)]], [D("0.02")], [Bounds(D("-0.2"), D("-0.005"))]).land()
    assert (landing.changes, landing.effective) == ([D("-0.005")], [D("0.005")])


@settings(max_examples=100)
@given(st.lists(st.decimals(-3, 3, places=2), min_size=15, max_size=15), st.integers(2, 6))
def test_what_comes_from_no_covariance_ends_within_bounds(likeness: list[Decimal], size: int) -> None:
    values = iter(likeness)
    effects = [[D(1)] * size for _ in range(size)]
    for i in range(size):
        for j in range(i):
            effects[i][j] = effects[j][i] = next(values)
    bounds = [Bounds(D("-0.2"), D("0.3"))] * size
    landing = World([D("0.1") * (i - 2) for i in range(size)], effects, [D("0.02")] * size, bounds).land()
    assert all(D("-0.2") <= change <= D("0.3") for change in landing.changes)


@settings(max_examples=100)
@given(worlds(), st.lists(st.decimals(-1, 1, places=6), min_size=10, max_size=10))
def test_equations_are_solved(world: World, wanted: list[Decimal]) -> None:
    with localcontext(CONTEXT):
        size, equations = len(world.edges), Equations()
        for i, row in enumerate(world.effects):
            equations.extend(row[:i], [world.effects[j][i] for j in range(i)], row[i])
        right = [sum((e * x for e, x in zip(row, wanted[:size], strict=True)), ZERO) for row in world.effects]
        for found, value in zip(equations.solve(right), wanted[:size], strict=True):
            assert abs(found - value) < D("1e-60")


def test_equations_without_a_solution_say_so() -> None:
    with localcontext(CONTEXT):
        equations = Equations()
        equations.extend([], [], D(1))
        equations.extend([D(2)], [D(2)], D(4))
        with pytest.raises(ArithmeticError):
            equations.solve([D(1), D(1)])
