"""The covariance of log returns, from frames alone, as everybody else reads it from market.risk.

Prices are looked at on a fixed grid of event time (track.py). At each grid point every asset that is heard of gives one
averaged return, which overlaps those before: the pre-averaged covariance of Christensen, Kinnebrock & Podolskij
(2010) in its positive semidefinite form, which noise and asynchronous quotes do not bias much. Each asset has a
volatility of its own with a short memory (variability.py), all of them correlations with a long one (correlations.py;
Engle 2002), both without a mean and exponentially weighted. The matrix that is published is positive semidefinite to
the last digit (semidefinite.py).

The span of the averages grows with the root of the time since the start (the rate of Jacod et al. 2009) up to the
horizon, so that there is a rough estimate after seconds. docs/risk.md says what was measured.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from math import isqrt

from trimtab.domain.amounts import ZERO, quantise
from trimtab.domain.ids import derive
from trimtab.domain.market import Market, Quote
from trimtab.drift.correlations import Correlations
from trimtab.drift.costs import YEAR_SECONDS
from trimtab.drift.memory import Memory
from trimtab.drift.semidefinite import rounded
from trimtab.drift.track import Leap, Track, doubt_of, variance_of
from trimtab.drift.variability import Variability
from trimtab.messages import Risk
from trimtab.settings import DriftSettings

METHOD = "pre-averaged log mid returns"
# Time that goes back further, in grid points, is another recording.
BACK_POINTS_MAX = 10
# A silence of fewer points than this is no silence, however short the span.
PATIENCE_MIN = 10
# Intervals of the grid that drift velocities are taken over.
RECENT_POINTS = 3
# The long-run level's half-life, in half-lives of the volatility.
LONG_RUN_FACTOR = 24

# Statistics, not money: enough digits that rounding never shows in 18 decimals. Every operation in use is rounded
# correctly (also ln, exp and sqrt), so that all machines find the same.
_CONTEXT = Context(prec=34, rounding=ROUND_HALF_EVEN)


@dataclass(slots=True)
class _Asset:
    track: Track
    volatility: Variability = field(default_factory=Variability)


@dataclass(slots=True)
class Estimator:
    """The estimate for every asset priced in one quote currency. Same frames, same estimates, to the last digit."""

    quote: str
    settings: DriftSettings
    _before: Market = field(default_factory=Market)
    _grid: int | None = None
    _age: int = 0  # grid points since the start, also of the worker before
    _assets: dict[str, _Asset] = field(default_factory=dict)
    _published_us: int | None = None
    _news: bool = False
    _half_max: int = field(init=False)  # half the span of an averaged return, in grid points
    _patience: int = field(init=False)
    _doubt: Decimal = field(init=False)
    _memory: Memory = field(init=False)
    _long_memory: Memory = field(init=False)
    _correlations: Correlations = field(init=False)

    def __post_init__(self) -> None:
        self._half_max = self.settings.risk_span_points // 2
        self._patience = max(2 * self._half_max, PATIENCE_MIN)
        with localcontext(_CONTEXT):
            self._doubt = doubt_of(Decimal(str(self.settings.risk_sample_seconds)))
            self._memory = Memory.of(self._points(self.settings.risk_half_life_seconds))
            self._long_memory = Memory.of(self._memory.half_life * LONG_RUN_FACTOR)
            half_life = self._points(self.settings.risk_correlation_half_life_seconds)
            self._correlations = Correlations(Memory.of(half_life))

    @property
    def published_us(self) -> int | None:
        """Event time of the last estimate that was handed out or resumed from."""
        return self._published_us

    def resume(self, risk: Risk) -> None:
        """Go on from an estimate another worker published: it is the whole memory of an exponential average."""
        entries, n = iter(risk.covariance), risk.observations
        found = {(a, b): next(entries) for i, a in enumerate(risk.assets) for b in risk.assets[i:]}
        with localcontext(_CONTEXT):
            for asset, long_run in zip(risk.assets, risk.long_run_variance, strict=True):
                self._assets[asset] = _Asset(self._track(), Variability(found[asset, asset], long_run, n))
            for (first, second), value in found.items():
                product = found[first, first] * found[second, second]
                if product:
                    self._correlations.put(first, second, value / product.sqrt(), n)
        self._age = n
        self._published_us = risk.event_time_us

    def observe(self, market: Market) -> Risk | None:
        """Take the market after one more frame; return an estimate when one is due and there is something new."""
        grid = market.event_time_us // self._step_us()
        if self._went_back(grid):
            self._grid, self._published_us = None, None
            for asset in self._assets.values():
                asset.track = self._track()
        if self._grid is None:
            self._grid = grid
        elif grid > self._grid and self._before.complete:
            with localcontext(_CONTEXT):
                self._advance(grid - self._grid)
            self._grid = grid
        self._before = market
        return self._estimate(market) if self._due(market.event_time_us) else None

    def _went_back(self, grid: int) -> bool:
        """Tell whether time began anew (another recording): what was seen last then says nothing of what comes now."""
        published = (self._published_us or 0) // self._step_us()
        return grid < max(self._grid or 0, published) - BACK_POINTS_MAX

    def _advance(self, points: int) -> None:
        """Pass so many grid points, all of which the market before stands for."""
        rules = self._before.instruments.values()
        listed = {rule.base for rule in rules if rule.quote == self.quote}
        for name in sorted(set(self._assets) - listed):
            del self._assets[name]
            self._correlations.forget(name)
        quotes = _quotes(self._before, self.quote)
        for name in sorted(set(quotes) - set(self._assets)):
            self._assets[name] = _Asset(self._track())
        told = min(points, self._patience + 1)
        for _ in range(told):
            self._pass(quotes)
        for asset in self._assets.values():
            asset.track.rest(points - told)

    def _pass(self, quotes: Mapping[str, Quote]) -> None:
        self._age += 1
        half = self._half()
        root = (self._years() * variance_of(half)).sqrt()
        scores: dict[str, Decimal] = {}
        for name, asset in self._assets.items():
            leap = asset.track.sample(quotes.get(name), moving=bool(asset.volatility.variance))
            if leap is not None:
                self._leap(asset.volatility, leap)
            found = asset.track.averaged(half)
            if found is not None:
                scores[name] = asset.volatility.learn(found / root, self._memory, self._long_memory)
        self._correlations.learn(scores)
        self._news = self._news or bool(scores)

    def _leap(self, volatility: Variability, leap: Leap) -> None:
        """Learn from the return over a silence, of which the first `patience` points were counted as standing still."""
        if leap.points > self._memory.half_life:
            return  # by now the estimate would have been half forgotten: nobody knows what happened
        points = max(min(leap.points - self._patience, self._patience), 1)
        rate = leap.change / (self._years() * leap.points).sqrt()
        stretch = Decimal(self._patience + points) / points
        volatility.learn(rate, self._memory, self._long_memory, points=points, stretch=stretch)

    def _estimate(self, market: Market) -> Risk | None:
        known = {name: asset.volatility for name, asset in self._assets.items()}
        least = self.settings.risk_observations_min
        assets = tuple(sorted(name for name, found in known.items() if found.count >= least))
        if not assets:
            return None
        self._published_us, self._news = market.event_time_us, False
        with localcontext(_CONTEXT):
            covariance = self._covariance({name: known[name].variance for name in assets})
            returns = tuple(quantise(self._assets[name].track.change(RECENT_POINTS)) for name in assets)
        return Risk(
            event_id=derive("risk", self.quote, market.offset, market.event_time_us),
            event_time_us=market.event_time_us,
            frame_offset=market.offset,
            quote=self.quote,
            method=self._method(),
            observations=max(known[name].count for name in assets),
            assets=assets,
            covariance=covariance,
            long_run_variance=tuple(quantise(known[name].long_run) for name in assets),
            recent_returns=returns,
        )

    def _covariance(self, variances: Mapping[str, Decimal]) -> tuple[Decimal, ...]:
        """Return the upper triangle; an asset that never moved has zeros."""
        moving = [name for name, variance in variances.items() if variance]
        correlations = self._correlations.matrix(moving, self._half())
        matrix = rounded(correlations, [variances[name] for name in moving])
        place = {name: index for index, name in enumerate(moving)}
        names = tuple(variances)
        return tuple(
            matrix[place[a]][place[b]] if a in place and b in place else ZERO
            for i, a in enumerate(names)
            for b in names[i:]
        )

    def _method(self) -> str:
        known = self.settings
        return (
            f"{METHOD}, {known.risk_span_points} points of {known.risk_sample_seconds:g} s; half-life"
            f" {known.risk_half_life_seconds:g} s, of correlations {known.risk_correlation_half_life_seconds:g} s"
        )

    def _due(self, event_time_us: int) -> bool:
        pause_us = int(self.settings.risk_publish_seconds * 1_000_000)
        return self._news and (self._published_us is None or event_time_us >= self._published_us + pause_us)

    def _track(self) -> Track:
        return Track(self._patience, self._doubt)

    def _half(self) -> int:
        return min(self._half_max, max(isqrt(self._age), 1))

    def _points(self, seconds: float) -> Decimal:
        return Decimal(str(seconds)) / Decimal(str(self.settings.risk_sample_seconds))

    def _step_us(self) -> int:
        return int(self.settings.risk_sample_seconds * 1_000_000)

    def _years(self) -> Decimal:
        """Return the length of one step of the grid."""
        return self._step_us() / (YEAR_SECONDS * 1_000_000)


def _quotes(market: Market, quote: str) -> dict[str, Quote]:
    """Return the book of every asset priced in this currency; the first venue in order of name speaks for an asset."""
    found: dict[str, Quote] = {}
    for key in sorted(market.quotes):
        shown = market.quotes[key]
        rules = shown.instrument
        if rules.quote == quote and rules.base not in found and shown.fault() is None:
            found[rules.base] = shown
    return found


def currencies(market: Market) -> tuple[str, ...]:
    """Return the quote currencies that need an estimate each."""
    return tuple(sorted({rules.quote for rules in market.instruments.values()}))
