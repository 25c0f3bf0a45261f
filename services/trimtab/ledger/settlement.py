"""From recorded fills to booked balances, and from closed parents to released funds."""

from dataclasses import dataclass
from decimal import Decimal

from trimtab.domain.amounts import ZERO
from trimtab.domain.orders import ParentOrder, ParentState
from trimtab.ports.ledger import FillRow, TradingBook, WorkItem


@dataclass(frozen=True, slots=True)
class Settled:
    """A fill that was just booked, and the parent it belongs to."""

    fill: FillRow
    parent: ParentOrder

    @property
    def slippage(self) -> Decimal:
        """Price against the decision price, a fraction of it; positive is worse."""
        return self._against_decision(self.fill.price)

    @property
    def budget_used(self) -> Decimal:
        """Slippage over what the signal allowed; 0 if it allowed none."""
        budget = self._against_decision(self.parent.limit_price)
        return self.slippage / budget if budget > 0 else ZERO

    def _against_decision(self, price: Decimal) -> Decimal:
        decided = self.parent.decision_price
        return (price - decided) * self.parent.side.sign / decided if decided else ZERO


async def settle_fill(book: TradingBook, portfolio_id: str, venue: str, account: str, trade_id: str) -> Settled | None:
    """Book one fill and tell drift what the portfolio has now; None if that was done before.

    Raises:
        InsufficientFundsError: if neither the portfolio nor the account's unallocated funds cover the fee.
    """
    await book.portfolio(portfolio_id)
    row = await book.fill(venue, account, trade_id)
    if row is None or row.settled:
        return None
    await book.post_fill(row)
    item = await book.work_item(row.parent_id)
    assert item is not None, "a fill has a parent"
    await _release_if_done(book, item)
    await book.bump(portfolio_id, "fill", row.event_time_us)
    return Settled(row, item.parent)


async def settle_parent(book: TradingBook, portfolio_id: str, parent_id: str, event_time_us: int) -> bool:
    """Release what a closed parent did not spend; False if it is not done yet, or was released before."""
    await book.portfolio(portfolio_id)
    item = await book.work_item(parent_id)
    if item is None or not await _release_if_done(book, item):
        return False
    await book.bump(portfolio_id, "released", event_time_us)
    return True


async def _release_if_done(book: TradingBook, item: WorkItem) -> bool:
    parent = item.parent
    if parent.state is not ParentState.CLOSED or not await book.releasable(parent.parent_id):
        return False
    await book.release(parent.parent_id)
    return True
