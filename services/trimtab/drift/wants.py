"""What is still to be traded of each asset while a plan is made."""

from dataclasses import dataclass
from decimal import Decimal

from trimtab.domain.amounts import ZERO
from trimtab.domain.orders import Side
from trimtab.drift.funding import Funded


@dataclass(slots=True)
class Want:
    """One asset. Values are in the portfolio's quote currency, at decision prices, and not negative.

    Attributes:
        left: what is still to be traded of its correction.
        extra: how far it may be sold beyond that, to pay for buys.
        cap: what may still be traded of it at all.
        done: what is left of the correction is not worth an order of its own.
        grain: value below which a rest is nothing to speak of: the coarsest step that it was traded by, and what a
            cross lost on the way; of a buy, a step of each sell that it is paid from; zero if it was not traded.

    """

    asset: str
    side: Side
    cap: Decimal
    left: Decimal = ZERO
    extra: Decimal = ZERO
    done: bool = False
    grain: Decimal = ZERO

    @property
    def open(self) -> Decimal:
        """Value that still asks for an order."""
        return ZERO if self.done else self.left

    def trade(self, value: Decimal, grain: Decimal) -> None:
        """Note a trade of this value, good to the grain; the correction is served first."""
        beyond = max(value - self.left, ZERO)
        self.left -= value - beyond
        self.extra = max(self.extra - beyond, ZERO)
        self.cap -= value
        self.grain = max(self.grain, grain)


def wants(found: Funded, equity: Decimal, share_max: Decimal) -> dict[str, Want]:
    """Return what each asset wants: corrections in their order, then the funders that have none."""
    cap = share_max * equity
    wanted: dict[str, Want] = {}
    for correction in found.corrections:
        side = Side.BUY if correction.change > 0 else Side.SELL
        wanted[correction.asset] = Want(correction.asset, side, cap, left=abs(correction.change) * equity)
    for extra in found.extra:
        want = wanted.setdefault(extra.asset, Want(extra.asset, Side.SELL, cap))
        want.extra = -extra.change * equity
    return wanted
