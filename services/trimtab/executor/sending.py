"""Requests to the venue, and what their answers do to the ledger. A missing answer is a state, never a guess."""

from collections.abc import Iterator, Set
from contextlib import contextmanager

from trimtab.domain.orders import ChildOrder, OrderState, ParentOrder
from trimtab.executor.desk import Desk
from trimtab.ledger.parents import close_parent
from trimtab.ledger.recording import record_report, record_state
from trimtab.ports.ledger import TradingBook
from trimtab.ports.venue import Absent, ExecutionReport, NotPlaced, Refused, Unknown

# Event time a portfolio rests after the venue refused one of its orders: the reason rarely goes away at once.
_REFUSAL_REST_US = 30_000_000

Answer = ExecutionReport | Refused | NotPlaced | Unknown


class Sender:
    """Talks to the venues for every order of this process.

    Answers are facts: they are recorded whoever owns the portfolio by now. If the ledger cannot take an answer, the
    order stays submitted there and a look-up finds it.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._in_flight: set[str] = set()
        self._absences: dict[str, dict[str, int]] = {}  # by account and order: how often it was looked for in vain
        self._held_until_us: dict[str, int] = {}

    def in_flight(self, client_order_id: str) -> bool:
        """Tell whether this process is still waiting for the venue's answer about an order."""
        return client_order_id in self._in_flight

    def held(self, account: str) -> bool:
        """Tell whether the venue asked this account to wait."""
        return self._desk.clock.now_us() < self._held_until_us.get(account, 0)

    def forget_absences(self, account: str, but: Set[str]) -> None:
        """Forget vain look-ups of orders other than these: their fate is known."""
        counts = self._absences.get(account, {})
        self._absences[account] = {order: count for order, count in counts.items() if order in but}

    @contextmanager
    def _waiting_for(self, child: ChildOrder) -> Iterator[None]:
        self._in_flight.add(child.client_order_id)
        try:
            yield
        finally:
            self._in_flight.discard(child.client_order_id)

    async def place(self, parent: ParentOrder, child: ChildOrder) -> None:
        """Send a submitted child and record the answer."""
        desk = self._desk
        with self._waiting_for(child):
            sent_us = desk.clock.now_us()
            answer = await desk.venues[parent.account].place(parent, child)
            answered_us = desk.clock.now_us()
            with desk.trail.stamped("trimtab.answered_us", answered_us):
                async with desk.ledger.transaction() as book:
                    await self._record_placing(book, parent, child, answer)
        self._measure(parent, child, answer, sent_us, answered_us)

    async def cancel(self, parent: ParentOrder, child: ChildOrder) -> None:
        """Take a child back; if the venue does not know it any more, look up what became of it."""
        with self._waiting_for(child):
            answer = await self._desk.venues[parent.account].cancel(parent, child)
            if isinstance(answer, ExecutionReport):
                await self._record(answer)
            else:
                await self.look_up(parent, child)

    async def look_up(self, parent: ParentOrder, child: ChildOrder) -> None:
        """Ask the venue what became of a child, and record it; proven absence counts as a refusal.

        A child that lives though it was to be taken back is cancelled again.
        """
        venue = self._desk.venues[parent.account]
        asked_ms = self._desk.clock.now_us() // 1_000
        answer = await venue.find(parent, child)
        match answer:
            case ExecutionReport():
                self._absences.get(parent.account, {}).pop(child.client_order_id, None)
                await self._record(answer)
                if child.cancel_requested and not answer.state.terminal:
                    cancelled = await venue.cancel(parent, child)
                    if isinstance(cancelled, ExecutionReport):
                        await self._record(cancelled)
            case Absent():
                await self._absent(parent, child, asked_ms)
            case Unknown(reason):
                self._desk.log.warning("look-up without an answer", order=child.client_order_id, reason=reason)

    async def _record(self, report: ExecutionReport) -> None:
        async with self._desk.ledger.transaction() as book:
            await record_report(book, report)

    async def _record_placing(self, book: TradingBook, parent: ParentOrder, child: ChildOrder, answer: Answer) -> None:
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
                await record_state(book, parent, order, OrderState.UNKNOWN, reason, now_us)

    async def _give_up(self, book: TradingBook, parent: ParentOrder, code: str, now_us: int) -> None:
        item = await book.work_item(parent.parent_id)
        if item is None:
            return
        await close_parent(book, item, f"refused: {code}", now_us)
        await book.bump(parent.portfolio_id, f"refused: {code}", now_us, now_us + _REFUSAL_REST_US)

    async def _absent(self, parent: ParentOrder, child: ChildOrder, asked_ms: int) -> None:
        """Count a look-up in vain. Only those asked after the request can no longer arrive say anything.

        Even then what is read may lag. A cancellation goes to the book itself: only if that is in vain too, the order
        is not there, and another in its place does not come on top of it.
        """
        desk, order = self._desk, child.client_order_id
        if (
            not child.state.unsettled
            or asked_ms <= child.request_time_ms + desk.venues[parent.account].absence_window_ms
        ):
            return
        counts = self._absences.setdefault(parent.account, {})
        counts[order] = counts.get(order, 0) + 1
        if counts[order] < desk.settings.lookups_for_absence:
            return
        taken_back = await desk.venues[parent.account].cancel(parent, child)
        if not isinstance(taken_back, Absent):
            desk.log.warning("order not to be seen, and not absent", order=order, answer=str(taken_back))
            if isinstance(taken_back, ExecutionReport):
                await self._record(taken_back)
            return
        now_us = max(desk.now_us(), child.placed_us)  # there may be no market yet after a start
        async with desk.ledger.transaction() as book:
            await record_state(book, parent, order, OrderState.REJECTED, "absent at the venue", now_us)
        counts.pop(order, None)

    def _measure(self, parent: ParentOrder, child: ChildOrder, answer: Answer, sent_us: int, answered_us: int) -> None:
        meter, venue = self._desk.meter, parent.venue
        meter.observe("execution_latency_seconds", (answered_us - sent_us) / 1_000_000, venue=venue)
        if isinstance(answer, Unknown):
            meter.count("orders_unknown_total", venue=venue)
            state = OrderState.UNKNOWN
        else:
            state = answer.state if isinstance(answer, ExecutionReport) else OrderState.REJECTED
        meter.count("orders_total", venue=venue, state=state.value)
        if isinstance(answer, Refused):
            self._desk.tell_closed(parent)
        tick_us = self._desk.trail.tick_us()
        if tick_us is not None and child.attempt == 0:
            meter.observe("tick_to_order_seconds", (answered_us - tick_us) / 1_000_000)
