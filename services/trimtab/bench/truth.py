"""Markets whose covariance is known: correlated prices in continuous time, and what can be seen of them.

Log prices follow a Brownian motion with one common factor, in steps of a tenth of a second. Each asset is quoted at
random times of its own, with noise; some quotes are misprints, some seconds are never heard of, some assets fall
silent. What is seen, a sample a second, is what the estimators get; the truth is what they are held against.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from trimtab.domain.instruments import Instrument
from trimtab.domain.market import Level, Market, Quote
from trimtab.drift.costs import YEAR_SECONDS

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

START_US = 1_700_000_000_000_000
STEPS = 10  # a second
_YEAR = float(YEAR_SECONDS)
_PRICE = 1_000.0
_TICK = Decimal("0.0001")
_SIZE = Decimal(10)
_LEAST_MISPRINT, _MOST_MISPRINT = 0.02, 0.3


@dataclass(frozen=True)
class World:
    """What a market is like. Intervals and noise go from the first number to the second over the assets.

    `interval_seconds` is the mean time between an asset's quotes, `noise_bp` the standard deviation of a quote's error,
    `misprints_per_hour` counts for each asset. For `outages` (begin, length in seconds) no frame comes at all; the
    last asset's book does not change during `silence`.
    """

    name: str
    interval_seconds: tuple[float, float] = (0.05, 0.05)
    noise_bp: tuple[float, float] = (0.0, 0.0)
    misprints_per_hour: float = 0.0
    outages: tuple[tuple[int, int], ...] = ()
    silence: tuple[int, int] | None = None


@dataclass(frozen=True)
class Truth:
    """A market of `count` assets for so many seconds, from a seed."""

    world: World
    seconds: int
    count: int = 12
    seed: int = 1

    @cached_property
    def volatilities(self) -> Floats:
        """Per root of a year."""
        return np.linspace(0.4, 1.4, self.count)

    @cached_property
    def correlations(self) -> Floats:
        loads = np.linspace(0.92, 0.65, self.count)
        found: Floats = np.outer(loads, loads)
        np.fill_diagonal(found, 1)
        return found

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The assets, sorted."""
        return tuple(f"A{number:02}" for number in range(self.count))

    @cached_property
    def quoted(self) -> Floats:
        """Log mids as of every step: the last quote's. (steps, assets)"""
        random = np.random.default_rng(self.seed)
        steps, shape = self.seconds * STEPS, (self.seconds * STEPS, self.count)
        root = np.linalg.cholesky(self.correlations) * self.volatilities[:, None] / np.sqrt(_YEAR * STEPS)
        true = np.cumsum(random.standard_normal(shape) @ root.T, axis=0)
        intervals = np.geomspace(*self.world.interval_seconds, self.count)
        seen = random.random(shape) < -np.expm1(-1 / STEPS / intervals)
        shown = true + random.standard_normal(shape) * np.linspace(*self.world.noise_bp, self.count) * 1e-4
        chance = self.world.misprints_per_hour / 3_600 / STEPS / np.maximum(seen.mean(axis=0), 1e-12)
        wrong = seen & (random.random(shape) < chance)
        shown += wrong * random.choice([-1, 1], shape) * random.uniform(_LEAST_MISPRINT, _MOST_MISPRINT, shape)
        if self.world.silence is not None:
            begin, length = self.world.silence
            seen[begin * STEPS : (begin + length) * STEPS, -1] = False
        seen[0] = True
        latest = np.maximum.accumulate(np.where(seen, np.arange(steps)[:, None], 0), axis=0)
        found: Floats = np.take_along_axis(shown, latest, axis=0)
        return found

    @cached_property
    def sampled(self) -> Floats:
        """Log mids as of every second, outages left as they are. (seconds, assets)"""
        return self.quoted[STEPS - 1 :: STEPS]

    @cached_property
    def heard(self) -> Flags:
        """Whether a frame comes in a second at all."""
        found = np.ones(self.seconds, dtype=bool)
        for begin, length in self.world.outages:
            found[begin : begin + length] = False
        return found

    def markets(self) -> Iterator[Market]:
        """Yield the market of every second with a frame, as an estimator sees it."""
        rules = [_instrument(name) for name in self.names]
        books: list[Quote | None] = [None] * self.count
        logs = np.full(self.count, np.nan)
        for second in np.flatnonzero(self.heard):
            now_us = START_US + int(second) * 1_000_000
            for i in np.flatnonzero(self.sampled[second] != logs):
                books[i] = _quote(rules[i], float(self.sampled[second, i]), now_us)
            logs = self.sampled[second]
            quotes = {book.instrument.key: book for book in books if book is not None}
            yield Market(int(second), now_us, complete=True, instruments={r.key: r for r in rules}, quotes=quotes)


def _instrument(base: str) -> Instrument:
    fee, least = Decimal("0.001"), Decimal(5)
    return Instrument("bench", f"{base}/USDT", base, "USDT", _TICK, _TICK, _TICK, least, fee, fee)


def _quote(rules: Instrument, log: float, now_us: int) -> Quote:
    mid = Decimal(repr(_PRICE * np.exp(log).item())).quantize(_TICK)
    return Quote(rules, now_us, (Level(mid - _TICK, _SIZE),), (Level(mid + _TICK, _SIZE),))
