"""The prices of a synthetic market: correlated, fat-tailed, with clustered volatility and jumps.

Log returns of a step: volatility x (loading x common + sqrt(1 - loading^2) x own), both shocks Student-t with 4
degrees of freedom scaled to unit variance. Log volatility is an Ornstein-Uhlenbeck process around the symbol's mean,
driven by a common and an own shock and pushed up by large returns (clusters). Jumps come as a Poisson process, common
or own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

_SECONDS_PER_YEAR = 365 * 86400
_ANNUAL_VOLATILITY = {"BTC": 0.5, "ETH": 0.65, "BNB": 0.55, "LTC": 0.7, "XRP": 0.8, "SOL": 0.9, "DOGE": 1.0}
_OTHER_VOLATILITY = 0.85
_LOADING = {"BTC": 0.9, "ETH": 0.88, "BNB": 0.75}
_OTHER_LOADING = 0.78
_FREEDOM = 4.0
_REVERSION_PER_SECOND = 0.02
_VOLATILITY_OF_VOLATILITY = 0.12  # per square root of a second
_CLUSTERING = 0.03
_JUMPS_PER_SECOND = 1 / 600
_JUMP_SIZE = 25.0  # in standard deviations of one second


@dataclass(frozen=True, slots=True)
class Moves:
    """One step of all symbols: log returns, and volatility as a multiple of its own mean."""

    returns: Vector
    heat: Vector


class Prices:
    """A seeded price process for some base assets. `scale` multiplies every volatility, `step_seconds` is one step."""

    def __init__(self, bases: Sequence[str], generator: np.random.Generator, step_seconds: float, scale: float) -> None:
        self._generator = generator
        self._step = step_seconds
        annual = np.array([_ANNUAL_VOLATILITY.get(base, _OTHER_VOLATILITY) for base in bases])
        self._mean: Vector = annual * scale / np.sqrt(_SECONDS_PER_YEAR)
        self._loading: Vector = np.array([_LOADING.get(base, _OTHER_LOADING) for base in bases])
        self._own: Vector = np.sqrt(1 - self._loading**2)
        self._heat: Vector = np.zeros(len(bases))

    def step(self) -> Moves:
        """The next step."""
        generator, count = self._generator, len(self._mean)
        unit = np.sqrt((_FREEDOM - 2) / _FREEDOM)
        common = generator.standard_t(_FREEDOM) * unit
        own = generator.standard_t(_FREEDOM, count) * unit
        shock = self._loading * common + self._own * own
        heat = np.exp(self._heat)
        deviation = self._mean * heat * np.sqrt(self._step)
        returns = deviation * shock + self._jumps(count)
        noise = 0.7 * generator.standard_normal() + 0.7 * generator.standard_normal(count)
        self._heat = self._heat * (1 - _REVERSION_PER_SECOND * self._step)
        self._heat = self._heat + _VOLATILITY_OF_VOLATILITY * np.sqrt(self._step) * noise
        self._heat = self._heat + _CLUSTERING * np.maximum(np.abs(shock) - 2.0, 0.0)
        self._heat = np.clip(self._heat, -1.2, 1.8)
        return Moves(returns, heat)

    def _jumps(self, count: int) -> Vector:
        generator, chance = self._generator, _JUMPS_PER_SECOND * self._step
        together = _JUMP_SIZE * self._loading * generator.standard_normal() * (generator.random() < chance / 4)
        alone = _JUMP_SIZE * generator.standard_normal(count) * (generator.random(count) < chance)
        jumps: Vector = self._mean * (together + alone)
        return jumps
