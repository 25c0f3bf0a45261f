"""On which frame an order of the pipeline was priced: the executor's tactics, asked on each that it may have had."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from trimtab.agreement.course import Given, Order
from trimtab.agreement.pipeline import Sight
from trimtab.domain.amounts import ZERO
from trimtab.domain.market import Quote
from trimtab.domain.orders import ParentOrder, ParentState
from trimtab.executor.admission import parent_of
from trimtab.executor.tactics import Place, next_move
from trimtab.ports.ledger import WorkItem
from trimtab.settings import ExecutorSettings


@dataclass(frozen=True, slots=True)
class Priced:
    """The last frame that gives the order as it was sent: how long after its signal's (market time), and its book."""

    offset: int
    after_us: int
    top: str

    def __str__(self) -> str:
        return f"priced on frame {self.offset}, {self.after_us / 1_000:.1f} ms after its signal's, at {self.top}"


def priced(
    given: Given, order: Order, quantity: Decimal, sights: Iterable[Sight], settings: ExecutorSettings
) -> Priced | None:
    """Return the last of these frames on which the executor sends this order; None if it does on none.

    `quantity` is that of the whole trade, as far as its funds allowed.
    """
    trade = next(each for each in given.signal.trades if each.trade_id == order.parent_id)
    earlier = [
        each for each in given.orders if each.parent_id == order.parent_id and each.arrived_us < order.arrived_us
    ]
    parent = replace(
        parent_of(given.signal, trade, 0),
        state=ParentState.WORKING,
        quantity=quantity,
        filled=sum((each.filled for each in earlier), ZERO),
    )
    found: Priced | None = None
    for sight in sights:
        quote = sight.market.quotes.get(f"{trade.venue}:{trade.instrument}")
        if quote is not None and _sends(parent, order, quote, sight.market.event_time_us, settings):
            top = f"{quote.bid.normalize():f}/{quote.ask.normalize():f}"
            found = Priced(sight.offset, sight.market_us - given.market_us, top)
    return found


def _sends(parent: ParentOrder, order: Order, quote: Quote, now_us: int, settings: ExecutorSettings) -> bool:
    item = WorkItem(parent, None, 0, dry_run=False)
    move = next_move(item, quote, now_us, frozenset(), settings)
    return isinstance(move, Place) and (move.time_in_force, move.quantity, move.price) == order.terms
