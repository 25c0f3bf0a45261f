"""Correlations with a long memory: the mean that few returns are pulled to, silence, newcomers."""

from decimal import Decimal, localcontext

import numpy as np
import pytest
from drift_worlds import D

from trimtab.drift.correlations import Correlations
from trimtab.drift.memory import Memory

NAMES = ("A", "B", "C", "D")
TRUTH = np.array([[1, 0.9, 0.5, 0.5], [0.9, 1, 0.5, 0.5], [0.5, 0.5, 1, 0.1], [0.5, 0.5, 0.1, 1]])


ALIKE = np.where(np.eye(4) > 0, 1, 0.6)


def learnt(
    count: int,
    *,
    seed: int = 1,
    names: tuple[str, ...] = NAMES,
    known: Correlations | None = None,
    truth: np.ndarray = TRUTH,
) -> Correlations:
    random = np.random.default_rng(seed)
    drawn = random.multivariate_normal(np.zeros(4), truth, size=count)
    with localcontext(prec=34):
        found = known or Correlations(Memory.of(D(10**6)))
        for row in drawn:
            found.learn({n: D(round(float(v), 6)) for n, v in zip(NAMES, row, strict=True) if n in names})
    return found


def matrix(found: Correlations, names: tuple[str, ...] = NAMES, half: int = 1) -> np.ndarray:
    with localcontext(prec=34):
        return np.array([[float(value) for value in row] for row in found.matrix(names, half)])


def spread(found: np.ndarray) -> float:
    return float(found[np.triu_indices(len(found), 1)].std())


def test_many_returns_speak_for_themselves() -> None:
    np.testing.assert_allclose(matrix(learnt(4_000)), TRUTH, atol=0.05)


def test_few_returns_are_pulled_to_their_mean_and_the_more_the_less_independent_they_are() -> None:
    raw = spread(matrix(learnt(4_000)))
    assert spread(matrix(learnt(20))) < spread(matrix(learnt(60))) < raw
    found = learnt(60)
    assert spread(matrix(found, half=30)) < spread(matrix(found, half=5))
    assert spread(matrix(found, half=30)) < 1e-12


def test_where_correlations_are_alike_pulling_them_together_lowers_the_error() -> None:
    raw, pulled = [], []
    for seed in range(20):
        found = learnt(25, seed=seed, truth=ALIKE)
        products = np.array([[float(found.pairs[min(a, b), max(a, b)].product) for a in NAMES] for b in NAMES])
        scale = np.sqrt(np.diag(products))
        raw.append(np.square(products / np.outer(scale, scale) - ALIKE).mean())
        pulled.append(np.square(matrix(found) - ALIKE).mean())
    assert np.mean(pulled) < 0.7 * np.mean(raw)


def test_two_assets_have_nothing_to_be_pulled_to() -> None:
    found = learnt(10, names=("A", "B"))
    a, b, ab = (float(found.pairs[pair].product) for pair in (("A", "A"), ("B", "B"), ("A", "B")))
    assert matrix(found, ("A", "B"))[0, 1] == pytest.approx(ab / np.sqrt(a * b), rel=1e-8)


def test_a_silent_asset_keeps_what_is_known_of_it() -> None:
    with localcontext(prec=34):
        short = Correlations(Memory.of(D(100)))
    found = learnt(2_000, known=short)
    before = matrix(found)
    after = matrix(learnt(2_000, seed=9, names=("B", "C"), known=found))
    np.testing.assert_allclose(after[0], before[0], atol=0.1)
    assert after[0, 1] > 0.8


def test_a_pair_that_never_moved_together_has_the_mean() -> None:
    found = learnt(3_000, names=("A", "B", "C"))
    found = learnt(3_000, seed=4, names=("D",), known=found)
    seen = matrix(found)
    mean = seen[:3, :3][np.triu_indices(3, 1)].mean()
    np.testing.assert_allclose(seen[3, :3], mean, atol=0.01)


def test_a_newcomer_does_not_disturb_what_is_known() -> None:
    old = learnt(3_000, names=("A", "B", "C"))
    before = matrix(old, ("A", "B", "C"))
    after = matrix(learnt(12, seed=3, known=old))
    np.testing.assert_allclose(after[:3, :3], before, atol=0.03)


def test_assets_that_were_heard_of_at_different_times_are_not_correlated_beyond_one() -> None:
    """Both move much together, then the first hardly at all alone: its squares say little of what they shared."""
    with localcontext(prec=34):
        found = Correlations(Memory.of(D(20)))
        found.learn({"A": D(5), "B": D(5)})
        for _ in range(6):
            found.learn({"A": D("0.1")})
        (one, both), (again, other) = found.matrix(("A", "B"), 3)
    assert one == other == 1
    assert 0.99 < both == again < 1


def test_a_pair_of_which_one_has_no_squares_yet_has_the_mean() -> None:
    with localcontext(prec=34):
        found = Correlations(Memory.of(D(20)))
        for score in (D(1), D(-1), D(1)):
            found.learn({"A": score, "B": score, "C": D(0)})
        for names in (("A", "B", "C"), ("A", "B", "D")):
            assert found.matrix(names, 1)[0][2] == found.matrix(names, 1)[0][1]


def test_what_is_forgotten_is_gone() -> None:
    found = learnt(10)
    found.forget("B")
    assert all("B" not in pair for pair in found.pairs)
    assert len(found.pairs) == 6


def test_nothing_is_a_matrix_of_nothing() -> None:
    assert matrix(learnt(3), ()).size == 0
    assert matrix(learnt(3), ("A",)).tolist() == [[1.0]]


def test_a_memory_is_a_mean_at_first_and_fades_by_half_in_its_half_life() -> None:
    with localcontext(prec=34):
        memory = Memory.of(D(50))
        assert memory.weight(1) == 1
        assert memory.weight(4) == D("0.25")
        assert memory.weight(10**9) == memory.newest
        left = Decimal(1)
        for _ in range(50):
            left *= 1 - memory.newest
        assert float(left) == pytest.approx(0.5)
        assert float(memory.weight(10**9, 50)) == pytest.approx(0.5)
        assert memory.length(3) == 3
        assert float(memory.length(10**9)) == pytest.approx(2 * 50 / np.log(2), rel=0.01)
