"""Orders that are out, looked up at the venue one by one."""

from collections.abc import Sequence

from trimtab.domain.amounts import plain
from trimtab.domain.orders import ChildOrder, OrderState, ParentOrder
from trimtab.ledger.recording import record_report
from trimtab.ledger.turns import surviving
from trimtab.ports.venue import Absent, ExecutionReport, Unknown
from trimtab.reconciler.account import GRACE_SECONDS, Account
from trimtab.reconciler.denials import Denials
from trimtab.reconciler.differences import Difference

Answered = tuple[ParentOrder, ChildOrder, ExecutionReport]


class OpenOrders:
    """Finds what the venue did to orders that are not final, or filled beyond what is recorded."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._denials = Denials(account)
        self.denied: Sequence[str] = ()  # orders that the last look-up asked for in vain, and that are reported

    async def look_up(self) -> bool:
        """Look up every order that has been out for a while, and record what the ledger lacks.

        Return whether the venue told of each of them all there is: until then they may explain any difference.
        """
        account, told = self._account, True
        reports: list[Answered] = []
        denied: list[str] = []
        children = await account.ledger.open_children(account.name)
        for parent, child in children:
            asked_ms = account.clock.now_us() // 1_000
            young = asked_ms - child.request_time_ms < account.settings.missed_fill_after_ms
            if young or child.state is OrderState.INITIALIZED:
                continue  # word of it is still on its way, or it was never sent
            if child.state.unsettled:
                told = False  # the executor looks up what has no answer yet
                continue
            match await account.venue.find(parent, child):
                case ExecutionReport() as report:
                    reports.append((parent, child, report))
                case Absent():
                    if await self._denials.denied(parent, child, asked_ms):
                        denied.append(child.client_order_id)
                    else:
                        told = False
                case Unknown(reason):
                    account.log.warning("look-up without an answer", order=child.client_order_id, reason=reason)
                    told = False
        answered = {child.client_order_id for _, child, _ in reports}
        await self._denials.close([child for _, child in children if child.client_order_id not in answered])
        self.denied = denied
        return await self._record(reports) and told

    async def _record(self, reports: Sequence[Answered]) -> bool:
        """Record the reports that say more than the ledger; return whether each came with all its executions."""
        ahead = [
            (parent, child, report)
            for parent, child, report in reports
            if report.filled > child.recorded or report.state.terminal
        ]
        if not ahead:
            return True
        await self._account.clock.sleep(GRACE_SECONDS)
        complete = 0
        for parent, child, report in ahead:
            with surviving(
                self._account.log, self._account.meter, "missed fill not recorded", order=child.client_order_id
            ):
                complete += await self._record_missed(parent, child, report)
        return complete == len(ahead)

    async def _record_missed(self, parent: ParentOrder, child: ChildOrder, report: ExecutionReport) -> bool:
        async with self._account.ledger.transaction() as book:
            recorded = await record_report(book, report)
            if recorded is None or not recorded.new_fills:
                return recorded is not None and recorded.child.recorded >= report.filled
            cause = (child.client_order_id, report.filled)
            missed = Difference(parent.base, child.recorded, report.filled)
            await book.open_break(self._account.found("missed_fill", missed, parent.portfolio_id, *cause))
        self._account.meter.count("reconciliation_breaks_total", kind="missed_fill")
        self._account.log.warning("missed fill recorded", order=child.client_order_id, filled=plain(report.filled))
        return recorded.child.recorded >= report.filled
