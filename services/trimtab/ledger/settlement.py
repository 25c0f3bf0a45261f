"""From recorded fills to booked balances, and from closed parents to released funds."""

from trimtab.domain.orders import ParentState
from trimtab.ports.ledger import LedgerBook


async def settle_fill(book: LedgerBook, portfolio_id: str, venue: str, account: str, trade_id: str) -> bool:
    """Book one fill and tell drift what the portfolio has now; False if that was done before.

    Raises:
        InsufficientFundsError: if neither the portfolio nor the account's unallocated funds cover the fee.
    """
    await book.portfolio(portfolio_id)
    row = await book.fill(venue, account, trade_id)
    if row is None or row.settled:
        return False
    await book.post_fill(row)
    await _release_if_done(book, row.parent_id)
    await book.bump(portfolio_id, "fill", row.event_time_us)
    return True


async def settle_parent(book: LedgerBook, portfolio_id: str, parent_id: str, event_time_us: int) -> bool:
    """Release what a closed parent did not spend; False if it is not done yet, or was released before."""
    await book.portfolio(portfolio_id)
    if not await _release_if_done(book, parent_id):
        return False
    await book.bump(portfolio_id, "released", event_time_us)
    return True


async def _release_if_done(book: LedgerBook, parent_id: str) -> bool:
    item = await book.work_item(parent_id)
    if item is None or item.parent.state is not ParentState.CLOSED or not await book.releasable(parent_id):
        return False
    await book.release(parent_id)
    return True
