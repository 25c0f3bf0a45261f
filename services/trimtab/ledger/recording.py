"""From what a venue says of an order to the ledger's record of it: the child's state, and every fill once."""

from dataclasses import dataclass, replace
from decimal import Decimal

from trimtab.domain.errors import IllegalTransitionError
from trimtab.domain.ids import derive
from trimtab.domain.orders import ChildOrder, OrderState, ParentOrder, step
from trimtab.messages import Fill, OrderEvent
from trimtab.ports.ledger import LedgerBook
from trimtab.ports.venue import Execution, ExecutionReport


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a report changed: the child as it is now, and how many of its fills were new."""

    parent: ParentOrder
    child: ChildOrder
    new_fills: int


async def record_report(book: LedgerBook, report: ExecutionReport) -> Recorded | None:
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
    recorded, new_fills = child.recorded, 0
    for execution in report.executions:
        if await book.add_fill(parent, child, execution) is None:
            continue
        recorded, new_fills = recorded + execution.quantity, new_fills + 1
        await book.emit(
            await _fill_event(book, parent, replace(child, recorded=recorded), report, execution, dry_run=row.dry_run)
        )
    filled = max(child.filled, report.filled, recorded)
    try:
        state = _advance(child, report.state, filled)
    except IllegalTransitionError as contradiction:
        state = child.state
        await book.halt(parent.portfolio_id, f"order {child.client_order_id}: {contradiction}")
    changed = replace(
        child,
        state=state,
        filled=filled,
        recorded=recorded,
        venue_order_id=child.venue_order_id or report.venue_order_id,
    )
    if changed != child:
        await book.change_child(changed, report.reason)
    if (state, filled) != (child.state, child.filled):
        await emit_order(book, parent, changed, report.reason, report.event_time_us, dry_run=row.dry_run)
    return Recorded(parent, changed, new_fills)


def _advance(child: ChildOrder, reported: OrderState, filled: Decimal) -> OrderState:
    if filled >= child.quantity:
        reported = OrderState.FILLED
    elif reported is OrderState.ACCEPTED and filled > 0:
        reported = OrderState.PARTIALLY_FILLED
    return step(child.state, reported)


async def record_state(
    book: LedgerBook, parent: ParentOrder, client_order_id: str, state: OrderState, reason: str, event_time_us: int
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
    await emit_order(book, parent, changed, reason, event_time_us, dry_run=row.dry_run)


async def emit_order(
    book: LedgerBook, parent: ParentOrder, child: ChildOrder, reason: str, event_time_us: int, *, dry_run: bool
) -> None:
    """Put an execution.orders event into the outbox: this child, as it is now."""
    await book.emit(
        OrderEvent(
            event_id=derive("order", child.client_order_id, child.state, child.filled, child.cancel_requested),
            portfolio_id=parent.portfolio_id,
            ledger_sequence=await book.next_sequence(parent.portfolio_id),
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
    )


async def _fill_event(
    book: LedgerBook,
    parent: ParentOrder,
    child: ChildOrder,
    report: ExecutionReport,
    execution: Execution,
    *,
    dry_run: bool,
) -> Fill:
    return Fill(
        event_id=derive("fill", parent.venue, parent.account, parent.instrument, execution.trade_id),
        portfolio_id=parent.portfolio_id,
        ledger_sequence=await book.next_sequence(parent.portfolio_id),
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
        venue_order_id=child.venue_order_id or report.venue_order_id,
        event_time_us=execution.event_time_us,
        dry_run=dry_run,
    )
