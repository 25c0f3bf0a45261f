"""The no-trade region: trade an asset when its effective drift leaves the band that risk and cost justify.

`bands` says what the effective drift y of an asset is, and its half-band h. An asset is triggered past `trigger` times
h and brought back to `landing` times h, the worst ratio first. The triggered assets are brought back jointly: their
changes minimise the risk of what remains plus what the landing edge costs, which puts each of them exactly on the edge
of the side it came from, or leaves it alone when another asset's trade has cured it.

With y at h, one unit of weight moved back is worth just what it costs: g S_ii |y| T over the horizon T = 2 h^2 / (3 D).

Weights, y and the changes are rounded to 18 decimals; whether y is outside is asked of |y|^3, for which h is not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal, localcontext

from trimtab.domain.amounts import CONTEXT, ONE, ZERO, quantise
from trimtab.domain.market import Quote
from trimtab.domain.orders import Side
from trimtab.domain.portfolio import NoTradeRegion, Portfolio
from trimtab.drift.bands import Band, bands
from trimtab.drift.costs import touch_cost, trade_cost
from trimtab.drift.covariance import covariance_of
from trimtab.drift.holdings import Holdings, View
from trimtab.drift.landing import Bounds, Landing
from trimtab.drift.policy import Assessment, Correction, cash_term, excess, tradable
from trimtab.drift.reasons import Reason
from trimtab.drift.velocity import ahead, recent_returns, velocities
from trimtab.messages import Risk, Term
from trimtab.settings import DriftSettings

# How long a drift is taken to last that nothing but a trade will ever end (no variance of its own).
HORIZON_YEARS_MAX = ONE
_TWO_THIRDS = CONTEXT.divide(Decimal(2), Decimal(3))


@dataclass(frozen=True, slots=True)
class _Asset:
    """One asset at one market: everything the search for corrections needs of it."""

    drift: Decimal
    cost: Decimal
    full: Decimal  # the band's own half, which the horizon is taken from
    half: Decimal
    landing: Decimal
    forced: bool
    quote: Quote | None


@dataclass(slots=True)
class _Search:
    """What the search for corrections has found so far."""

    landing: Landing
    costs: list[Decimal]
    active: list[int] = field(default_factory=list)
    refused: dict[int, Reason] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RegionRule:
    """The no-trade region of one portfolio under one risk estimate."""

    quote: str
    policy: NoTradeRegion
    settings: DriftSettings
    share_max: Decimal
    bands: tuple[Band, ...]
    returns: tuple[Decimal, ...]

    @classmethod
    def prepare(
        cls, portfolio: Portfolio, policy: NoTradeRegion, holdings: Holdings, risk: Risk, settings: DriftSettings
    ) -> "RegionRule | None":
        """Work out what changes only with risk, document or holdings; None if a target asset has no estimate."""
        if any(asset.target and asset.name not in risk.assets for asset in holdings.assets):
            return None
        with localcontext(CONTEXT):
            targets = [asset.target for asset in holdings.assets]
            found = bands(covariance_of(holdings, risk), targets, policy.risk_aversion, settings)
        returns = recent_returns(holdings, risk)
        return cls(portfolio.quote, policy, settings, portfolio.limits.max_trade_share, found, returns)

    def breached(self, view: View) -> bool:
        scale = (self.settings.trigger * self.settings.region_scale) ** 3
        bound = self.policy.max_deviation
        for drift, quote, band in zip(view.drifts, view.quotes, self.bands, strict=True):
            if quote is None:
                continue
            if bound is not None and abs(drift) > bound:
                return True
            if not band.dead and _outside(_effect(band, view.drifts), scale * band.cubed * touch_cost(quote)):
                return True
        return False

    def assess(self, view: View) -> Assessment:
        assets = [self._asset(*row) for row in zip(view.drifts, view.quotes, self.bands, strict=True)]
        effective = [_effect(band, view.drifts) for band in self.bands]
        *speeds, cash_speed = velocities(view, self.returns)
        search = _Search(self._landing(view, assets, effective), [asset.cost for asset in assets])
        while (worst := self._worst(assets, search)) is not None:
            if (reason := self._refusal(view, assets, search, worst)) is not None:
                search.refused[worst] = reason
                continue
            search.active.append(worst)
            search.landing.activate(worst)
        ranked = sorted(search.active, key=lambda i: (-_ratio(effective[i], assets[i].half), i))
        corrections = tuple(
            Correction(view.names[i], search.landing.changes[i]) for i in ranked if search.landing.changes[i]
        )
        return Assessment(
            _reason(assets, search, corrections),
            corrections,
            self._room(view, assets, search),
            self._urgency(assets, search, effective, speeds),
            (*self._terms(view, assets, search, effective, speeds), cash_term(view, self.quote, cash_speed)),
        )

    def _asset(self, drift: Decimal, quote: Quote | None, band: Band) -> _Asset:
        bound = self.policy.max_deviation
        cost = touch_cost(quote) if quote else ZERO
        full = band.half(cost)
        half = full if band.dead else quantise(full * self.settings.region_scale)
        forced = bound is not None and abs(drift) > bound and quote is not None
        return _Asset(drift, cost, full, half, half * self.settings.landing, forced, quote)

    def _worst(self, assets: Sequence[_Asset], search: _Search) -> int | None:
        """Return the asset furthest past its bound that is neither active nor refused, the forced ones first."""
        scale = (self.settings.trigger * self.settings.region_scale) ** 3
        candidates = [
            i
            for i, (asset, band, effective) in enumerate(zip(assets, self.bands, search.landing.effective, strict=True))
            if asset.quote is not None
            and i not in search.active
            and i not in search.refused
            and (asset.forced or (not band.dead and _outside(effective, scale * band.cubed * asset.cost)))
        ]
        key = lambda i: (assets[i].forced, _ratio(search.landing.effective[i], assets[i].half), -i)  # noqa: E731 - read once
        return max(candidates, key=key, default=None)

    def _refusal(self, view: View, assets: Sequence[_Asset], search: _Search, index: int) -> Reason | None:
        """Return why this asset must not be traded although it is past its bound: the venue, or the economic gate."""
        asset, band, effective = assets[index], self.bands[index], search.landing.effective[index]
        if not tradable(asset.quote) or asset.quote is None:
            return Reason.INSTRUMENT_NOT_TRADABLE
        share = min(max(abs(effective) - asset.landing, ZERO), self.share_max)
        side = Side.SELL if effective > 0 else Side.BUY
        cost = trade_cost(asset.quote, side, share * view.equity, view.impact_coefficient * band.volatility)
        search.costs[index] = cost
        if asset.forced or self._benefit(asset, band, effective) > cost * self.settings.safety_factor:
            return None
        return Reason.COST_ABOVE_BENEFIT

    def _benefit(self, asset: _Asset, band: Band, effective: Decimal) -> Decimal:
        """Return what one unit of weight moved back is worth: marginal risk while the drift would have lasted."""
        return self.policy.risk_aversion * band.variance * abs(effective) * _horizon(asset, band)

    def _landing(self, view: View, assets: Sequence[_Asset], effective: Sequence[Decimal]) -> Landing:
        bounds = [self._bounds(asset, weight) for asset, weight in zip(assets, view.weights, strict=True)]
        return Landing(effective, [band.effect for band in self.bands], [asset.landing for asset in assets], bounds)

    def _bounds(self, asset: _Asset, weight: Decimal) -> Bounds:
        """Return how far a weight may move: not below nothing, not above everything, not past the hard bound."""
        lowest, highest = min(-weight, ZERO), max(ONE - weight, ZERO)
        outer = self.policy.max_deviation
        if outer is not None:
            reach = outer * self.settings.landing if asset.forced else outer
            lowest, highest = max(lowest, -reach - asset.drift), min(highest, reach - asset.drift)
        return Bounds(lowest, highest)

    def _room(self, view: View, assets: Sequence[_Asset], search: _Search) -> tuple[Correction, ...]:
        found = []
        for i, (asset, change) in enumerate(zip(assets, search.landing.changes, strict=True)):
            left = min(view.weights[i] + change, search.landing.effective[i] + asset.landing)
            if change <= 0 and left > 0 and tradable(asset.quote):
                found.append(
                    (-_signed_ratio(search.landing.effective[i], asset.half), Correction(view.names[i], -left))
                )
        return tuple(correction for _, correction in sorted(found, key=lambda pair: (pair[0], pair[1].asset)))

    def _urgency(
        self, assets: Sequence[_Asset], search: _Search, before: Sequence[Decimal], speeds: Sequence[Decimal]
    ) -> Decimal:
        if any(assets[i].forced for i in search.active):
            return ONE
        past = (
            excess(assets[i].half * self.settings.trigger, ahead(before[i], _effect(self.bands[i], speeds)))
            for i in search.active
        )
        return quantise(max(past, default=ZERO))

    def _terms(
        self,
        view: View,
        assets: Sequence[_Asset],
        search: _Search,
        before: Sequence[Decimal],
        speeds: Sequence[Decimal],
    ) -> list[Term]:
        return [
            Term(
                view.names[i],
                quantise(view.weights[i]),
                quantise(view.targets[i]),
                quantise(asset.drift),
                quantise(before[i]),
                quantise(asset.half),
                quantise(search.costs[i]),
                quantise(self._benefit(asset, self.bands[i], before[i])),
                quantise(_horizon(asset, self.bands[i])),
                speeds[i],
            )
            for i, asset in enumerate(assets)
        ]


def _reason(assets: Sequence[_Asset], search: _Search, corrections: tuple[Correction, ...]) -> Reason:
    if corrections:
        return Reason.MAX_DEVIATION if any(assets[i].forced for i in search.active) else Reason.BAND_EXCEEDED
    refusals = set(search.refused.values())
    return next(
        (r for r in (Reason.COST_ABOVE_BENEFIT, Reason.INSTRUMENT_NOT_TRADABLE) if r in refusals), Reason.WITHIN_BAND
    )


def _outside(effective: Decimal, bound_cubed: Decimal) -> bool:
    """Compare cubes: exact, and no root is taken while nothing happens."""
    return abs(effective) ** 3 > bound_cubed


def _effect(band: Band, drifts: Sequence[Decimal]) -> Decimal:
    return quantise(sum((a * x for a, x in zip(band.effect, drifts, strict=True)), ZERO))


def _ratio(effective: Decimal, half: Decimal) -> Decimal:
    return abs(_signed_ratio(effective, half))


def _signed_ratio(effective: Decimal, half: Decimal) -> Decimal:
    if half > 0:
        return effective / half
    return Decimal("Infinity").copy_sign(effective) if effective else ZERO


def _horizon(asset: _Asset, band: Band) -> Decimal:
    """Return how long an effective drift lasts on average: (2/3) h^2 / D, in years."""
    if band.dead:
        return ZERO
    return min(_TWO_THIRDS * asset.full**2 / band.flow, HORIZON_YEARS_MAX) if band.flow > 0 else HORIZON_YEARS_MAX
