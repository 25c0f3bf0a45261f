"""Intents: what the executor has decided to do, written into the ledger before it is done."""

from dataclasses import replace
from decimal import Decimal

from trimtab.domain.ids import client_order_id
from trimtab.domain.orders import ChildOrder, OrderState, ParentOrder, ParentState, Side
from trimtab.executor.tactics import Place, fundable
from trimtab.ledger.events import order_event
from trimtab.ports.ledger import TradingBook, WorkItem


async def submit_child(book: TradingBook, item: WorkItem, move: Place, request_time_ms: int, now_us: int) -> ChildOrder:
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


async def request_cancel(book: TradingBook, item: WorkItem, child: ChildOrder, reason: str, now_us: int) -> ChildOrder:
    """Write that a child is to be taken back; return it so marked."""
    marked = replace(child, cancel_requested=True)
    await book.change_child(marked, reason)
    await book.emit(order_event(item.parent, marked, reason, now_us, dry_run=item.dry_run))
    return marked


async def fund_parent(book: TradingBook, parent: ParentOrder, step: Decimal) -> tuple[ParentOrder, str, Decimal]:
    """Return the parent as large as its funds allow, and the asset and amount to reserve; quantity 0: nothing there."""
    asset = parent.base if parent.side is Side.SELL else parent.quote
    available = await book.available(parent.portfolio_id, parent.account, asset)
    quantity, amount = fundable(parent, available, step)
    return replace(parent, quantity=quantity, state=ParentState.WORKING), asset, amount
