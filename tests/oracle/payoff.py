"""Thresholds with an eye on cost: `drift.cost_adjusted` from its words."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from oracle.bounds import Bounds
from oracle.cost import impact, of_trade
from oracle.rounding import UNIT, nearest, nearest_count
from oracle.threshold import NOTHING, back, cash_line, drifted
from oracle.value import Worth
from oracle.verdict import Line, Verdict
from trimtab.domain.orders import Side
from trimtab.domain.portfolio import CostAdjusted
from trimtab.settings import DriftSettings


@dataclass(frozen=True)
class Payoff:
    """What a correction costs and is worth per unit of weight, and over how many years."""

    cost: Fraction
    benefit: Fraction
    horizon: Fraction


def payoffs(
    worth: Worth, covariance: Sequence[Sequence[int]], policy: CostAdjusted, settings: DriftSettings, share: Fraction
) -> list[Payoff]:
    """Return each asset's; `covariance` counts 1e-18 a year, `share` is what one signal may trade of an asset."""
    found = []
    equity = Fraction(*worth.equity_parts)
    for i, quote in enumerate(worth.quotes):
        if quote is None:
            found.append(Payoff(NOTHING, NOTHING, NOTHING))
            continue
        x, variance = Fraction(abs(worth.drifts[i]), UNIT), Fraction(max(covariance[i][i], 0), UNIT)
        flow = Fraction(_flow(covariance, worth.targets, i), UNIT)
        horizon = min(x * x / (3 * flow), Fraction(1)) if flow else Fraction(1)
        moved = impact(Fraction(settings.impact_coefficient), variance, settings.signal_lifetime_seconds)
        side = Side.SELL if worth.drifts[i] > 0 else Side.BUY
        cost = of_trade(quote, side, min(x, share) * equity, moved)
        found.append(Payoff(cost, Fraction(policy.risk_aversion) * variance * x * horizon / 2, horizon))
    return found


def _flow(covariance: Sequence[Sequence[int]], targets: Sequence[int], i: int) -> int:
    """Return D_i = w_i^2 (e_i - w)' S (e_i - w), which is the formula's sum, in counts of 1e-18, not below zero."""
    tilt = [UNIT * (i == j) - weight for j, weight in enumerate(targets)]
    form = sum(
        a * sum(value * b for value, b in zip(row, tilt, strict=True)) for a, row in zip(tilt, covariance, strict=True)
    )
    return max(nearest(targets[i] ** 2 * form, UNIT**4), 0)


def cost_adjusted(
    worth: Worth, bounds: Bounds, found: Sequence[Payoff], policy: CostAdjusted, quote: str, paces: Sequence[int]
) -> Verdict:
    """Return the verdict without its equity."""
    lines = (*_lines(worth, bounds, found, paces), cash_line(worth, quote, paces[-1], bounds.cash))
    if not bounds.reached(worth):
        return Verdict("within_band", lines=lines)
    off = drifted(worth)
    paying = [i for i in off if found[i].benefit > found[i].cost * Fraction(policy.safety_factor)]
    rows = bounds.rows(worth)
    if not any(bound is not None and x >= bound for bound, x in [*(rows[i] for i in paying), *rows[-1:]]):
        paying = []
    corrections = back(worth, paying)
    if corrections:
        return Verdict("benefit_above_cost", corrections=corrections, urgency=bounds.excess(worth, paces), lines=lines)
    if paying:
        return Verdict("instrument_not_tradable", lines=lines)
    return Verdict("cost_above_benefit" if off else "within_band", lines=lines)


def _lines(worth: Worth, bounds: Bounds, found: Sequence[Payoff], paces: Sequence[int]) -> list[Line]:
    return [
        Line(
            name,
            worth.weights[i],
            worth.targets[i],
            worth.drifts[i],
            worth.drifts[i],
            nearest_count(bounds.assets[i] or NOTHING),
            found[i].cost,
            found[i].benefit,
            found[i].horizon,
            paces[i],
        )
        for i, name in enumerate(worth.names)
    ]
