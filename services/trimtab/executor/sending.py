"""Requests to the venue, and what their answers do to the ledger. A missing answer is a state, never a guess."""

from trimtab.domain.orders import ChildOrder, OrderState, ParentOrder
from trimtab.executor.desk import Desk
from trimtab.executor.intents import close_parent
from trimtab.ledger.recording import record_report, record_state
from trimtab.ports.ledger import LedgerBook
from trimtab.ports.venue import Absent, ExecutionReport, NotPlaced, Refused, Unknown

# Event time a portfolio rests after the venue refused one of its orders: the reason rarely goes away at once.
_REFUSAL_REST_US = 30_000_000


class Sender:
    """Talks to the venues for every order of this process.

    Answers are facts: they are recorded whoever owns the portfolio by now. If the ledger cannot take an answer, the
    order stays submitted there and a look-up finds it.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._in_flight: set[str] = set()
        self._absences: dict[str, int] = {}
        self._held_until_us: dict[str, int] = {}

    def in_flight(self, client_order_id: str) -> bool:
        """Tell whether this process is still waiting for the venue's answer about an order."""
        return client_order_id in self._in_flight

    def held(self, account: str) -> bool:
        """Tell whether the venue asked this account to wait."""
        return self._desk.clock.now_us() < self._held_until_us.get(account, 0)

    async def place(self, parent: ParentOrder, child: ChildOrder) -> None:
        """Send a submitted child and record the answer."""
        desk = self._desk
        self._in_flight.add(child.client_order_id)
        try:
            answer = await desk.venues[parent.account].place(parent, child)
            answered_us = desk.clock.now_us()
            self._observe(child, answered_us)
            with desk.trail.stamped("trimtab.answered_us", answered_us):
                async with desk.ledger.transaction() as book:
                    await self._record_placing(book, parent, child, answer)
        finally:
            self._in_flight.discard(child.client_order_id)

    async def cancel(self, parent: ParentOrder, child: ChildOrder) -> None:
        """Take a child back; if the venue does not know it any more, look up what became of it."""
        answer = await self._desk.venues[parent.account].cancel(parent, child)
        if isinstance(answer, ExecutionReport):
            await self._record(answer)
        else:
            await self.look_up(parent, child)

    async def look_up(self, parent: ParentOrder, child: ChildOrder) -> None:
        """Ask the venue what became of a child, and record it; proven absence counts as a refusal."""
        answer = await self._desk.venues[parent.account].find(parent, child)
        match answer:
            case ExecutionReport():
                self._absences.pop(child.client_order_id, None)
                await self._record(answer)
                if child.cancel_requested and not answer.state.terminal:
                    await self._desk.venues[parent.account].cancel(parent, child)
            case Absent():
                await self._absent(parent, child)
            case Unknown(reason):
                self._desk.log.warning("look-up without an answer", order=child.client_order_id, reason=reason)

    async def _record(self, report: ExecutionReport) -> None:
        async with self._desk.ledger.transaction() as book:
            await record_report(book, report)

    async def _record_placing(
        self,
        book: LedgerBook,
        parent: ParentOrder,
        child: ChildOrder,
        answer: ExecutionReport | Refused | NotPlaced | Unknown,
    ) -> None:
        now_us, order = self._desk.now_us(), child.client_order_id
        match answer:
            case ExecutionReport():
                await record_report(book, answer)
            case Refused(code, reason):
                await record_state(book, parent, order, OrderState.REJECTED, f"{code}: {reason}", now_us)
                await self._give_up(book, parent, code, now_us)
            case NotPlaced(reason, retry_after_ms):
                self._held_until_us[parent.account] = self._desk.clock.now_us() + retry_after_ms * 1_000
                await record_state(book, parent, order, OrderState.REJECTED, f"not placed: {reason}", now_us)
            case Unknown(reason):
                self._desk.meter.count("orders_unknown_total", venue=parent.venue)
                await record_state(book, parent, order, OrderState.UNKNOWN, reason, now_us)

    async def _give_up(self, book: LedgerBook, parent: ParentOrder, code: str, now_us: int) -> None:
        item = await book.work_item(parent.parent_id)
        if item is None:
            return
        await close_parent(book, item, f"refused: {code}", now_us)
        await book.bump(parent.portfolio_id, f"refused: {code}", now_us, now_us + _REFUSAL_REST_US)

    async def _absent(self, parent: ParentOrder, child: ChildOrder) -> None:
        desk, order = self._desk, child.client_order_id
        venue = desk.venues[parent.account]
        if not child.state.unsettled or desk.clock.now_us() // 1_000 <= child.request_time_ms + venue.absence_window_ms:
            return
        self._absences[order] = self._absences.get(order, 0) + 1
        if self._absences[order] < desk.settings.lookups_for_absence:
            return
        async with desk.ledger.transaction() as book:
            await record_state(book, parent, order, OrderState.REJECTED, "absent at the venue", desk.now_us())
        del self._absences[order]

    def _observe(self, child: ChildOrder, answered_us: int) -> None:
        tick_us = self._desk.trail.tick_us()
        if tick_us is not None and child.attempt == 0:
            self._desk.meter.observe("tick_to_order_seconds", (answered_us - tick_us) / 1_000_000)
