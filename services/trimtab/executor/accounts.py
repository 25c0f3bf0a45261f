"""One venue account's word on our orders: its user stream, and look-ups for what the stream did not tell."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

from trimtab.domain.errors import LedgerConflictError, TrimtabError, UnreachableError
from trimtab.domain.orders import ChildOrder, ParentOrder
from trimtab.executor.desk import Desk
from trimtab.executor.sending import Sender
from trimtab.executor.work import Work
from trimtab.ledger.recording import record_report
from trimtab.ledger.turns import surviving
from trimtab.ports.ledger import Fence
from trimtab.ports.venue import ExecutionReport, Reconnected, Venue

_RETRY_SECONDS = 1.0
_IDLE_SECONDS = 0.1
_LOOKUPS_AT_ONCE = 4


class AccountWatch:
    """Follows one account. One process at a time does so for everybody: it holds the account's lease.

    What it writes are facts, told apart by their ids: two processes that both believe to hold the lease for a moment
    cost requests, nothing else.
    """

    def __init__(self, desk: Desk, sender: Sender, work: Work, venue: Venue, owner: str) -> None:
        self._desk = desk
        self._sender = sender
        self._work = work
        self._venue = venue
        self._owner = owner
        self._lease: Fence | None = None

    async def run(self) -> None:
        """Hold the lease, follow the stream and look up what it did not tell, until cancelled."""
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self.hold_lease())
            loops.create_task(self.follow_stream())
            loops.create_task(self.look_up_lost())

    async def hold_lease(self) -> None:
        """Take the account's lease when it is free and keep it, until cancelled."""
        desk, seconds = self._desk, self._desk.settings.lease_seconds
        while True:
            lease = None
            with surviving(desk.log, desk.meter, "lease not renewed", account=self._venue.account):
                lease = await desk.ledger.lease(f"account/{self._venue.account}", self._owner, seconds)
            self._lease = lease
            if lease is None:
                self._tell_unknown(())  # whoever leads tells
            await desk.clock.sleep(seconds / 3)

    def _leads(self) -> bool:
        return self._lease is not None

    async def follow_stream(self) -> None:
        """Record every report of the user stream, until cancelled."""
        desk = self._desk
        while True:
            if self._leads():
                with surviving(desk.log, desk.meter, "user stream interrupted", account=self._venue.account):
                    async with aclosing(self._venue.reports()) as events:
                        async for event in events:
                            await self._take(event)
                            if not self._leads():
                                break
            await desk.clock.sleep(_IDLE_SECONDS)

    async def _take(self, event: ExecutionReport | Reconnected) -> None:
        """Record one event. What the ledger cannot take now is tried again; what it never will must not hold the rest.

        A report that is left out is not lost: the order's look-up and the reconciler bring what it said.
        """
        log = self._desk.log.bind(account=self._venue.account)
        while True:
            try:
                if isinstance(event, Reconnected):
                    await self._look_up_open(everything=True)
                else:
                    async with self._desk.ledger.transaction() as book:
                        await record_report(book, event)
            except (UnreachableError, LedgerConflictError) as error:
                log.warning("report waits for the ledger", reason=str(error))
                await self._desk.clock.sleep(_RETRY_SECONDS)
            except TrimtabError as error:
                log.warning("report not recorded", order=getattr(event, "client_order_id", ""), reason=str(error))
                return
            else:
                self._work.touch()
                return

    async def look_up_lost(self) -> None:
        """Look up every order whose fate only the venue knows, at start and on a timer, until cancelled."""
        desk = self._desk
        while True:
            await desk.clock.sleep(desk.settings.lookup_interval_seconds)
            if not self._leads():
                continue
            with surviving(desk.log, desk.meter, "look-ups interrupted", account=self._venue.account) as turn:
                await self._look_up_open(everything=False)
            if turn.failed:
                await desk.clock.sleep(_RETRY_SECONDS)

    async def _look_up_open(self, *, everything: bool) -> None:
        children = await self._desk.ledger.open_children(self._venue.account)
        self._tell_unknown([child for _, child in children if child.state.unsettled])
        self._sender.forget_absences(self._venue.account, {child.client_order_id for _, child in children})
        due = [
            (parent, child)
            for parent, child in children
            if not self._sender.in_flight(child.client_order_id) and (everything or self._doubtful(child))
        ]
        for start in range(0, len(due), _LOOKUPS_AT_ONCE):
            await asyncio.gather(*(self._look_up(*pair) for pair in due[start : start + _LOOKUPS_AT_ONCE]))

    async def _look_up(self, parent: ParentOrder, child: ChildOrder) -> None:
        """Look one order up; its failure must not keep the others from being looked up."""
        desk = self._desk
        with surviving(desk.log, desk.meter, "look-up failed", order=child.client_order_id):
            await self._sender.look_up(parent, child)
        self._work.touch()

    def _doubtful(self, child: ChildOrder) -> bool:
        """Tell whether the ledger waits for word of a child: unanswered, fills missing, or a cancel not confirmed."""
        if child.state.unsettled or child.recorded < child.filled:
            # An answer that is merely on its way to another process is given time to arrive.
            return self._age_ms(child) > self._desk.settings.lookup_after_ms
        return child.cancel_requested

    def _age_ms(self, child: ChildOrder) -> int:
        return self._desk.clock.now_us() // 1_000 - child.request_time_ms

    def _tell_unknown(self, unknown: Sequence[ChildOrder]) -> None:
        venue, account = self._venue.name, self._venue.account
        age_seconds = max((self._age_ms(child) / 1_000 for child in unknown), default=0.0)
        self._desk.meter.set("unknown_orders", len(unknown), venue=venue, account=account)
        self._desk.meter.set("unknown_order_age_seconds", age_seconds, venue=venue, account=account)
