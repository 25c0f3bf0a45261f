"""Plain thresholds: when any weight is off by a fixed amount, everything goes back to its target."""

from dataclasses import dataclass
from decimal import Decimal

from trimtab.domain.amounts import ZERO, quantise
from trimtab.domain.market import Quote
from trimtab.domain.portfolio import Threshold
from trimtab.drift.costs import touch_cost
from trimtab.drift.holdings import View
from trimtab.drift.policy import Assessment, Correction, cash_term, excess, tradable
from trimtab.drift.reasons import Reason
from trimtab.messages import Term


@dataclass(frozen=True, slots=True)
class ThresholdRule:
    """Absolute bounds count in fractions of equity, relative ones in fractions of the target; the tighter one holds.

    Cash counts like any asset. A relative bound says nothing about an asset with target zero.
    """

    quote: str
    policy: Threshold

    def breached(self, view: View) -> bool:
        rows = zip(view.drifts, view.targets, strict=True)
        return any(self._reached(drift, target) for drift, target in (*rows, _cash(view)))

    def assess(self, view: View) -> Assessment:
        terms = tuple(
            self._term(name, weight, target, drift, quote)
            for name, weight, target, drift, quote in zip(
                view.names, view.weights, view.targets, view.drifts, view.quotes, strict=True
            )
        )
        terms = (*terms, cash_term(view, self.quote))
        if not self.breached(view):
            return Assessment(Reason.WITHIN_BAND, terms=terms)
        drifted = [
            (name, drift, quote)
            for name, drift, quote in zip(view.names, view.drifts, view.quotes, strict=True)
            if drift and quote is not None
        ]
        movable = sorted(
            ((name, drift) for name, drift, quote in drifted if tradable(quote)), key=lambda row: (-abs(row[1]), row[0])
        )
        if not movable:
            return Assessment(Reason.INSTRUMENT_NOT_TRADABLE if drifted else Reason.WITHIN_BAND, terms=terms)
        return Assessment(
            Reason.THRESHOLD_REACHED,
            tuple(Correction(name, -drift) for name, drift in movable),
            urgency=self._urgency(view),
            terms=terms,
        )

    def _reached(self, drift: Decimal, target: Decimal) -> bool:
        bound = self._bound(target)
        return bound is not None and abs(drift) >= bound

    def _bound(self, target: Decimal) -> Decimal | None:
        bounds = [] if self.policy.absolute is None else [self.policy.absolute]
        if self.policy.relative is not None and target > 0:
            bounds.append(self.policy.relative * target)
        return min(bounds, default=None)

    def _urgency(self, view: View) -> Decimal:
        rows = [*zip(view.drifts, view.targets, strict=True), _cash(view)]
        past = (excess(bound, abs(drift)) for drift, target in rows if (bound := self._bound(target)) is not None)
        return quantise(max(past, default=ZERO))

    def _term(self, name: str, weight: Decimal, target: Decimal, drift: Decimal, quote: Quote | None) -> Term:
        return Term(
            name,
            weight,
            target,
            drift,
            drift,
            quantise(self._bound(target) or ZERO),
            quantise(touch_cost(quote)) if quote else ZERO,
            ZERO,
            ZERO,
        )


def _cash(view: View) -> tuple[Decimal, Decimal]:
    return view.cash_weight - view.cash_target, view.cash_target
