"""What trading has cost a portfolio, split the way of Perold (1988): the decision's mid price is what it is held to.

Of a fill, in the portfolio's quote currency: **delay** is how far the mid had moved by then since the decision,
**spread** from there to the best price (for a maker: to its own price, which earns), **impact** from the best price to
the one that was paid. They sum to what the price has cost; **fees** come on top. **Opportunity** is what the mid had
moved for the part that was never filled, when its order was closed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from trimtab.backtest.costs import Costs
from trimtab.backtest.shown import Top
from trimtab.domain.amounts import ZERO
from trimtab.domain.orders import Liquidity, Side
from trimtab.messages import Fill, ParentEvent, Signal, Trade

Price = Callable[[str], Decimal]
"""What a unit of an asset is worth now, in the portfolio's quote currency."""


@dataclass(slots=True)
class Bill(Costs):
    """Sums so far. `orders` counts trades of accepted signals, `placed` the orders that the venue was sent for them."""

    signals: int = 0
    orders: int = 0
    placed: int = 0
    fills: int = 0
    _decided: dict[str, Trade] = field(default_factory=dict)

    @property
    def paid(self) -> Decimal:
        """Return fees, spread and impact: what trading at once, at the decision's mid price, would not have cost."""
        return self.fees + self.spread + self.impact

    def accept(self, signal: Signal) -> None:
        """Count a signal that was accepted, and remember at which prices it was decided."""
        self.signals += 1
        self.orders += len(signal.trades)
        self._decided.update({trade.trade_id: trade for trade in signal.trades})

    def fill(self, fill: Fill, top: Top, price: Price) -> Costs:
        """Add a fill, which found this book; return what it cost."""
        rate, sign, touch = price(fill.quote), fill.side.sign, top.ask if fill.side is Side.BUY else top.bid
        if fill.liquidity is Liquidity.MAKER:
            touch = fill.price
        size = fill.quantity * rate * sign
        cost = Costs(
            traded=fill.notional * rate,
            fees=fill.fee * price(fill.fee_asset),
            spread=(touch - top.mid) * size,
            impact=(fill.price - touch) * size,
            delay=(top.mid - self._decided[fill.parent_id].decision_price) * size,
        )
        self.fills += 1
        self.add(cost)
        return cost

    def close(self, event: ParentEvent, mid_of: Callable[[str], Decimal | None], price: Price) -> Decimal:
        """Add what was missed with what a closed order leaves unfilled, and return it; `mid_of` says where its book is
        now.
        """
        trade = self._decided.pop(event.parent_id)
        mid = mid_of(trade.instrument)
        if mid is None:
            return ZERO
        missed = (mid - trade.decision_price) * (trade.quantity - event.filled) * trade.side.sign * price(trade.quote)
        self.opportunity += missed
        return missed
