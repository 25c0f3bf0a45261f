"""The ledger held against the venue: own trades, balances; on a timer and after every reconnect."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal

from structlog.typing import FilteringBoundLogger

from trimtab.domain.amounts import plain
from trimtab.domain.ids import derive
from trimtab.domain.orders import ChildOrder, ParentOrder
from trimtab.ledger.recording import record_report
from trimtab.ledger.turns import surviving
from trimtab.messages import Break
from trimtab.ports.clock import Clock
from trimtab.ports.ledger import UNALLOCATED, Ledger, LedgerBook
from trimtab.ports.metrics import Meter
from trimtab.ports.venue import ExecutionReport, Reconnected, Unknown, Venue
from trimtab.reconciler.differences import Difference, Sighting, confirmed, differences, with_fills
from trimtab.settings import ReconcilerSettings

# A fill that the venue tells of may be on its way to the ledger through the executor: it is given this long.
_GRACE_SECONDS = 0.5
_RETRY_SECONDS = 1.0


class Comparing:
    """Compares one venue account with the ledger, and books or reports what differs."""

    def __init__(
        self,
        ledger: Ledger,
        venue: Venue,
        clock: Clock,
        meter: Meter,
        log: FilteringBoundLogger,
        settings: ReconcilerSettings,
    ) -> None:
        self._ledger = ledger
        self._venue = venue
        self._clock = clock
        self._meter = meter
        self._log = log.bind(account=venue.account)
        self._settings = settings
        self._sightings: dict[str, Sighting] = {}
        self._due = asyncio.Event()

    async def watch_reconnects(self) -> None:
        """Ask for a comparison after every interruption of the account's stream, until cancelled."""
        while True:
            with surviving(self._log, self._meter, "user stream interrupted"):
                async for event in self._venue.reports():
                    if isinstance(event, Reconnected):
                        self._due.set()
            await self._clock.sleep(_RETRY_SECONDS)

    async def follow(self) -> None:
        """Compare on a timer and whenever asked, until cancelled."""
        while True:
            self._due.clear()
            with surviving(self._log, self._meter, "comparison interrupted"):
                await self.compare()
            with suppress(TimeoutError):
                # Not wait_for: in Python 3.11 it loses a cancellation that comes together with the event.
                async with asyncio.timeout(self._settings.compare_interval_seconds):
                    await self._due.wait()

    async def compare(self) -> Sequence[Sighting]:
        """Fetch missed fills, then compare balances; return the differences that stand.

        Balances are compared only between two looks at a ledger that did not move, with no order out.
        """
        await self._fetch_missed_fills()
        before = await self._expected()
        if before is None:
            return ()
        at_venue = await self._venue.balances()
        if isinstance(at_venue, Unknown):
            self._log.warning("venue does not tell its balances", reason=at_venue.reason)
            return ()
        if before != await self._expected():
            return ()
        found = differences(before, at_venue, self._settings.tolerance)
        self._sightings, standing = confirmed(self._sightings, found, self._clock.now_us())
        await self._close_gone(found)
        for sighting in standing:
            await self._resolve(sighting)
        return standing

    async def _expected(self) -> Mapping[str, Decimal] | None:
        """Return what the venue should have by asset, None while an order is out.

        A fill that cannot be booked yet (nobody has the asset of its fee) counts as the venue counts it: what explains
        it, a deposit that is not booked either, would otherwise never be found.
        """
        account = self._venue.account
        if await self._ledger.open_children(account):
            return None
        pending = [fill for fill in await self._ledger.unsettled_fills() if fill.account == account]
        return with_fills(await self._ledger.sums(account), pending)

    async def _fetch_missed_fills(self) -> None:
        ahead = []
        for parent, child in await self._ledger.open_children(self._venue.account):
            age_ms = self._clock.now_us() // 1_000 - child.request_time_ms
            if child.state.unsettled or age_ms < self._settings.missed_fill_after_ms:
                continue  # the executor looks up what has no answer yet
            answer = await self._venue.find(parent, child)
            if isinstance(answer, ExecutionReport) and (answer.filled > child.recorded or answer.state.terminal):
                ahead.append((parent, child, answer))
        if ahead:
            await self._clock.sleep(_GRACE_SECONDS)
        for parent, child, answer in ahead:
            with surviving(self._log, self._meter, "missed fill not recorded", order=child.client_order_id):
                await self._record_missed(parent, child, answer)

    async def _record_missed(self, parent: ParentOrder, child: ChildOrder, answer: ExecutionReport) -> None:
        async with self._ledger.transaction() as book:
            recorded = await record_report(book, answer)
            if recorded is None or not recorded.new_fills:
                return
            cause = (child.client_order_id, answer.filled)
            missed = Difference(parent.base, child.recorded, answer.filled)
            await book.open_break(self._break("missed_fill", missed, parent.portfolio_id, *cause))
        self._meter.count("reconciliation_breaks_total", kind="missed_fill")
        self._log.warning("missed fill recorded", order=child.client_order_id, filled=plain(answer.filled))

    async def _resolve(self, sighting: Sighting) -> None:
        """Book a difference that can be explained; report and halt on one that cannot."""
        holders = await self._ledger.holders(self._venue.account)
        if not holders:
            return  # nobody's portfolio: nothing of it is ours to book
        if sighting.difference.size < 0:
            await self._halt(sighting, holders)
        else:
            await self._book_transfer(sighting, holders[0] if len(holders) == 1 else UNALLOCATED)

    async def _book_transfer(self, sighting: Sighting, holder: str) -> None:
        difference, account = sighting.difference, self._venue.account
        entry_id = derive("transfer", account, difference.asset, sighting.since_us)
        async with self._ledger.transaction() as book:
            if holder != UNALLOCATED:
                await book.portfolio(holder)
            now_us, size = self._clock.now_us(), difference.size
            if not await book.transfer(entry_id, "external_transfer", holder, account, difference.asset, size, now_us):
                return
            await book.open_break(self._break("external_transfer", difference, holder, sighting.since_us))
            if holder != UNALLOCATED:
                await book.bump(holder, "external_transfer", 0)  # wall clock is no event time: keep the last
        self._meter.count("reconciliation_breaks_total", kind="external_transfer")
        self._log.info("external transfer booked", asset=difference.asset, amount=plain(difference.size), holder=holder)

    async def _halt(self, sighting: Sighting, holders: Sequence[str]) -> None:
        """Report what is missing and halt its holders; the same difference is reported once, a larger one again."""
        difference = sighting.difference
        missing = plain(-difference.size)
        async with self._ledger.transaction() as book:
            for portfolio_id in holders:  # sorted, and before anything else: the order of all locks
                await book.portfolio(portfolio_id)
            for known in await self._unexplained(book):
                if known.asset == difference.asset:
                    if known.difference == difference.size:
                        return
                    await book.close_break(self._closed(known, "changed"))
            await book.open_break(self._break("unexplained", difference, "", sighting.since_us))
            for portfolio_id in holders:
                await book.halt(portfolio_id, f"{self._venue.account} lacks {missing} {difference.asset}")
        self._meter.count("reconciliation_breaks_total", kind="unexplained")
        self._log.error("venue has less than the ledger", asset=difference.asset, missing=missing)

    async def _close_gone(self, found: Sequence[Difference]) -> None:
        """Close unexplained breaks that are no more. What they halted stays halted until a person resumes it."""
        lacking = {difference.asset for difference in found if difference.size < 0}
        if all(known.asset in lacking for known in await self._ledger.open_breaks(self._venue.account)):
            return
        async with self._ledger.transaction() as book:
            for known in await self._unexplained(book):
                if known.asset not in lacking:
                    await book.close_break(self._closed(known, "gone"))

    async def _unexplained(self, book: LedgerBook) -> Sequence[Break]:
        return [known for known in await book.open_breaks(self._venue.account) if known.kind == "unexplained"]

    def _closed(self, known: Break, resolution: str) -> Break:
        event_id = derive("break", "closed", known.event_id)
        return replace(known, event_id=event_id, resolution=resolution, event_time_us=self._clock.now_us())

    def _break(self, kind: str, difference: Difference, portfolio_id: str, *causes: object) -> Break:
        """Return a break; its times are the wall clock's, its id is derived from what caused it."""
        now_us = self._clock.now_us()
        return Break(
            event_id=derive("break", self._venue.account, kind, difference.asset, *causes),
            portfolio_id="" if portfolio_id == UNALLOCATED else portfolio_id,
            venue=self._venue.name,
            account=self._venue.account,
            kind=kind,
            asset=difference.asset,
            ledger=difference.ledger,
            at_venue=difference.at_venue,
            difference=difference.size,
            first_seen_us=now_us,
            event_time_us=now_us,
            resolution="" if kind == "unexplained" else "booked",
            detail="",
        )
