"""Orders that the venue denies and of which, as a person has said, no more was executed (`trimtab unfilled`)."""

from collections.abc import Sequence

from trimtab.domain.orders import OrderState, ParentState
from trimtab.ledger.parents import close_parent
from trimtab.ledger.recording import record_state
from trimtab.ledger.settlement import settle_parent
from trimtab.ledger.turns import surviving
from trimtab.messages import Break
from trimtab.ports.ledger import LedgerBook
from trimtab.reconciler.account import UNKNOWN_ORDER, Account
from trimtab.reconciler.denials import DENIALS_MIN, detail_of, missing

_REASON = "denied by the venue, and said to be unfilled"


class Unfilled:
    """Ends such an order and releases its funds, if the venue goes on denying it. A halt stays until it is resumed."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._denials: dict[str, int] = {}  # in a row, since a person spoke

    async def due(self, denied: Sequence[str]) -> Sequence[str]:
        """Count the denials of one comparison; return the orders that were denied often enough to be ended.

        The first of them may be older than what the person said: one more is asked for than makes a break.
        """
        said = await self._account.ledger.unfilled(self._account.name) if denied else set()
        self._denials = {order: self._denials.get(order, 0) + 1 for order in denied if order in said}
        return [order for order, times in self._denials.items() if times > DENIALS_MIN]

    async def end(self, orders: Sequence[str]) -> None:
        """End every order, each by itself: one that is refused hides no other."""
        account = self._account
        for order in orders:
            with surviving(account.log, account.meter, "order not ended", order=order):
                async with account.ledger.transaction() as book:
                    ended = await self._end(book, order)
                if ended:
                    account.log.info("order ended as unfilled", order=order)

    async def _end(self, book: LedgerBook, order: str) -> bool:
        """End an order with what is recorded of it, if what a person said of exactly that still stands."""
        located = await book.child(order)
        if located is None:
            return False
        await book.portfolio(located[0].portfolio_id)  # the lock comes first, then what it protects is read
        located = await book.child(order)
        known = await self._said_of(book, order)
        if located is None or known is None:
            return False
        parent, child = located
        if child.state.terminal or child.filled > child.recorded or known.ledger != missing(child):
            return False  # the venue has told of it after all: the next comparison says so
        now_us = child.placed_us  # the last event time known of it: wall clock is none
        await record_state(book, parent, order, OrderState.CANCELED, _REASON, now_us)
        await book.close_break(self._account.closed(known, "unfilled", known.detail))
        item = await book.work_item(parent.parent_id)
        if item is not None and item.parent.state is ParentState.WORKING:
            await close_parent(book, item, "unfilled", now_us)
            await settle_parent(book, parent.portfolio_id, parent.parent_id, now_us)
        return True

    async def _said_of(self, book: LedgerBook, order: str) -> Break | None:
        """Return the open break of an order that a person has spoken of."""
        if order not in await book.unfilled(self._account.name):
            return None
        known = await book.open_breaks(self._account.name)
        return next((each for each in known if each.kind == UNKNOWN_ORDER and each.detail == detail_of(order)), None)
