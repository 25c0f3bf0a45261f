"""How far each weight may be off before a policy without a region of its own acts.

With the base b_i, the absolute bound or the relative one times the target weight, whichever is tighter, an asset may be
off by

    b_i                                          threshold, hybrid
    b_i min(max(v_i / V_i, scale_min), scale_max)   volatility_threshold
    b_i (1 + v_i volatility_factor)              cost_adjusted

fractions of equity. v_i is the asset's volatility as estimated now and V_i its long-run level, both per square root of
a year; what holds of an asset without an estimate is its base. A calendar has no bounds: everything is off that is
not on its target. Cash moves only because the others do, and its base is scaled by the mean of their scales, each with
the weight of its target. Volatilities, their ratio and the mean are rounded to 18 decimals, bounds are not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from trimtab.domain.amounts import CONTEXT, ONE, ZERO, quantise
from trimtab.domain.portfolio import Bounded, Calendar, CostAdjusted, VolatilityThreshold
from trimtab.drift.holdings import Holdings, View
from trimtab.drift.policy import excess
from trimtab.drift.velocity import ahead
from trimtab.drift.volatility import Volatility, volatilities
from trimtab.messages import Risk


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Bounds on |x|, fractions of equity, None where there is none; `assets` in the order of the holdings."""

    assets: tuple[Decimal | None, ...]
    cash: Decimal | None

    @classmethod
    def of(cls, policy: Bounded | Calendar, holdings: Holdings, risk: Risk | None) -> "Tolerance | None":
        """Return the bounds of these holdings; None if they stand on an estimate that a target asset does not have."""
        if isinstance(policy, Calendar):
            return cls((ZERO,) * len(holdings.assets), ZERO)
        known: Mapping[str, Volatility] = {}
        if scales(policy):
            known = volatilities(risk)
            if risk is None or any(asset.target and asset.name not in known for asset in holdings.assets):
                return None
        with localcontext(CONTEXT):
            factors = [scale(policy, known.get(asset.name)) for asset in holdings.assets]
            targets = [asset.target for asset in holdings.assets]
            bounds = (_scaled(base(policy, target), by) for target, by in zip(targets, factors, strict=True))
            return cls(tuple(bounds), _scaled(base(policy, holdings.cash_target), _mean(factors, targets)))

    def reached(self, view: View) -> bool:
        """Tell whether anything is off by its bound or more."""
        drifts = (*view.drifts, view.cash_weight - view.cash_target)
        rows = zip((*self.assets, self.cash), drifts, strict=True)
        return any(bound is not None and abs(drift) >= bound for bound, drift in rows)

    def excess(self, view: View, speeds: Sequence[Decimal]) -> Decimal:
        """Return how far past its bound the worst one will be with these velocities, cash last; 0 to 1."""
        drifts = (*view.drifts, view.cash_weight - view.cash_target)
        rows = zip((*self.assets, self.cash), drifts, speeds, strict=True)
        past = (excess(bound, ahead(drift, speed)) for bound, drift, speed in rows if bound is not None)
        return quantise(max(past, default=ZERO))


def base(policy: Bounded, target: Decimal) -> Decimal | None:
    """Return the bound before any scale; a relative one says nothing about an asset with target zero."""
    bounds = [] if policy.absolute is None else [policy.absolute]
    if policy.relative is not None and target > 0:
        bounds.append(policy.relative * target)
    return min(bounds, default=None)


def scales(policy: object) -> bool:
    """Tell whether a policy's bounds move with the risk estimate."""
    return isinstance(policy, VolatilityThreshold | CostAdjusted)


def scale(policy: Bounded, found: Volatility | None) -> Decimal:
    """Return what an asset's volatility makes of its base."""
    if found is None:
        return ONE
    match policy:
        case VolatilityThreshold():
            return min(max(found.level, policy.scale_min), policy.scale_max)
        case CostAdjusted():
            return ONE + CONTEXT.multiply(found.now, policy.volatility_factor)
        case _:
            return ONE


def _scaled(bound: Decimal | None, by: Decimal) -> Decimal | None:
    return None if bound is None else bound * by


def _mean(factors: list[Decimal], targets: list[Decimal]) -> Decimal:
    total = sum(targets, ZERO)
    weighted = sum((by * target for by, target in zip(factors, targets, strict=True)), ZERO)
    return quantise(weighted / total) if total > 0 else ONE
