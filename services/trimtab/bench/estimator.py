"""How well risk is estimated where the truth is known, against simpler estimators, and what it costs."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from trimtab.bench.row import Against, Row
from trimtab.bench.truth import STEPS, Floats, Truth, World
from trimtab.drift.costs import YEAR_SECONDS
from trimtab.drift.estimator import Estimator
from trimtab.messages import Risk
from trimtab.settings import DriftSettings

SETTINGS = DriftSettings()
IN_STEP = World("in_step")
QUOTED = World("quoted", interval_seconds=(0.1, 5.0), noise_bp=(0.3, 3.0))
ROUGH = World(
    "rough",
    interval_seconds=(0.1, 5.0),
    noise_bp=(0.3, 3.0),
    misprints_per_hour=6,
    outages=((1_500, 8), (2_500, 45), (4_000, 150)),
    silence=(3_800, 1_000),
)
# Most that is left of the previous tick's error: volatilities, correlations. None: nothing to gain there.
GOALS: Mapping[World, tuple[float | None, float | None]] = {
    IN_STEP: (None, None),
    QUOTED: (0.2, 0.2),
    ROUGH: (0.005, 0.15),
}
LATE: Mapping[int, float] = {5: 0.2, 15: 0.5}
"""Most of the previous tick's loss of correlation, by how often the second of two assets is quoted."""
_SECONDS, _SEEDS = 5_400, (1, 2)
_MARKS = (3_600, 4_200, 4_790, _SECONDS - 1)
_EARLY = 120
_EARLY_GOAL = 0.75
_PREVIOUS_TICK, _EVERY_STEP = "previous tick at 1 s, exponential average", "every 100 ms, equal weights"
_GAP_MAX = 10
_COST_SECONDS = 300
_COST_GOAL_US = 50_000  # a twentieth of a core
_YEAR = float(YEAR_SECONDS)


@dataclass(frozen=True, slots=True)
class Error:
    """Root of the mean square: relative for volatilities, absolute for correlations."""

    volatility: float
    correlation: float

    @classmethod
    def of(cls, covariance: Floats, truth: Truth) -> "Error":
        """Return the error of one estimate."""
        found = np.sqrt(np.diag(covariance))
        pairs = np.triu_indices(truth.count, 1)
        apart = (covariance / np.outer(found, found) - truth.correlations)[pairs]
        return cls(_root(found / truth.volatilities - 1), _root(apart))

    @classmethod
    def mean(cls, errors: Iterable["Error"]) -> "Error":
        """Return the error over several estimates."""
        found = np.array([(error.volatility, error.correlation) for error in errors])
        return cls(_root(found[:, 0]), _root(found[:, 1]))


def measure() -> list[Row]:
    """Return the rows: errors in three kinds of market, and the time it takes."""
    rows = [row for world in GOALS for row in _rows(world)]
    rows += [_lost(interval_seconds) for interval_seconds in LATE]
    return rows + [_cost(count) for count in (12, 50)]


def estimates(truth: Truth, settings: DriftSettings = SETTINGS) -> dict[int, Floats]:
    """Return the covariance that was the latest at each second with one of all assets."""
    estimator, latest, found = Estimator("USDT", settings), None, {}
    for market in truth.markets():
        risk = estimator.observe(market)
        if risk is not None and risk.assets == truth.names:
            latest = full(risk)
        if latest is not None:
            found[market.offset] = latest
    return found


def full(risk: Risk) -> Floats:
    """Return an estimate as a full matrix."""
    size = len(risk.assets)
    upper = np.zeros((size, size))
    upper[np.triu_indices(size)] = [float(value) for value in risk.covariance]
    return upper + np.triu(upper, 1).T


def previous_tick(truth: Truth, marks: Iterable[int], settings: DriftSettings = SETTINGS) -> dict[int, Floats]:
    """Return the exponential average of previous-tick returns, the textbook's way, at these seconds."""
    decay = 0.5 ** (1 / settings.risk_half_life_seconds)
    wanted, found = set(marks), {}
    total, weight, before = np.zeros((truth.count, truth.count)), 0.0, 0
    heard = np.flatnonzero(truth.heard)
    for now in heard[1:]:
        steps = int(now) - before
        if steps <= _GAP_MAX:
            move = truth.sampled[now] - truth.sampled[before]
            keep = decay**steps
            total = total * keep + (1 - keep) * np.outer(move, move) * _YEAR / steps
            weight = weight * keep + 1 - keep
        before = int(now)
        if before in wanted:
            found[before] = total / weight
    return found


def every_step(truth: Truth, marks: Iterable[int]) -> dict[int, Floats]:
    """Return the realised covariance of everything that was quoted up to these seconds."""
    moves = np.diff(truth.quoted, axis=0)
    found = {}
    for mark in marks:
        past = moves[: mark * STEPS]
        found[mark] = past.T @ past * (_YEAR * STEPS / len(past))
    return found


def _rows(world: World) -> list[Row]:
    marks = (_EARLY, *_MARKS)
    truths = [Truth(world, _SECONDS, seed=seed) for seed in _SEEDS]
    ours = [(truth, estimates(truth)) for truth in truths]
    theirs = {
        _PREVIOUS_TICK: [(truth, previous_tick(truth, marks)) for truth in truths],
        _EVERY_STEP: [(truth, every_step(truth, marks)) for truth in truths],
    }
    rows = []
    for what, goals in ((_PREVIOUS_TICK, GOALS[world]), (_EVERY_STEP, (None, None))):
        suffix = "" if what == _PREVIOUS_TICK else ".naive"
        name = f"estimator.{world.name}{suffix}"
        rows += _compared(name, _error(ours, _MARKS), _error(theirs[what], _MARKS), what, goals)
    if world is QUOTED:
        early, against = _error(ours, (_EARLY,)), _error(theirs[_PREVIOUS_TICK], (_EARLY,))
        name = f"estimator.{world.name}.after_{_EARLY}_s"
        rows += _compared(name, early, against, _PREVIOUS_TICK, (_EARLY_GOAL, _EARLY_GOAL))
    return rows


def _lost(interval_seconds: int) -> Row:
    """Return the share of a correlation that is not found when one asset is quoted seldom (Epps 1979)."""
    world = World("late", interval_seconds=(0.1, interval_seconds), noise_bp=(0.3, 1.0))
    truths = [Truth(world, _SECONDS, 2, seed) for seed in _SEEDS]
    ours = [_missing(estimates(truth)[_MARKS[-1]], truth) for truth in truths]
    theirs = [_missing(previous_tick(truth, _MARKS[-1:])[_MARKS[-1]], truth) for truth in truths]
    against = Against(_PREVIOUS_TICK, float(np.mean(theirs)))
    name = f"estimator.quoted_every_{interval_seconds}_s.correlation_lost"
    return Row(name, float(np.mean(ours)), "share", against, LATE[interval_seconds])


def _missing(covariance: Floats, truth: Truth) -> float:
    return float(1 - covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]) / truth.correlations[0, 1])


def _compared(name: str, ours: Error, theirs: Error, what: str, goals: tuple[float | None, float | None]) -> list[Row]:
    return [
        Row(f"{name}.volatility_error", ours.volatility, "share", Against(what, theirs.volatility), goals[0]),
        Row(f"{name}.correlation_error", ours.correlation, "1", Against(what, theirs.correlation), goals[1]),
    ]


def _error(found: Iterable[tuple[Truth, Mapping[int, Floats]]], marks: Iterable[int]) -> Error:
    return Error.mean(Error.of(matrices[mark], truth) for truth, matrices in found for mark in marks)


def _cost(count: int) -> Row:
    """Return the processor time that a second of market takes, estimates published as configured."""
    markets = list(Truth(QUOTED, _COST_SECONDS, count).markets())
    estimator = Estimator("USDT", SETTINGS)
    began = time.process_time()
    for market in markets:
        estimator.observe(market)
    took_us = (time.process_time() - began) * 1e6 / _COST_SECONDS
    return Row(f"estimator.second_of_{count}_assets", took_us, "us", goal=_COST_GOAL_US)


def _root(values: Floats) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
