"""What one portfolio did along a tape, trade by trade, and how far it had drifted: what a report shows of it."""

from dataclasses import dataclass, field
from decimal import Decimal

from trimtab.backtest.costs import Costs
from trimtab.domain.amounts import ZERO
from trimtab.messages import Fill, ParentEvent, Signal, Term, Trade


@dataclass(slots=True, kw_only=True)
class Deal(Costs):
    """A trade of an accepted signal, and what came of it. Amounts are in the portfolio's quote currency, `filled` in
    base; `closed_us` is 0 while its order is open.
    """

    signal: Signal
    trade: Trade
    filled: Decimal = ZERO
    notional: Decimal = ZERO
    closed_us: int = 0
    closed_because: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """A portfolio's terms at a moment (UTC microseconds), by asset; none while there is nothing to judge it by."""

    time_us: int
    terms: tuple[Term, ...]


@dataclass(slots=True)
class Diary:
    """Grows with the tape, so it is only kept for who asks for it. Looks, deals and fills are in the order of time."""

    looks: list[Look] = field(default_factory=list)
    deals: dict[str, Deal] = field(default_factory=dict)
    fills: list[tuple[Fill, Costs]] = field(default_factory=list)

    def look(self, time_us: int, terms: tuple[Term, ...]) -> None:
        """Keep how far every asset has drifted."""
        self.looks.append(Look(time_us, terms))

    def accept(self, signal: Signal) -> None:
        """Begin with the trades of an accepted signal."""
        self.deals.update({trade.trade_id: Deal(signal=signal, trade=trade) for trade in signal.trades})

    def fill(self, fill: Fill, cost: Costs) -> None:
        """Add a fill, also to its trade."""
        self.fills.append((fill, cost))
        deal = self.deals[fill.parent_id]
        deal.filled += fill.quantity
        deal.notional += fill.notional
        deal.add(cost)

    def close(self, event: ParentEvent, opportunity: Decimal) -> None:
        """Note the end of a trade, and what was missed with the part that was never filled."""
        deal = self.deals[event.parent_id]
        deal.closed_us, deal.closed_because, deal.opportunity = event.event_time_us, event.reason, opportunity
