"""Paying for buys: which asset is sold beyond its own correction, and which money of which account is used first."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from trimtab.domain.amounts import ZERO
from trimtab.drift.policy import Correction


def capped(corrections: Sequence[Correction], share_max: Decimal) -> tuple[Correction, ...]:
    """Return the corrections, none larger than one trade may be; the rest follows with the next signal."""
    return tuple(Correction(c.asset, max(-share_max, min(c.change, share_max))) for c in corrections)


def funded(
    corrections: Sequence[Correction], room: Sequence[Correction], cash_weight: Decimal, share_max: Decimal
) -> tuple[Correction, ...]:
    """Return the corrections with the sales added that the buys need beyond cash and the sales already planned.

    Cash (a deposit, say) goes first; then the asset that most wants to go down is sold, never out of its own band and
    never more than one trade may be. What is still missing makes the buys smaller, not the cash negative.
    """
    changes = {correction.asset: correction.change for correction in corrections}
    missing = sum(changes.values(), ZERO) - max(cash_weight, ZERO)
    for extra in room:
        if missing <= 0:
            break
        before = changes.get(extra.asset, ZERO)
        sale = min(missing, -extra.change, share_max + before)
        if sale > 0:
            changes[extra.asset] = before - sale
            missing -= sale
    return tuple(Correction(asset, change) for asset, change in changes.items())


@dataclass(slots=True)
class Purse:
    """The quote currency of one account while buys are planned.

    Drawn in this order: `spare` (more cash than the portfolio wants), the expected proceeds of this account's sales,
    then `kept` (cash the portfolio would rather keep).
    """

    spare: Decimal
    kept: Decimal
    proceeds: list[tuple[str, Decimal]] = field(default_factory=list)

    @property
    def total(self) -> Decimal:
        return self.spare + self.kept + sum((amount for _, amount in self.proceeds), ZERO)

    def draw(self, amount: Decimal) -> tuple[str, ...]:
        """Take an amount, at most `total`; return the ids of the sales it is paid from."""
        taken = min(self.spare, amount)
        self.spare -= taken
        amount -= taken
        sales, left = [], []
        for trade_id, proceeds in self.proceeds:
            taken = min(proceeds, amount)
            amount -= taken
            if taken > 0:
                sales.append(trade_id)
            if proceeds > taken:
                left.append((trade_id, proceeds - taken))
        self.proceeds = left
        self.kept -= amount
        return tuple(sales)
