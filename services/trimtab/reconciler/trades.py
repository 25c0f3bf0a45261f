"""Own trades as the venue's history has them, held against the fills of the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass

from trimtab.domain.amounts import ZERO, plain
from trimtab.domain.orders import ChildOrder, OrderState, ParentOrder
from trimtab.ledger.recording import Recorded, record_report
from trimtab.ports.ledger import LedgerBook
from trimtab.ports.venue import Absent, ExecutionReport, Unknown, VenueTrade
from trimtab.reconciler.account import GRACE_SECONDS, Account
from trimtab.reconciler.differences import Difference

# A venue's reads may lag: trades of this long (its time) before the newest one that was compared are looked at again.
_OVERLAP_US = 60_000_000


@dataclass(frozen=True, slots=True)
class _Ours:
    """An order of ours and the trades of it that the ledger does not have."""

    parent: ParentOrder
    child: ChildOrder
    trades: Sequence[VenueTrade]


class OwnTrades:
    """Finds fills by asking for the account's trades, of orders that are final too.

    Trades of orders that are not ours (by hand on the account) are left to the comparison of balances: nobody can say
    which portfolio they belong to.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._asked, self._answered = 1, 0

    @property
    def due(self) -> bool:
        """Whether something may have been missed since they were last fetched: at the start, after a reconnect."""
        return self._answered != self._asked

    def ask(self) -> None:
        """Make them due."""
        self._asked += 1

    async def fetch(self) -> int | None:
        """Record what the ledger lacks; return how many fills that were, None if the venue did not tell everything."""
        account, asked = self._account, self._asked
        recorded, told = 0, True
        for instrument, since_us in (await account.ledger.traded(account.name)).items():
            trades = await account.venue.trades(instrument, max(since_us - _OVERLAP_US, 0))
            match trades:
                case Unknown(reason):
                    account.log.warning("venue does not tell its trades", instrument=instrument, reason=reason)
                    told = False
                case Absent():  # given up by the venue or the settings: it must not hold up all others for good
                    account.log.warning("venue has no such instrument, its trades stay unseen", instrument=instrument)
                case _:
                    recorded += await self._record(instrument, since_us, trades)
        if not told:
            return None
        self._answered = asked
        return recorded

    async def _record(self, instrument: str, since_us: int, trades: Sequence[VenueTrade]) -> int:
        """Record the trades that the ledger lacks and raise the watermark, in one transaction."""
        missing = await self._unrecorded(trades)
        if missing:
            await self._account.clock.sleep(GRACE_SECONDS)
            missing = await self._unrecorded(missing)
        newest_us = max((trade.execution.event_time_us for trade in trades), default=0)
        if not missing and newest_us <= since_us:
            return 0
        async with self._account.ledger.transaction() as book:
            ours = await self._ours(book, instrument, missing)
            for portfolio_id in sorted({order.parent.portfolio_id for order in ours}):  # the order of all locks
                await book.portfolio(portfolio_id)
            found = [recorded for order in ours if (recorded := await self._record_order(book, order)) is not None]
            await book.raise_watermark(self._account.name, instrument, newest_us)
        for recorded in found:
            self._account.meter.count("reconciliation_breaks_total", kind="missed_fill")
            order, filled = recorded.child.client_order_id, plain(recorded.child.recorded)
            self._account.log.warning("missed fill recorded", order=order, filled=filled)
        return sum(recorded.new_fills for recorded in found)

    async def _unrecorded(self, trades: Sequence[VenueTrade]) -> Sequence[VenueTrade]:
        if not trades:
            return ()
        venue, name = self._account.venue.name, self._account.name
        ids = await self._account.ledger.unrecorded(venue, name, [trade.execution.trade_id for trade in trades])
        return [trade for trade in trades if trade.execution.trade_id in ids]

    async def _ours(self, book: LedgerBook, instrument: str, trades: Sequence[VenueTrade]) -> Sequence[_Ours]:
        found = []
        for order_id in dict.fromkeys(trade.venue_order_id for trade in trades):
            located = await book.child_by_venue_order(self._account.name, instrument, order_id)
            if located is not None:
                found.append(_Ours(*located, [trade for trade in trades if trade.venue_order_id == order_id]))
        return found

    async def _record_order(self, book: LedgerBook, order: _Ours) -> Recorded | None:
        """Record the trades of one order in one report; None if somebody else was faster."""
        recorded = await record_report(book, _report(order))
        if recorded is None or not recorded.new_fills:
            return None
        missed = Difference(order.parent.base, order.child.recorded, recorded.child.recorded)
        cause = (order.child.client_order_id, recorded.child.recorded)
        await book.open_break(self._account.found("missed_fill", missed, order.parent.portfolio_id, *cause))
        return recorded


def _report(order: _Ours) -> ExecutionReport:
    """Return what trades say of their order: that it traded.

    A final order stays as it ended, fills that nobody heard of included; only for one that was refused they are a
    contradiction, which halts its portfolio.
    """
    parent, child = order.parent, order.child
    ended = child.state.terminal and child.state is not OrderState.REJECTED
    return ExecutionReport(
        venue=parent.venue,
        account=parent.account,
        instrument=parent.instrument,
        client_order_id=child.client_order_id,
        venue_order_id=child.venue_order_id,
        state=child.state if ended else OrderState.PARTIALLY_FILLED,
        filled=ZERO,  # what is recorded counts
        event_time_us=max(trade.execution.event_time_us for trade in order.trades),
        executions=tuple(trade.execution for trade in order.trades),
    )
