"""Intents: what the executor has decided to do, written into the ledger before it is done."""

from dataclasses import replace
from decimal import Decimal

from trimtab.domain.ids import client_order_id, derive
from trimtab.domain.orders import ChildOrder, OrderState, ParentOrder, ParentState, Side
from trimtab.executor.tactics import Place, fundable
from trimtab.ledger.events import UNNUMBERED, order_event
from trimtab.messages import ParentEvent
from trimtab.ports.ledger import LedgerBook, WorkItem


async def submit_child(book: LedgerBook, item: WorkItem, move: Place, request_time_ms: int, now_us: int) -> ChildOrder:
    """Write the next child as submitted, with the request time it will be sent with; return it."""
    parent = item.parent
    child = ChildOrder(
        client_order_id=client_order_id(parent.parent_id, item.attempts),
        parent_id=parent.parent_id,
        attempt=item.attempts,
        kind=move.kind,
        time_in_force=move.time_in_force,
        quantity=move.quantity,
        price=move.price,
        state=OrderState.SUBMITTED,
        request_time_ms=request_time_ms,
        placed_us=now_us,
    )
    await book.add_child(child)
    await book.emit(order_event(parent, child, "", now_us, dry_run=item.dry_run))
    return child


async def request_cancel(book: LedgerBook, item: WorkItem, child: ChildOrder, reason: str, now_us: int) -> ChildOrder:
    """Write that a child is to be taken back; return it so marked."""
    marked = replace(child, cancel_requested=True)
    await book.change_child(marked, reason)
    await book.emit(order_event(item.parent, marked, reason, now_us, dry_run=item.dry_run))
    return marked


async def fund_parent(book: LedgerBook, parent: ParentOrder, step: Decimal) -> tuple[ParentOrder, str, Decimal]:
    """Return the parent as large as its funds allow, and the asset and amount to reserve; quantity 0: nothing there."""
    asset = parent.base if parent.side is Side.SELL else parent.quote
    available = await book.available(parent.portfolio_id, parent.account, asset)
    quantity, amount = fundable(parent, available, step)
    return replace(parent, quantity=quantity, state=ParentState.WORKING), asset, amount


async def close_parent(book: LedgerBook, item: WorkItem, reason: str, now_us: int) -> None:
    """Write that nothing more will be placed for a parent; the reconciler releases what is left of its funds."""
    await book.change_parent(item.parent.parent_id, state=ParentState.CLOSED, reason=reason)
    closed = replace(item.parent, state=ParentState.CLOSED)
    await book.emit(parent_event(closed, reason, now_us, dry_run=item.dry_run))


def parent_event(parent: ParentOrder, reason: str, event_time_us: int, *, dry_run: bool) -> ParentEvent:
    """Return what execution.parents is told of a parent as it is now."""
    return ParentEvent(
        event_id=derive("parent", parent.parent_id, parent.state),
        portfolio_id=parent.portfolio_id,
        ledger_sequence=UNNUMBERED,
        signal_id=parent.signal_id,
        parent_id=parent.parent_id,
        state=parent.state,
        quantity=parent.quantity,
        filled=parent.filled,
        reason=reason,
        event_time_us=event_time_us,
        dry_run=dry_run,
    )
