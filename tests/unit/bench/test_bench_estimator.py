"""The markets of known covariance are what they say, and the estimator holds its own in them."""

from dataclasses import replace

import numpy as np
import pytest

from trimtab.bench import estimator as bench
from trimtab.bench.estimator import IN_STEP, LATE, QUOTED, ROUGH, Error, estimates, every_step, previous_tick
from trimtab.bench.suite import NAMES
from trimtab.bench.truth import STEPS, Truth, World

LAST = 1_499
BRIEF_ROUGH = replace(ROUGH, outages=((500, 8), (700, 45)), silence=(900, 400))


def test_what_moves_in_step_has_the_covariance_it_is_said_to_have() -> None:
    truth = Truth(IN_STEP, 1_500, count=4)
    error = Error.of(every_step(truth, [1_499])[1_499], truth)
    assert error.volatility < 0.03
    assert error.correlation < 0.2  # quotes of the same tenth of a second are not quite of the same time
    assert Error.of(np.outer(truth.volatilities, truth.volatilities) * truth.correlations, truth) == pytest.approx(
        Error(0, 0)
    )


def test_assets_are_quoted_as_often_as_said() -> None:
    truth = Truth(World("w", interval_seconds=(1.0, 8.0)), 2_000, count=2)
    changes = (np.diff(truth.quoted, axis=0) != 0).sum(axis=0)
    np.testing.assert_allclose(changes, [2_000, 250], rtol=0.15)
    assert truth.sampled.shape == (2_000, 2)
    assert (truth.sampled[7] == truth.quoted[8 * STEPS - 1]).all()


def test_misprints_noise_outages_and_silence_are_there() -> None:
    plain, rough = Truth(QUOTED, 1_500), Truth(BRIEF_ROUGH, 1_500)
    assert not (np.abs(plain.quoted) > 0.02).any()
    assert (np.abs(rough.quoted) > 0.02).any(axis=0).sum() >= 9
    assert (rough.sampled[901:1_299, -1] == rough.sampled[900, -1]).all()
    offsets = [market.offset for market in rough.markets()]
    assert len(offsets) == 1_500 - 53
    assert not set(offsets) & set(range(700, 745))


def test_the_same_seed_is_the_same_market() -> None:
    first, again, other = (Truth(QUOTED, 60, count=3, seed=seed) for seed in (1, 1, 2))
    assert (first.quoted == again.quoted).all()
    assert (first.quoted != other.quoted).any()
    assert list(first.markets()) == list(again.markets())


@pytest.mark.parametrize(("world", "volatility", "correlation"), [(QUOTED, 0.35, 0.35), (BRIEF_ROUGH, 0.01, 0.35)])
def test_noise_bad_prints_gaps_and_late_quotes_cost_a_fraction_of_what_they_cost_the_previous_tick(
    world: World, volatility: float, correlation: float
) -> None:
    truth = Truth(world, 1_500, count=6, seed=5)
    ours = Error.of(estimates(truth)[LAST], truth)
    theirs = Error.of(previous_tick(truth, [LAST])[LAST], truth)
    naive = Error.of(every_step(truth, [LAST])[LAST], truth)
    assert ours.volatility < volatility * theirs.volatility
    assert ours.correlation < correlation * theirs.correlation
    assert ours.volatility < naive.volatility
    assert ours.correlation < naive.correlation


def test_the_rows_have_goals_for_errors_and_for_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "_SECONDS", 200)
    monkeypatch.setattr(bench, "_MARKS", (150, 199))
    monkeypatch.setattr(bench, "_SEEDS", (1,))
    monkeypatch.setattr(bench, "_COST_SECONDS", 20)
    rows = {row.name: row for row in bench.measure()}
    assert "estimator" in NAMES
    for what in ("volatility_error", "correlation_error"):
        assert rows[f"estimator.in_step.{what}"].met is None
        assert rows[f"estimator.rough.{what}"].goal is not None
        assert rows[f"estimator.rough.naive.{what}"].ratio is not None
        assert rows[f"estimator.quoted.after_120_s.{what}"].goal is not None
    for seconds in LATE:
        found = rows[f"estimator.quoted_every_{seconds}_s.correlation_lost"]
        assert found.goal is not None
        assert found.against is not None
        assert found.against.value > 0.5
    assert rows["estimator.second_of_50_assets"].value > rows["estimator.second_of_12_assets"].value > 0
