"""One venue account's word on our orders: its user stream, and look-ups for what the stream did not tell."""

from trimtab.domain.errors import TrimtabError
from trimtab.domain.orders import ChildOrder
from trimtab.executor.desk import Desk
from trimtab.executor.sending import Sender
from trimtab.executor.work import Work
from trimtab.ledger.recording import record_report
from trimtab.ports.ledger import Fence
from trimtab.ports.venue import ExecutionReport, Reconnected, Venue

_RETRY_SECONDS = 1.0


class AccountWatch:
    """Follows one account. One process at a time does so for everybody: it holds the account's lease."""

    def __init__(self, desk: Desk, sender: Sender, work: Work, venue: Venue, owner: str) -> None:
        self._desk = desk
        self._sender = sender
        self._work = work
        self._venue = venue
        self._owner = owner
        self._lease: Fence | None = None

    async def hold_lease(self) -> None:
        """Take the account's lease when it is free and keep it, until cancelled."""
        seconds = self._desk.settings.lease_seconds
        while True:
            try:
                self._lease = await self._desk.ledger.lease(f"account/{self._venue.account}", self._owner, seconds)
            except TrimtabError as error:
                self._lease = None
                self._desk.log.warning("lease not renewed", account=self._venue.account, reason=str(error))
            await self._desk.clock.sleep(seconds / 3)

    def _leads(self) -> bool:
        return self._lease is not None

    async def follow_stream(self) -> None:
        """Record every report of the user stream, until cancelled."""
        while True:
            if not self._leads():
                await self._desk.clock.sleep(0.1)
                continue
            async for event in self._venue.reports():
                await self._take(event)
                if not self._leads():
                    break

    async def _take(self, event: ExecutionReport | Reconnected) -> None:
        while True:
            try:
                if isinstance(event, Reconnected):
                    await self._look_up_open(everything=True)
                else:
                    async with self._desk.ledger.transaction() as book:
                        await record_report(book, event)
            except TrimtabError as error:
                self._desk.log.warning("report waits for the ledger", account=self._venue.account, reason=str(error))
                await self._desk.clock.sleep(_RETRY_SECONDS)
            else:
                self._work.touch()
                return

    async def look_up_lost(self) -> None:
        """Look up every order whose fate only the venue knows, at start and on a timer, until cancelled."""
        while True:
            await self._desk.clock.sleep(self._desk.settings.lookup_interval_seconds)
            if not self._leads():
                continue
            try:
                await self._look_up_open(everything=False)
            except TrimtabError as error:
                self._desk.log.warning("look-ups interrupted", account=self._venue.account, reason=str(error))
                await self._desk.clock.sleep(_RETRY_SECONDS)

    async def _look_up_open(self, *, everything: bool) -> None:
        unknown = 0
        for parent, child in await self._desk.ledger.open_children(self._venue.account):
            unknown += child.state.unsettled
            if self._sender.in_flight(child.client_order_id):
                continue
            if everything or self._doubtful(child):
                await self._sender.look_up(parent, child)
                self._work.touch()
        self._desk.meter.set("unknown_orders", unknown, venue=self._venue.name)

    def _doubtful(self, child: ChildOrder) -> bool:
        """Tell whether the ledger waits for word of a child: unanswered, fills missing, or a cancel not confirmed."""
        if child.state.unsettled or child.recorded < child.filled:
            # An answer that is merely on its way to another process is given time to arrive.
            age_ms = self._desk.clock.now_us() // 1_000 - child.request_time_ms
            return age_ms > self._desk.settings.lookup_after_ms
        return child.cancel_requested
