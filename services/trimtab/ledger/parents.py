"""Parent orders: what others are told of them, and their end."""

from dataclasses import replace

from trimtab.domain.ids import derive
from trimtab.domain.orders import ParentOrder, ParentState
from trimtab.ledger.events import UNNUMBERED
from trimtab.messages import ParentEvent
from trimtab.ports.ledger import TradingBook, WorkItem


async def close_parent(book: TradingBook, item: WorkItem, reason: str, now_us: int) -> None:
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
