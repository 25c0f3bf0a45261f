"""Orders that the venue accepted and no longer knows."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from trimtab.domain.amounts import ZERO
from trimtab.domain.orders import ChildOrder, ParentOrder
from trimtab.messages import Break
from trimtab.reconciler.account import UNKNOWN_ORDER, Account
from trimtab.reconciler.differences import Difference

# Comparisons in a row that have to deny an order: a venue's reads may lag, and one may be wrong.
DENIALS_MIN = 3


@dataclass(frozen=True, slots=True)
class _Denial:
    since_us: int
    times: int


class Denials:
    """Counts denials by order, and reports an order that is denied for good: a break, and its portfolio halts.

    Nothing is released on it. What became of the order is for a person to find out at the venue; more of it among own
    trades makes another break of it.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._denials: dict[str, _Denial] = {}

    async def denied(self, parent: ParentOrder, child: ChildOrder, asked_ms: int) -> bool:
        """Count a look-up in vain; return whether it is reported by now."""
        account, order = self._account, child.client_order_id
        if asked_ms <= child.request_time_ms + account.venue.absence_window_ms:
            return False  # it may not have arrived when it was asked for
        before = self._denials.get(order, _Denial(account.clock.now_us(), 0))
        denial = self._denials[order] = _Denial(before.since_us, before.times + 1)
        if denial.times < DENIALS_MIN:
            return False
        if missing(child) not in [known.ledger for known in await self._open() if known.detail == detail_of(order)]:
            await self._report(parent, child, denial)
        return True

    async def close(self, out: Sequence[ChildOrder]) -> None:
        """Forget, and close the breaks of, every order but these: the venue told of it, or it is over."""
        orders, details = {child.client_order_id for child in out}, {detail_of(child.client_order_id) for child in out}
        self._denials = {order: denial for order, denial in self._denials.items() if order in orders}
        over = [known for known in await self._open() if known.detail not in details]
        if over:
            async with self._account.ledger.transaction() as book:
                for known in over:
                    await book.close_break(self._account.closed(known, "seen", known.detail))

    async def _open(self) -> Sequence[Break]:
        return self._denied(await self._account.ledger.open_breaks(self._account.name))

    @staticmethod
    def _denied(known: Sequence[Break]) -> Sequence[Break]:
        return [each for each in known if each.kind == UNKNOWN_ORDER]

    async def _report(self, parent: ParentOrder, child: ChildOrder, denial: _Denial) -> None:
        account, portfolio_id, order = self._account, parent.portfolio_id, child.client_order_id
        difference, detail = Difference(parent.base, missing(child), ZERO), detail_of(order)
        cause = (order, denial.since_us, difference.ledger)
        found = account.found(UNKNOWN_ORDER, difference, portfolio_id, *cause, detail=detail)
        async with account.ledger.transaction() as book:
            await book.portfolio(portfolio_id)
            for known in self._denied(await book.open_breaks(account.name)):
                if known.detail == detail:
                    await book.close_break(account.closed(known, "changed", detail))
            if not await book.open_break(found):
                return  # another order of the portfolio in the same asset is: it is halted, and this one's turn comes
            await book.halt(portfolio_id, f"{account.name} does not know {detail}")
        account.meter.count("reconciliation_breaks_total", kind=UNKNOWN_ORDER)
        account.log.error("venue does not know an order", order=order, portfolio_id=portfolio_id)


def detail_of(client_order_id: str) -> str:
    """Return how a break names its order."""
    return f"order {client_order_id}"


def missing(child: ChildOrder) -> Decimal:
    """Return how much of an order the venue could still owe word of."""
    return (child.filled if child.state.terminal else child.quantity) - child.recorded
