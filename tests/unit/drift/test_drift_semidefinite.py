"""Positive semidefinite to the last digit, proven in rational numbers."""

from collections.abc import Sequence
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from drift_worlds import D
from hypothesis import given
from hypothesis import strategies as st

from trimtab.domain.amounts import SCALE
from trimtab.drift.correlations import RIDGE, Correlations
from trimtab.drift.memory import Memory
from trimtab.drift.semidefinite import definite, rounded


def semidefinite(matrix: Sequence[Sequence[Decimal]]) -> bool:
    """L D L' without rounding; a pivot of zero needs a column of zeros."""
    rows = [[Fraction(value) for value in row] for row in matrix]
    while rows:
        pivot, rest = rows[0][0], rows[1:]
        if pivot < 0 or (pivot == 0 and any(rows[0])):
            return False
        factors = [row[0] / pivot if pivot else Fraction(0) for row in rest]
        rows = [
            [value - factor * top for value, top in zip(row[1:], rows[0][1:], strict=True)]
            for row, factor in zip(rest, factors, strict=True)
        ]
    return True


def test_the_oracle_tells_apart() -> None:
    assert semidefinite([[D(1), D(1)], [D(1), D(1)]])
    assert semidefinite([[D(0), D(0)], [D(0), D(1)]])
    assert not semidefinite([[D(1), D("1.000000000000000001")], [D("1.000000000000000001"), D(1)]])
    assert not semidefinite([[D(0), D(1)], [D(1), D(1)]])


@pytest.mark.parametrize(("correlation", "expected"), [("0.9", True), ("-0.9", True), ("1", False), ("-1.1", False)])
def test_definite_looks_at_every_pivot(correlation: str, *, expected: bool) -> None:
    value = D(correlation)
    with localcontext(prec=34):
        assert definite([[D(1), value], [value, D(1)]], RIDGE / 2) is expected


def test_definite_agrees_with_numpy() -> None:
    random = np.random.default_rng(2)
    found = []
    for _ in range(60):
        full = np.eye(5) + np.triu(random.uniform(-0.75, 0.75, (5, 5)), 1)
        full = full + np.triu(full, 1).T
        with localcontext(prec=34):
            found.append(definite([[D(float(value)) for value in row] for row in full], RIDGE / 2))
        assert found[-1] == (np.linalg.eigvalsh(full).min() > 1e-8)
    assert 10 < sum(found) < 50


scores = st.lists(
    st.dictionaries(st.sampled_from("ABCDEF"), st.sampled_from((-5_000, -90, 0, 40, 900, 5_000)), min_size=1),
    min_size=1,
    max_size=25,
)


@given(scores, st.lists(st.integers(1, 10**24), min_size=6, max_size=6))
def test_what_is_published_is_semidefinite_whoever_was_silent_when(
    rounds: list[dict[str, int]], variances: list[int]
) -> None:
    with localcontext(prec=34):
        correlations = Correlations(Memory.of(D(20)))
        for found in rounds:
            correlations.learn({name: D(value) / 1_000 for name, value in found.items()})
        known = sorted(a for (a, b), pair in correlations.pairs.items() if a == b and pair.product)
        exact = [D(value) * SCALE for value, _ in zip(variances, known, strict=False)]
        matrix = rounded(correlations.matrix(known, 3), exact)
    assert semidefinite(matrix)
    for row, variance in zip(range(len(known)), exact, strict=True):
        assert 0 <= matrix[row][row] - variance <= len(known) * SCALE
    assert all(value == value.quantize(SCALE) for row in matrix for value in row)


def test_assets_that_are_all_but_one_stay_semidefinite_after_rounding() -> None:
    with localcontext(prec=34):
        one = (D(1) - RIDGE) * 1
        for size in (2, 12, 30):
            correlations = [[D(1) if i == j else one for j in range(size)] for i in range(size)]
            exact = [D("0.3") / (i + 7) for i in range(size)]
            assert semidefinite(rounded(correlations, exact))
            tiny = [variance * D("1e-12") for variance in exact]
            assert semidefinite(rounded(correlations, tiny))
