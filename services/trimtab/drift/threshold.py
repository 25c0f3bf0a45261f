"""Plain thresholds and calendars: when any weight is off by its bound, everything goes back to its target."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from trimtab.domain.amounts import ZERO, quantise
from trimtab.drift.costs import touch_cost
from trimtab.drift.holdings import View
from trimtab.drift.policy import Assessment, Correction, cash_term, tradable
from trimtab.drift.reasons import Reason
from trimtab.drift.tolerance import Tolerance
from trimtab.drift.velocity import velocities
from trimtab.messages import Term


@dataclass(frozen=True, slots=True)
class ThresholdRule:
    """Cash counts like any asset. `reason` is what a trade is given."""

    quote: str
    tolerance: Tolerance
    reason: Reason
    returns: tuple[Decimal, ...]

    def breached(self, view: View) -> bool:
        return self.tolerance.reached(view)

    def assess(self, view: View) -> Assessment:
        speeds = velocities(view, self.returns)
        cash = cash_term(view, self.quote, speeds[-1], self.tolerance.cash)
        terms = (*_terms(view, self.tolerance, speeds[:-1]), cash)
        if not self.breached(view):
            return Assessment(Reason.WITHIN_BAND, terms=terms)
        drifted = drifted_assets(view)
        corrections = reversions(view, drifted)
        if not corrections:
            return Assessment(Reason.INSTRUMENT_NOT_TRADABLE if drifted else Reason.WITHIN_BAND, terms=terms)
        return Assessment(self.reason, corrections, urgency=self.tolerance.excess(view, speeds), terms=terms)


def drifted_assets(view: View) -> tuple[int, ...]:
    """Return the places of the assets that are listed and not on their target."""
    rows = zip(view.drifts, view.quotes, strict=True)
    return tuple(i for i, (drift, quote) in enumerate(rows) if drift and quote is not None)


def reversions(view: View, places: Sequence[int]) -> tuple[Correction, ...]:
    """Return what brings these assets to their targets, the furthest one first, as far as they can be traded."""
    found = (Correction(view.names[i], -view.drifts[i]) for i in places if tradable(view.quotes[i]))
    return tuple(sorted(found, key=lambda correction: (-abs(correction.change), correction.asset)))


def _terms(view: View, tolerance: Tolerance, speeds: Sequence[Decimal]) -> list[Term]:
    return [
        Term(
            name,
            weight,
            target,
            drift,
            drift,
            quantise(bound or ZERO),
            quantise(touch_cost(quote)) if quote else ZERO,
            ZERO,
            ZERO,
            speed,
        )
        for name, weight, target, drift, quote, bound, speed in zip(
            view.names, view.weights, view.targets, view.drifts, view.quotes, tolerance.assets, speeds, strict=True
        )
    ]
