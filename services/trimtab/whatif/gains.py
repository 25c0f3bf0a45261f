"""What selling has realised, by lots, first in first out: what many tax laws count, before any of their own rules.

What is held at the begin counts as bought at the mid price of then, since nothing is known of before; so does what is
brought in, when it is. A fee is part of what was bought, or comes off what was sold. One asset changed into another is
a sale at the market value of what was traded. The quote currency is money and has no lots.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from decimal import Decimal

from trimtab.backtest.arrival import Arrival
from trimtab.backtest.costs import Costs
from trimtab.domain.amounts import ZERO
from trimtab.domain.orders import Side
from trimtab.messages import Fill


class Lots:
    """Lots of every asset, the oldest first: quantity, and what that has cost in quote currency."""

    def __init__(self, quote: str) -> None:
        self._quote = quote
        self._lots: defaultdict[str, deque[tuple[Decimal, Decimal]]] = defaultdict(deque)
        self.realised = ZERO

    def arrive(self, found: Arrival) -> None:
        """Take in what came, or give up what went: that realises nothing."""
        if found.amount > 0:
            self._take(found.asset, found.amount, found.amount * found.price)
        else:
            self._give(found.asset, -found.amount)

    def fill(self, fill: Fill, cost: Costs) -> None:
        """Take in an execution of this cost."""
        got, given = (fill.base, fill.quantity), (fill.quote, fill.notional)
        if fill.side is Side.SELL:
            got, given = given, got
        fee = ZERO if fill.fee_asset == got[0] != self._quote else cost.fees
        quantity = got[1] - (fill.fee if fill.fee_asset == got[0] else ZERO)
        if given[0] != self._quote:
            self.realised += cost.traded - fee - self._give(*given)
            fee = ZERO
        if fill.fee_asset not in {got[0], self._quote}:
            self.realised += cost.fees - self._give(fill.fee_asset, fill.fee)
        self._take(got[0], quantity, cost.traded + fee)

    def _take(self, asset: str, quantity: Decimal, paid: Decimal) -> None:
        if asset != self._quote and quantity > 0:
            self._lots[asset].append((quantity, paid))

    def _give(self, asset: str, quantity: Decimal) -> Decimal:
        """Give up the oldest units; return what they had cost. What no lot has had cost nothing."""
        lots, paid, left = self._lots[asset], ZERO, quantity
        while left > 0 and lots:
            size, price = lots.popleft()
            part = min(size, left)
            share = price * part / size
            paid, left = paid + share, left - part
            if part < size:
                lots.appendleft((size - part, price - share))
        return paid


def realised(quote: str, arrivals: Iterable[Arrival], fills: Iterable[tuple[Fill, Costs]]) -> Decimal:
    """Return what the fills realised, quote currency; both in any order, but of one time in that of their own."""
    lots = Lots(quote)
    coming: Mapping[int, list[Arrival | tuple[Fill, Costs]]] = defaultdict(list)
    for arrival in arrivals:
        coming[arrival.time_us].append(arrival)
    for fill, cost in fills:
        coming[fill.event_time_us].append((fill, cost))
    for time_us in sorted(coming):
        for each in coming[time_us]:
            if isinstance(each, Arrival):
                lots.arrive(each)
            else:
                lots.fill(*each)
    return lots.realised
