"""The covariance of log returns, from frames alone, as everybody else reads it from market.risk.

Mid prices are sampled on a fixed grid of event time, the last price before each grid point standing for it (previous
tick, Dacorogna et al. 2001). Returns enter an exponentially weighted average (RiskMetrics, 1996; irregularly spaced
form), without a mean, annualised. Every step adds a weighted outer product of one vector, so the matrix is positive
semidefinite by construction, also while assets come and go: an asset without a return takes part with zero, and each
entry is divided by the root of both assets' weights.

A silence of up to ten grid points is one longer return; a longer one is left out, because nobody knows what happened.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

from trimtab.domain.amounts import ONE, ZERO, quantise
from trimtab.domain.ids import derive
from trimtab.domain.market import Market
from trimtab.drift.costs import YEAR_SECONDS
from trimtab.messages import Risk
from trimtab.settings import DriftSettings

METHOD = "ewma of log mid returns, previous tick"
STEPS_MAX = 10
# The long-run level's half-life, in half-lives of the estimate itself.
LONG_RUN_FACTOR = 24

# Statistics, not money: enough digits that rounding never shows in 18 decimals.
_CONTEXT = Context(prec=34, rounding=ROUND_HALF_EVEN)
_HALF = Decimal("0.5")


@dataclass(slots=True)
class _Variance:
    """A long-run variance and the weight behind it, still to be divided by."""

    total: Decimal = ZERO
    weight: Decimal = ZERO


@dataclass(slots=True)
class Estimator:
    """The estimate for every asset priced in one quote currency. Same frames, same estimates, to the last digit."""

    quote: str
    settings: DriftSettings
    _before: Market = field(default_factory=Market)
    _grid: int | None = None
    _logs: dict[str, Decimal] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    _weights: dict[str, Decimal] = field(default_factory=dict)
    _products: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    _long_run: dict[str, _Variance] = field(default_factory=dict)
    _published_us: int | None = None

    @property
    def published_us(self) -> int | None:
        """Event time of the last estimate that was handed out or resumed from."""
        return self._published_us

    def resume(self, risk: Risk) -> None:
        """Go on from an estimate another worker published: it is the whole memory of an exponential average."""
        with localcontext(_CONTEXT):
            weight = ONE - self._decay(1) ** risk.observations
            long_weight = ONE - self._decay(LONG_RUN_FACTOR) ** risk.observations
            entries = iter(risk.covariance)
            for i, asset in enumerate(risk.assets):
                self._counts[asset] = risk.observations
                self._weights[asset] = weight
                self._long_run[asset] = _Variance(risk.long_run_variance[i] * long_weight, long_weight)
                for other in risk.assets[i:]:
                    self._products[asset, other] = next(entries) * weight
        self._published_us = risk.event_time_us

    def observe(self, market: Market) -> Risk | None:
        """Take the market after one more frame; return an estimate when one is due."""
        grid = market.event_time_us // self._step_us()
        if self._went_back(grid):
            self._grid, self._logs, self._published_us = None, {}, None
        if self._grid is None:
            self._grid = grid
        elif grid > self._grid and self._before.complete:
            with localcontext(_CONTEXT):
                self._sample(_mids(self._before, self.quote), grid - self._grid)
            self._grid = grid
        self._before = market
        return self._estimate(market) if self._due(market.event_time_us) else None

    def _went_back(self, grid: int) -> bool:
        """Tell whether time began anew (another recording): what was seen last then says nothing of what comes now."""
        published = (self._published_us or 0) // self._step_us()
        return grid < max(self._grid or 0, published) - STEPS_MAX

    def _sample(self, mids: Mapping[str, Decimal], steps: int) -> None:
        listed = {rules.base for rules in self._before.instruments.values()}
        for asset in sorted(set(self._counts) - listed):
            self._forget(asset)
        if steps > STEPS_MAX:
            self._logs = {}  # the price before the silence says nothing about the grid point after it
            return
        logs = {asset: mid.ln() for asset, mid in mids.items()}
        self._add({asset: log - self._logs[asset] for asset, log in logs.items() if asset in self._logs}, steps)
        # An asset whose book is empty for a moment keeps its last price; one that is no longer listed is forgotten.
        self._logs = {asset: log for asset, log in {**self._logs, **logs}.items() if asset in listed}

    def _add(self, returns: Mapping[str, Decimal], steps: int) -> None:
        """Add one observation over so many steps of the grid."""
        years = steps * self._step_us() / (YEAR_SECONDS * 1_000_000)
        keep, keep_long = self._decay(1) ** steps, self._decay(LONG_RUN_FACTOR) ** steps
        for pair in self._products:
            self._products[pair] *= keep
        for asset in self._weights:
            self._weights[asset] *= keep
            self._long_run[asset].total *= keep_long
            self._long_run[asset].weight *= keep_long
        names = sorted(returns)
        for i, asset in enumerate(names):
            self._counts[asset] = self._counts.get(asset, 0) + 1
            self._weights[asset] = self._weights.get(asset, ZERO) + ONE - keep
            for other in names[i:]:
                product = returns[asset] * returns[other] / years
                self._products[asset, other] = self._products.get((asset, other), ZERO) + (ONE - keep) * product
            long_run = self._long_run.setdefault(asset, _Variance())
            long_run.total += (ONE - keep_long) * returns[asset] ** 2 / years
            long_run.weight += ONE - keep_long

    def _estimate(self, market: Market) -> Risk | None:
        assets = tuple(sorted(a for a, n in self._counts.items() if n >= self.settings.risk_observations_min))
        if not assets:
            return None
        self._published_us = market.event_time_us
        with localcontext(_CONTEXT):
            roots = {asset: self._weights[asset].sqrt() for asset in assets}
            covariance = tuple(
                quantise(self._products.get((a, b), ZERO) / (roots[a] * roots[b]))
                for i, a in enumerate(assets)
                for b in assets[i:]
            )
            long_run = tuple(quantise(self._long_run[a].total / self._long_run[a].weight) for a in assets)
        return Risk(
            event_id=derive("risk", self.quote, market.offset, market.event_time_us),
            event_time_us=market.event_time_us,
            frame_offset=market.offset,
            quote=self.quote,
            method=f"{METHOD}; half-life {self.settings.risk_half_life_seconds:g} s",
            observations=min(self._counts[asset] for asset in assets),
            assets=assets,
            covariance=covariance,
            long_run_variance=long_run,
        )

    def _due(self, event_time_us: int) -> bool:
        pause_us = int(self.settings.risk_publish_seconds * 1_000_000)
        return self._published_us is None or event_time_us >= self._published_us + pause_us

    def _forget(self, asset: str) -> None:
        for kept in (self._counts, self._weights, self._long_run):
            kept.pop(asset, None)
        self._products = {pair: value for pair, value in self._products.items() if asset not in pair}

    def _step_us(self) -> int:
        return int(self.settings.risk_sample_seconds * 1_000_000)

    def _decay(self, factor: int) -> Decimal:
        """Return what is left of a weight after one step of the grid."""
        half_life = Decimal(str(self.settings.risk_half_life_seconds)) * factor
        return _HALF ** (Decimal(str(self.settings.risk_sample_seconds)) / half_life)


def _mids(market: Market, quote: str) -> dict[str, Decimal]:
    """Return the mid of every asset priced in this currency; the first venue in order of name speaks for an asset."""
    mids: dict[str, Decimal] = {}
    for key in sorted(market.quotes):
        found = market.quotes[key]
        rules = found.instrument
        if rules.quote == quote and rules.base not in mids and found.fault() is None:
            mids[rules.base] = found.mid
    return mids


def currencies(market: Market) -> tuple[str, ...]:
    """Return the quote currencies that need an estimate each."""
    return tuple(sorted({rules.quote for rules in market.instruments.values()}))
