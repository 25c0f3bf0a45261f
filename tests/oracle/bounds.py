"""How far each weight may be off without a region: `drift.tolerance` and `drift.volatility` from their words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

from oracle.pace import past, soon
from oracle.rounding import UNIT, counts, nearest_count
from oracle.value import Worth
from trimtab.domain.portfolio import Bounded, Calendar, CostAdjusted, VolatilityThreshold
from trimtab.messages import Risk

Volatilities = Mapping[str, tuple[int, int]]  # now and in the long run, in counts of 1e-18
Bound = Fraction | None


@dataclass(frozen=True)
class Bounds:
    """Bounds of |x|, fractions of equity, in the order of the assets; cash has its own."""

    assets: Sequence[Bound]
    cash: Bound

    def rows(self, worth: Worth) -> list[tuple[Bound, Fraction]]:
        """Return (bound, |x|) of every asset and of cash."""
        drifts = [*worth.drifts, worth.cash_weight - worth.cash_target]
        return [(bound, Fraction(abs(x), UNIT)) for bound, x in zip([*self.assets, self.cash], drifts, strict=True)]

    def reached(self, worth: Worth) -> bool:
        """Tell whether anything is off by its bound or more."""
        return any(bound is not None and x >= bound for bound, x in self.rows(worth))

    def excess(self, worth: Worth, paces: Sequence[int]) -> Fraction:
        """Return how far past its bound the worst will be, from 0 (not) towards 1; paces have cash last."""
        drifts = [*worth.drifts, worth.cash_weight - worth.cash_target]
        sizes = [soon(Fraction(x, UNIT), Fraction(pace, UNIT)) for x, pace in zip(drifts, paces, strict=True)]
        rows = zip([*self.assets, self.cash], sizes, strict=True)
        return max(
            [Fraction(0), *(share for bound, size in rows if bound is not None for share in past(bound, [size]))]
        )


def volatilities(risk: Risk | None) -> Volatilities:
    """Return each asset's volatility, to the nearest 1e-18."""
    if risk is None:
        return {}
    values, found = iter(risk.covariance), {}
    for i, asset in enumerate(risk.assets):
        own, *_ = [next(values) for _ in risk.assets[i:]]
        found[asset] = (_root(counts(own)), _root(counts(risk.long_run_variance[i])))
    return found


def bounds(
    policy: Bounded | Calendar, names: Sequence[str], targets: Sequence[int], cash: int, known: Volatilities
) -> Bounds:
    """Return the bounds of these assets; targets count 1e-18."""
    if isinstance(policy, Calendar):
        return Bounds([Fraction(0)] * len(names), Fraction(0))
    scales = [_scale(policy, known.get(name)) for name in names]
    total = sum(targets)
    mean = Fraction(1)
    if total:
        weighted = sum((scale * target for scale, target in zip(scales, targets, strict=True)), Fraction(0))
        mean = Fraction(nearest_count(weighted / total), UNIT)
    own = [_scaled(_base(policy, target), scale) for target, scale in zip(targets, scales, strict=True)]
    return Bounds(own, _scaled(_base(policy, cash), mean))


def moving(policy: object) -> bool:
    """Tell whether a policy's bounds stand on an estimate."""
    return isinstance(policy, VolatilityThreshold | CostAdjusted)


def _base(policy: Bounded, target: int) -> Bound:
    found = []
    if policy.absolute is not None:
        found.append(Fraction(policy.absolute))
    if policy.relative is not None and target > 0:
        found.append(Fraction(policy.relative) * Fraction(target, UNIT))
    return min(found, default=None)


def _scale(policy: Bounded, volatility: tuple[int, int] | None) -> Fraction:
    if volatility is None:
        return Fraction(1)
    now, usual = volatility
    if isinstance(policy, VolatilityThreshold):
        level = Fraction(nearest_count(Fraction(now, usual)), UNIT) if usual else Fraction(1)
        return min(max(level, Fraction(policy.scale_min)), Fraction(policy.scale_max))
    if isinstance(policy, CostAdjusted):
        return 1 + Fraction(now, UNIT) * Fraction(policy.volatility_factor)
    return Fraction(1)


def _scaled(bound: Bound, by: Fraction) -> Bound:
    return None if bound is None else bound * by


def _root(variance: int) -> int:
    """Return the count nearest to the root of a count; a root that is no whole number is never half way."""
    square = max(variance, 0) * UNIT
    low = isqrt(square)
    return low + (square - low * low > low)
