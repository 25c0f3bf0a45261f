"""A market that swings about a threshold, again and again: what chatters, and what it helps."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from trimtab.bench.row import Against, Row
from trimtab.bench.value.book import COST, RISK_AVERSION, Floats
from trimtab.bench.value.classic import Absolute
from trimtab.bench.value.region import SETTINGS, Region, estimated
from trimtab.bench.value.score import UNIT, live

_HOURS = 365 * 24
_PERIOD_HOURS = 24
_PATHS = 20
_TARGET, _VOLATILITY = 0.5, 0.7
_SWING = (1.1, 1.5)  # of the threshold, from trough to peak
_NOISE = 0.02  # of the threshold, standard deviation about the swing


@dataclass(frozen=True, slots=True)
class Swings:
    """One asset's price, half of the portfolio: a sine a day, high enough for the drift to pass the threshold."""

    threshold: float
    seed: int

    def market(self) -> Iterator[Floats]:
        """Yield each hour's returns, by account."""
        rng = np.random.default_rng(self.seed)
        heights = rng.uniform(*_SWING, (_PATHS, 1)) * self.threshold / 2
        phases = rng.uniform(0, 2 * np.pi, (_PATHS, 1))
        # A drift of the weight w in w (1 - w) times that of the price's logarithm.
        slope = _TARGET * (1 - _TARGET)
        before = heights * np.sin(phases) / slope
        for hour in range(1, _HOURS + 1):
            noise = _NOISE * self.threshold * rng.standard_normal((_PATHS, 1))
            after = (heights * np.sin(phases + 2 * np.pi * hour / _PERIOD_HOURS) + noise) / slope
            yield np.expm1(after - before)
            before = after


def measure(seed: int) -> list[Row]:
    """Return trades and risk of the region against a plain threshold at the region's own trigger."""
    targets = np.full((_PATHS, 1), _TARGET)
    half = (3 * COST / (2 * RISK_AVERSION) * (_TARGET * (1 - _TARGET)) ** 2) ** (1 / 3)
    threshold = half * float(SETTINGS.trigger * SETTINGS.region_scale)
    swings = Swings(threshold, seed)
    plain = live(swings.market(), Absolute(np.full(_PATHS, threshold)), targets, 1.0)
    rule = Region(targets, ["A"], estimated(["A"], np.array([[_VOLATILITY**2]])))
    region = live(swings.market(), rule, targets, 1.0)
    orders = Against("plain threshold at the same trigger, orders", float(plain.orders.mean()))
    risk = Against("plain threshold at the same trigger, risk", float(plain.risk.mean()))
    return [
        Row("value.chatter.orders", float(region.orders.mean()), "a year", orders, goal=0.03),
        Row("value.chatter.risk", float(region.risk.mean()), UNIT, risk, goal=1.0),
    ]
