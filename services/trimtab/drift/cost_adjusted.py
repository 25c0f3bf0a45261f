"""Thresholds with an eye on cost: past one, whatever is worth more at its target than the way there costs is traded.

Each asset is judged for itself, with target weights `w`, covariance `S` per year, risk aversion `g` and the one-way
cost `e_i` of the correction, as far as one trade may carry it, from the live book:

    D_i = w_i^2 (S_ii - 2 (S w)_i + w' S w)   variance of x_i per year when nobody trades
    T_i = x_i^2 / (3 D_i)                     horizon in years, at most one
    g S_ii x_i^2 / 2 T_i                      drift value, a fraction of equity: the risk of being off for so long
    e_i |x_i|                                 correction cost, a fraction of equity

An asset is worth it if its drift value is above its correction cost times `safety_factor`; divided by |x_i|, benefit
g S_ii |x_i| T_i / 2 against cost e_i, as the terms have them. All that are worth it are traded, also those inside their
bounds, provided that one of them has reached its bound, or cash has. D_i is rounded to 18 decimals.

Whence the horizon: a policy that trades to the target whenever |x| reaches h pays e once in h^2 / D years (a Brownian
motion's mean time to leave (-h, h)), so e D / h a year, and bears the risk g S h^2 / 12 (its density is a triangle:
variance h^2 / 6). The sum is least at h^3 = 6 e D / (g S), which is where g S h^2 / 2 times h^2 / (3 D) is e h. So with
this horizon and a safety factor of 1, a drift is worth its cost exactly from the best threshold for that cost on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from trimtab.domain.amounts import CONTEXT, ZERO, quantise
from trimtab.domain.orders import Side
from trimtab.domain.portfolio import CostAdjusted, Portfolio
from trimtab.drift.costs import lifetime_volatility, trade_cost
from trimtab.drift.covariance import covariance_of
from trimtab.drift.holdings import Holdings, View
from trimtab.drift.policy import Assessment, cash_term
from trimtab.drift.reasons import Reason
from trimtab.drift.region import HORIZON_YEARS_MAX
from trimtab.drift.threshold import drifted_assets, reversions
from trimtab.drift.tolerance import Tolerance
from trimtab.drift.velocity import recent_returns, velocities
from trimtab.messages import Risk, Term
from trimtab.settings import DriftSettings


@dataclass(frozen=True, slots=True)
class _Moves:
    """How an asset moves: variance S_ii, flow D_i, both per year, and the volatility over a signal's lifetime."""

    variance: Decimal
    flow: Decimal
    volatility: Decimal


@dataclass(frozen=True, slots=True)
class _Worth:
    """What a correction costs and is worth, per unit of weight, over its horizon in years."""

    cost: Decimal
    benefit: Decimal
    horizon: Decimal


@dataclass(frozen=True, slots=True)
class CostAdjustedRule:
    """The cost-adjusted threshold of one portfolio under one risk estimate."""

    quote: str
    policy: CostAdjusted
    tolerance: Tolerance
    share_max: Decimal
    moves: tuple[_Moves, ...]
    returns: tuple[Decimal, ...]

    @classmethod
    def prepare(
        cls, portfolio: Portfolio, policy: CostAdjusted, holdings: Holdings, risk: Risk, settings: DriftSettings
    ) -> "CostAdjustedRule | None":
        """Work out what changes only with risk, document or holdings; None if a target asset has no estimate."""
        tolerance = Tolerance.of(policy, holdings, risk)
        if tolerance is None:
            return None
        with localcontext(CONTEXT):
            moves = _moves(holdings, risk, settings)
        returns = recent_returns(holdings, risk)
        return cls(portfolio.quote, policy, tolerance, portfolio.limits.max_trade_share, moves, returns)

    def breached(self, view: View) -> bool:
        return self.tolerance.reached(view)

    def assess(self, view: View) -> Assessment:
        worths = [self._worth(view, i) for i in range(len(view.names))]
        speeds = velocities(view, self.returns)
        cash = cash_term(view, self.quote, speeds[-1], self.tolerance.cash)
        terms = (*self._terms(view, worths, speeds[:-1]), cash)
        if not self.breached(view):
            return Assessment(Reason.WITHIN_BAND, terms=terms)
        drifted = drifted_assets(view)
        paying = [i for i in drifted if worths[i].benefit > worths[i].cost * self.policy.safety_factor]
        if not paying or not self._called_for(view, paying):
            return Assessment(Reason.COST_ABOVE_BENEFIT if drifted else Reason.WITHIN_BAND, terms=terms)
        corrections = reversions(view, paying)
        if not corrections:
            return Assessment(Reason.INSTRUMENT_NOT_TRADABLE, terms=terms)
        urgency = self.tolerance.excess(view, speeds)
        return Assessment(Reason.BENEFIT_ABOVE_COST, corrections, urgency=urgency, terms=terms)

    def _called_for(self, view: View, paying: list[int]) -> bool:
        """Tell whether one of these assets is past its bound, or cash is."""
        cash = self.tolerance.cash
        if cash is not None and abs(view.cash_weight - view.cash_target) >= cash:
            return True
        return any((bound := self.tolerance.assets[i]) is not None and abs(view.drifts[i]) >= bound for i in paying)

    def _worth(self, view: View, place: int) -> _Worth:
        quote, drift, moves = view.quotes[place], abs(view.drifts[place]), self.moves[place]
        if quote is None:
            return _Worth(ZERO, ZERO, ZERO)
        horizon = HORIZON_YEARS_MAX
        if moves.flow > 0:
            horizon = min(drift**2 / (3 * moves.flow), horizon)
        benefit = self.policy.risk_aversion * moves.variance * drift * horizon / 2
        side = Side.SELL if view.drifts[place] > 0 else Side.BUY
        notional = min(drift, self.share_max) * view.equity
        impact = view.impact_coefficient * moves.volatility
        return _Worth(trade_cost(quote, side, notional, impact), benefit, horizon)

    def _terms(self, view: View, worths: list[_Worth], speeds: Sequence[Decimal]) -> list[Term]:
        return [
            Term(
                view.names[i],
                view.weights[i],
                view.targets[i],
                view.drifts[i],
                view.drifts[i],
                quantise(self.tolerance.assets[i] or ZERO),
                quantise(worth.cost),
                quantise(worth.benefit),
                quantise(worth.horizon),
                speeds[i],
            )
            for i, worth in enumerate(worths)
        ]


def _moves(holdings: Holdings, risk: Risk, settings: DriftSettings) -> tuple[_Moves, ...]:
    """Return how each asset moves; not at all, as far as is known, without an estimate."""
    covariance = covariance_of(holdings, risk)
    targets = [asset.target for asset in holdings.assets]
    shared = [sum((s * w for s, w in zip(row, targets, strict=True)), ZERO) for row in covariance]
    whole = sum((s * w for s, w in zip(shared, targets, strict=True)), ZERO)
    found = []
    for i, target in enumerate(targets):
        variance = max(covariance[i][i], ZERO)
        flow = max(quantise(target**2 * (variance - 2 * shared[i] + whole)), ZERO)
        found.append(_Moves(variance, flow, lifetime_volatility(variance, settings.signal_lifetime_seconds)))
    return tuple(found)
