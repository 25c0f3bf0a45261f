"""One order instead of two: an over-weight asset changed into an under-weight one on the book of the pair."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from trimtab.domain.amounts import ONE, ZERO
from trimtab.domain.orders import Side
from trimtab.drift.costs import net
from trimtab.drift.offers import Offer, Places
from trimtab.drift.purse import Purse
from trimtab.drift.wants import Want


@dataclass(frozen=True, slots=True)
class Cross:
    """An order that serves two wants. Values are in the portfolio's quote currency, at decision prices.

    Attributes:
        spent, gained: value that it takes from the over-weight and adds to the under-weight asset; the fee is in
            whichever is the instrument's quote.
        ends: whether what is left of the over-weight, of the under-weight asset is not worth an order of its own.
        saving: value by which it costs less than a sell and a buy.

    """

    offer: Offer
    over: Want
    under: Want
    quantity: Decimal
    spent: Decimal
    gained: Decimal
    ends: tuple[bool, bool]
    saving: Decimal

    @property
    def loss(self) -> Decimal:
        """Return the value that is lost on the way: the fee, and what the book's mid is off the two direct ones."""
        return self.spent - self.gained


def best_cross(places: Places, purses: Sequence[Purse], wanted: Mapping[str, Want]) -> Cross | None:
    """Return the cross to trade next, None if there is no more.

    It is one that ends both wants, if there is any; then the one that saves most; then the one in the preferred
    account, then the first symbol, a buy before a sell.
    """
    return min(_crosses(places, purses, wanted), key=_order, default=None)


def _order(cross: Cross) -> tuple[bool, Decimal, int, str, Side]:
    _, symbol, side = cross.offer.key
    return not all(cross.ends), -cross.saving, cross.offer.rank, symbol, side


def _crosses(places: Places, purses: Sequence[Purse], wanted: Mapping[str, Want]) -> Iterator[Cross]:
    overs = [want for want in wanted.values() if want.side is Side.SELL and want.open + want.extra > 0]
    unders = [want for want in wanted.values() if want.side is Side.BUY and want.open > 0]
    for rank, purse in enumerate(purses):
        for over in overs:
            for under in unders:
                for base, quote, side in ((over, under, Side.SELL), (under, over, Side.BUY)):
                    offer = places.offer(rank, base.asset, quote.asset, side)
                    cross = _cross(places, purse, offer, over, under) if offer is not None else None
                    if cross is not None:
                        yield cross


def _cross(places: Places, purse: Purse, offer: Offer, over: Want, under: Want) -> Cross | None:
    """Return the cross as far as it goes; None if it is too small, saves no leg or costs more than two orders."""
    cash, fee = places.holdings.quote, offer.quote.instrument.taker_fee
    sell = places.offer(offer.rank, over.asset, cash, Side.SELL)
    buy = places.offer(offer.rank, under.asset, cash, Side.BUY)
    if sell is None or buy is None:
        return None
    price = net(offer.side, offer.quote.mid, fee)
    spent, gained = (ONE, price) if offer.side is Side.SELL else (price, ONE)
    spent, gained = spent * sell.worth, gained * buy.worth
    quantity = offer.fitting(
        min((over.open + over.extra) / spent, under.open / gained, purse.holds(over.asset) / offer.spends)
    )
    if not quantity:
        return None
    loss, value = quantity * (spent - gained), quantity * offer.worth
    left = over.open - quantity * spent, under.open - quantity * gained - max(loss, ZERO)
    ends = not sell.fitting(left[0] / sell.worth), not buy.fitting(left[1] / buy.worth)
    saving = value * (places.cost(sell, value) + places.cost(buy, value) - places.cost(offer, value) + fee) - loss
    if not any(ends) or saving < 0:
        return None
    return Cross(offer, over, under, quantity, quantity * spent, quantity * gained, ends, saving)
