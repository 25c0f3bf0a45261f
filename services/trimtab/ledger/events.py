"""Events that tell others of orders and fills, built from what the ledger has of them. Pure.

Their `ledger_sequence` is given by the ledger when it takes them (`TradingBook.emit`).
"""

from typing import Final

from trimtab.domain.ids import derive
from trimtab.domain.orders import ChildOrder, ParentOrder
from trimtab.messages import Fill, OrderEvent
from trimtab.ports.venue import Execution

UNNUMBERED: Final = 0


def order_event(
    parent: ParentOrder, child: ChildOrder, reason: str, event_time_us: int, *, dry_run: bool
) -> OrderEvent:
    """Return what execution.orders is told of a child as it is now."""
    return OrderEvent(
        event_id=derive("order", child.client_order_id, child.state, child.filled, child.cancel_requested),
        portfolio_id=parent.portfolio_id,
        ledger_sequence=UNNUMBERED,
        signal_id=parent.signal_id,
        parent_id=parent.parent_id,
        client_order_id=child.client_order_id,
        venue_order_id=child.venue_order_id,
        venue=parent.venue,
        account=parent.account,
        instrument=parent.instrument,
        side=parent.side,
        kind=child.kind,
        time_in_force=child.time_in_force,
        state=child.state,
        price=child.price,
        quantity=child.quantity,
        filled=child.filled,
        reason=reason,
        event_time_us=event_time_us,
        dry_run=dry_run,
    )


def fill_event(parent: ParentOrder, child: ChildOrder, execution: Execution, *, dry_run: bool) -> Fill:
    """Return what execution.fills is told of an execution; what is recorded of `child` includes it."""
    return Fill(
        event_id=derive("fill", parent.venue, parent.account, parent.instrument, execution.trade_id),
        portfolio_id=parent.portfolio_id,
        ledger_sequence=UNNUMBERED,
        venue=parent.venue,
        account=parent.account,
        trade_id=execution.trade_id,
        instrument=parent.instrument,
        base=parent.base,
        quote=parent.quote,
        side=parent.side,
        price=execution.price,
        quantity=execution.quantity,
        notional=execution.price * execution.quantity,
        fee=execution.fee,
        fee_asset=execution.fee_asset,
        liquidity=execution.liquidity,
        leaves_quantity=child.quantity - child.recorded,
        signal_id=parent.signal_id,
        parent_id=parent.parent_id,
        client_order_id=child.client_order_id,
        venue_order_id=child.venue_order_id,
        event_time_us=execution.event_time_us,
        dry_run=dry_run,
    )
