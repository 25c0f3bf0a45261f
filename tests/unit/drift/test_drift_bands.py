"""Bands: the formula against plain floats, its invariances, its limits, and the screen's bound below it."""

from collections.abc import Sequence
from decimal import Decimal, localcontext

import numpy as np
import pytest
from drift_worlds import NOW_US, SETTINGS, D
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.domain.amounts import CONTEXT
from trimtab.drift.bands import OWN_PART, Band, bands
from trimtab.drift.envelope import Estimate
from trimtab.messages import Risk

AVERSION = D(3)


def found(covariance: Sequence[Sequence[float]], targets: Sequence[float]) -> tuple[Band, ...]:
    exact = [[D(str(round(value, 12))) for value in row] for row in covariance]
    with localcontext(CONTEXT):
        return bands(exact, [D(str(round(w, 9))) for w in targets], AVERSION, SETTINGS)


def correlated(volatilities: Sequence[float], correlation: float) -> list[list[float]]:
    return [
        [a * b * (1 if i == j else correlation) for j, b in enumerate(volatilities)] for i, a in enumerate(volatilities)
    ]


@st.composite
def estimates(draw: st.DrawFn, assets_max: int = 8) -> tuple[list[list[float]], list[float]]:
    size = draw(st.integers(1, assets_max))
    seed = draw(st.integers(0, 10**6))
    rng = np.random.default_rng(seed)
    common = draw(st.sampled_from([0.0, 0.5, 1.0, 3.0, 30.0]))
    factors = rng.standard_normal((size, size + 2)) + common * rng.standard_normal(size + 2)
    raw = factors @ factors.T
    unit = raw / np.sqrt(np.outer(np.diag(raw), np.diag(raw)))
    volatility = rng.uniform(0.05, 1.5, size)
    weights = rng.uniform(0, 1, size)
    weights[rng.uniform(size=size) < 0.1] = 0
    share = draw(st.sampled_from([1.0, 0.9, 0.5]))
    total = weights.sum() or 1.0
    return (unit * np.outer(volatility, volatility)).tolist(), (weights / total * share).tolist()


def by_floats(
    covariance: list[list[float]], targets: list[float], widest: float = 8.0
) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """The formula of the docstring, written down again with matrices."""
    s = np.array(covariance)
    s[np.diag_indices_from(s)] *= 1 + float(OWN_PART)
    w, v = np.array(targets), np.diag(s)
    r = s / np.sqrt(np.outer(v, v))
    a = s / v[:, None] / (1 + np.sqrt(1 - np.minimum(r * r, 1)))
    np.fill_diagonal(a, 1)
    m = np.diag(w) - np.outer(w, w)
    c = m @ s @ m
    d = np.diag(a @ c @ a.T)
    want = w > 0
    if not want.any():
        return np.zeros(len(w))
    p, sw, cw = (x[np.ix_(want, want)] for x in (v[:, None] * a, s, c))
    left = np.trace(sw @ np.linalg.inv(p) @ np.diag(v[want]) @ cw)
    k = np.trace(p @ cw) ** 2 / ((v * d)[want].sum() * left) if left > 0 else np.inf
    return np.asarray(min(k, widest) * 3 * d / (2 * float(AVERSION) * v))


@settings(max_examples=200)
@given(estimates())
def test_it_is_the_formula(world: tuple[list[list[float]], list[float]]) -> None:
    covariance, targets = world
    exact = [float(band.cubed) for band in found(covariance, targets)]
    if sum(weight > 0 for weight in targets) > 1 or max(targets) < 0.99:
        assert exact == pytest.approx(by_floats(covariance, targets), rel=1e-5, abs=1e-12)


@pytest.mark.parametrize("weight", [0.1, 0.5, 0.8])
def test_one_asset_has_the_asymptotic_band(weight: float) -> None:
    (band,) = found([[0.49]], [weight])
    assert float(band.half(D("0.0012"))) == pytest.approx(
        (3 * 0.0012 / 6 * weight**2 * (1 - weight) ** 2) ** (1 / 3), rel=1e-12
    )


@pytest.mark.parametrize(
    ("correlations", "volatilities", "weights"),
    [
        ((0.991, 0.985, 0.960), (0.98, 0.56, 0.33), (0.32, 0.43, 0.25)),  # the formula says 9.7
        ((0.994, 0.958, 0.980), (0.57, 0.79, 0.49), (0.54, 0.31, 0.15)),  # it takes the risk that is left for negative
    ],
)
def test_hardly_different_assets_without_cash_have_twice_the_width_at_most(
    correlations: tuple[float, ...], volatilities: tuple[float, ...], weights: tuple[float, ...]
) -> None:
    first, second, third = correlations
    market = np.array([[1, first, second], [first, 1, third], [second, third, 1]])
    covariance = (market * np.outer(volatilities, volatilities)).tolist()
    bounded = [float(band.cubed) for band in found(covariance, weights)]
    assert bounded == pytest.approx(by_floats(covariance, list(weights), widest=8), rel=1e-5)
    assert bounded != pytest.approx(by_floats(covariance, list(weights), widest=20), rel=0.1)


def test_assets_alike_without_correlation_have_a_band_each_for_itself() -> None:
    (first, *_), (wide, *_) = found(correlated([0.7, 0.7, 0.7], 0), [0.3, 0.3, 0.3]), found([[0.49]], [0.3])
    assert first.effect == (1, 0, 0)
    flow = 0.3**2 * 0.49 * ((1 - 0.3) ** 2 + 2 * 0.3**2) * (1 + float(OWN_PART))
    assert float(first.flow) == pytest.approx(flow, rel=1e-9)
    assert float(wide.flow) == pytest.approx(0.3**2 * 0.7**2 * 0.49 * (1 + float(OWN_PART)), rel=1e-9)


@pytest.mark.parametrize(("correlation", "share"), [(0.1, 0.0501), (0.6, 0.3333), (0.999, 0.95)])
def test_another_asset_counts_half_when_unlike_and_whole_when_alike(correlation: float, share: float) -> None:
    (first, _) = found(correlated([0.5, 1.0], correlation), [0.4, 0.4])
    assert float(first.effect[1]) == pytest.approx(2 * share, rel=0.01)  # per unit of an asset twice as volatile


@settings(max_examples=60)
@given(estimates(), st.sampled_from([0.01, 0.5, 7.0]))
def test_the_level_of_volatility_changes_no_band(world: tuple[list[list[float]], list[float]], factor: float) -> None:
    covariance, targets = world
    scaled = [[value * factor for value in row] for row in covariance]
    for one, other in zip(found(covariance, targets), found(scaled, targets), strict=True):
        assert float(other.cubed) == pytest.approx(float(one.cubed), rel=1e-5, abs=1e-12)


@settings(max_examples=60)
@given(estimates(), st.randoms(use_true_random=False))
def test_the_order_of_the_assets_changes_nothing(world: tuple[list[list[float]], list[float]], random: object) -> None:
    covariance, targets = world
    order = list(range(len(targets)))
    random.shuffle(order)  # type: ignore[attr-defined]  # hypothesis gives random.Random without saying so
    shuffled = found([[covariance[i][j] for j in order] for i in order], [targets[i] for i in order])
    plain = found(covariance, targets)
    for place, i in enumerate(order):
        assert abs(shuffled[place].cubed - plain[i].cubed) <= D("1e-17")
        assert shuffled[place].effect == tuple(plain[i].effect[j] for j in order)


def test_assets_that_become_one_have_a_limit() -> None:
    targets = [0.4, 0.4]
    near, same = found(correlated([0.6, 0.6], 1 - 1e-9), targets), found(correlated([0.6, 0.6], 1), targets)
    assert float(near[0].cubed) == pytest.approx(float(same[0].cubed), rel=1e-4)
    assert float(same[0].effect[1]) > 0.98
    fully = found(correlated([0.6, 0.6], 1), [0.5, 0.5])
    assert fully[0].cubed > 0


@pytest.mark.parametrize("correlation", [1.5, 1.0001, -3.0])
def test_what_is_no_covariance_still_gives_bands(correlation: float) -> None:
    for band in found(correlated([0.6, 0.6, 0.6], correlation), [0.3, 0.3, 0.3]):
        assert band.cubed >= 0
        assert all(value.is_finite() for value in band.effect)


def test_a_target_of_everything_has_no_drift_and_so_no_band() -> None:
    assert [band.cubed for band in found([[0.49]], [1.0])] == [0]


def likeness(covariance: Sequence[Sequence[float]]) -> list[float]:
    """The correlations."""
    volatility = [row[i] ** 0.5 for i, row in enumerate(covariance)]
    return [row[j] / volatility[i] / volatility[j] for i, row in enumerate(covariance) for j in range(i)]


def published(covariance: Sequence[Sequence[float]]) -> Risk:
    names = tuple(f"A{i:02}" for i in range(len(covariance)))
    upper = tuple(D(str(round(covariance[i][j], 12))) for i in range(len(names)) for j in range(i, len(names)))
    return Risk("r", NOW_US, 5, "USDT", "test", 1_000, names, upper, tuple(D(1) for _ in names))


@settings(max_examples=300)
@given(estimates(), st.sampled_from([None, None, None, 1.0, 1.0002, 1.7]))
def test_the_screens_bound_is_never_above_and_hardly_below(
    world: tuple[list[list[float]], list[float]], beyond: float | None
) -> None:
    covariance, targets = world
    if beyond is not None:
        covariance = correlated([row[i] ** 0.5 for i, row in enumerate(covariance)], beyond)
    estimate = published(covariance)
    weights = np.array([[float(round(weight, 9))] for weight in targets])
    lower = Estimate.of(estimate, estimate.assets).cubed(weights, np.array([float(AVERSION)]), np.array([1.0]))
    for band, bound in zip(found(covariance, targets), lower[:, 0], strict=True):
        assert Decimal(bound) <= band.cubed
        # where next to nothing drifts, or assets are one, digits cancel
        usual = beyond is None and sum(targets) < 0.95 and all(abs(value) < 0.999 for value in likeness(covariance))
        assert not usual or bound >= float(band.cubed) * (1 - 1e-4) - 1e-15
