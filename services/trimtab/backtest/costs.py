"""What trading has cost, part by part, in the portfolio's quote currency; bill.py says what the parts are."""

from dataclasses import dataclass
from decimal import Decimal

from trimtab.domain.amounts import ZERO


@dataclass(slots=True)
class Costs:
    """Of one fill, or sums of many; `traded` is the notional."""

    traded: Decimal = ZERO
    fees: Decimal = ZERO
    spread: Decimal = ZERO
    impact: Decimal = ZERO
    delay: Decimal = ZERO
    opportunity: Decimal = ZERO

    def add(self, more: "Costs") -> None:
        """Count more in."""
        self.traded += more.traded
        self.fees += more.fees
        self.spread += more.spread
        self.impact += more.impact
        self.delay += more.delay
        self.opportunity += more.opportunity
