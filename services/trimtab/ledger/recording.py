"""From what a venue says of an order to the ledger's record of it: the child's state, and every fill once."""

from dataclasses import dataclass, replace
from decimal import Decimal

from trimtab.domain.errors import IllegalTransitionError
from trimtab.domain.orders import ChildOrder, OrderState, ParentOrder, step
from trimtab.ledger.events import fill_event, order_event
from trimtab.ports.ledger import TradingBook
from trimtab.ports.venue import ExecutionReport


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a report changed: the child as it is now, and how many of its fills were new."""

    parent: ParentOrder
    child: ChildOrder
    new_fills: int


async def record_report(book: TradingBook, report: ExecutionReport) -> Recorded | None:
    """Record a report; None if the order is not ours.

    Reports may come twice, late and from several sources (answer, stream, look-up): fills are told apart by the
    venue's trade id, states only move forward. A report that contradicts a final state still has its fills recorded
    (a fill is never lost); the state stays and the portfolio halts, for a person to look at.
    """
    located = await book.child(report.client_order_id)
    if located is None:
        return None
    row = await book.portfolio(located[0].portfolio_id)  # the lock comes first, then what it protects is read
    located = await book.child(report.client_order_id)
    if row is None or located is None:
        return None
    parent, child = located
    named = replace(child, venue_order_id=child.venue_order_id or report.venue_order_id)
    new_fills = 0
    for execution in report.executions:
        if await book.add_fill(parent, child, execution) is None:
            continue
        named, new_fills = replace(named, recorded=named.recorded + execution.quantity), new_fills + 1
        await book.emit(fill_event(parent, named, execution, dry_run=row.dry_run))
    filled = max(child.filled, report.filled, named.recorded)
    try:
        state = _advance(child, report.state, filled)
    except IllegalTransitionError as contradiction:
        state = child.state
        await book.halt(parent.portfolio_id, f"order {child.client_order_id}: {contradiction}")
    changed = replace(named, state=state, filled=filled)
    if changed != child:
        await book.change_child(changed, report.reason)
    if (state, filled) != (child.state, child.filled):
        await book.emit(order_event(parent, changed, report.reason, report.event_time_us, dry_run=row.dry_run))
    return Recorded(parent, changed, new_fills)


def _advance(child: ChildOrder, reported: OrderState, filled: Decimal) -> OrderState:
    if filled >= child.quantity:
        reported = OrderState.FILLED
    elif reported is OrderState.ACCEPTED and filled > 0:
        reported = OrderState.PARTIALLY_FILLED
    return step(child.state, reported)


async def record_state(
    book: TradingBook, parent: ParentOrder, client_order_id: str, state: OrderState, reason: str, event_time_us: int
) -> None:
    """Record a state that does not come from a report (refused, unknown, proven absent), and tell others.

    Raises:
        IllegalTransitionError: if the ledger's state does not allow it.
    """
    row = await book.portfolio(parent.portfolio_id)
    located = await book.child(client_order_id)
    if located is None or row is None:
        raise IllegalTransitionError(f"order {client_order_id} is not in the ledger")
    current = located[1]
    state = step(current.state, state)
    if state is current.state:
        return  # a report was faster than the answer: what is known already says more
    changed = replace(current, state=state)
    await book.change_child(changed, reason)
    await book.emit(order_event(parent, changed, reason, event_time_us, dry_run=row.dry_run))
