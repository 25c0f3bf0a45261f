"""The ledger held against the venue: own trades, balances; on a timer and after every reconnect."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal

from structlog.typing import FilteringBoundLogger

from trimtab.domain.errors import TrimtabError
from trimtab.domain.ids import derive
from trimtab.ledger.recording import record_report
from trimtab.messages import Break
from trimtab.ports.clock import Clock
from trimtab.ports.ledger import UNALLOCATED, Ledger
from trimtab.ports.metrics import Meter
from trimtab.ports.venue import ExecutionReport, Reconnected, Unknown, Venue
from trimtab.reconciler.differences import Sighting, confirmed, differences
from trimtab.settings import ReconcilerSettings


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
        async for event in self._venue.reports():
            if isinstance(event, Reconnected):
                self._due.set()

    async def follow(self) -> None:
        """Compare on a timer and whenever asked, until cancelled."""
        while True:
            try:
                await self.compare()
            except TrimtabError as error:
                self._log.warning("comparison interrupted", reason=str(error))
            self._due.clear()
            try:
                await asyncio.wait_for(self._due.wait(), self._settings.compare_interval_seconds)
            except TimeoutError:
                continue

    async def compare(self) -> Sequence[Sighting]:
        """Fetch missed fills, then compare balances; return the differences that stand.

        Balances are compared only between two looks at a ledger that did not move, with nothing in flight.
        """
        await self._fetch_missed_fills()
        before = await self._ledger.sums(self._venue.account)
        if not await self._ledger.quiet(self._venue.account):
            return ()
        at_venue = await self._venue.balances()
        if isinstance(at_venue, Unknown):
            self._log.warning("venue does not tell its balances", reason=at_venue.reason)
            return ()
        if not await self._ledger.quiet(self._venue.account) or before != await self._ledger.sums(self._venue.account):
            return ()
        found = differences(before, at_venue, self._settings.tolerance)
        self._sightings, standing = confirmed(self._sightings, found, self._clock.now_us())
        for sighting in standing:
            await self._resolve(sighting)
        return standing

    async def _fetch_missed_fills(self) -> None:
        for parent, child in await self._ledger.open_children(self._venue.account):
            age_ms = self._clock.now_us() // 1_000 - child.request_time_ms
            if child.state.unsettled or age_ms < self._settings.missed_fill_after_ms:
                continue  # the executor looks up what has no answer yet
            answer = await self._venue.find(parent, child)
            if not isinstance(answer, ExecutionReport):
                continue
            async with self._ledger.transaction() as book:
                recorded = await record_report(book, answer)
                if recorded is not None and recorded.new_fills:
                    await book.open_break(
                        self._break("missed_fill", parent.base, child.recorded, answer.filled, parent.portfolio_id)
                    )
                    self._meter.count("reconciliation_breaks_total", kind="missed_fill")

    async def _resolve(self, sighting: Sighting) -> None:
        """Book a difference that can be explained; report and halt on one that cannot."""
        difference, account = sighting.difference, self._venue.account
        holders = await self._ledger.holders(account)
        if not holders:
            return  # nobody's portfolio: nothing of it is ours to book
        if difference.size < 0:
            await self._halt(sighting, holders)
            return
        holder = holders[0] if len(holders) == 1 else UNALLOCATED
        entry_id = derive("transfer", account, difference.asset, sighting.since_us)
        now_us = self._clock.now_us()
        async with self._ledger.transaction() as book:
            if holder != UNALLOCATED:
                await book.portfolio(holder)
            booked = await book.transfer(
                entry_id, "external_transfer", holder, account, difference.asset, difference.size, now_us
            )
            if not booked:
                return
            found = self._break("external_transfer", difference.asset, difference.ledger, difference.at_venue, holder)
            await book.open_break(found)
            if holder != UNALLOCATED:
                await book.bump(holder, "external_transfer", 0)  # wall clock is no event time: keep the last
        self._meter.count("reconciliation_breaks_total", kind="external_transfer")
        self._log.info("external transfer booked", asset=difference.asset, amount=str(difference.size), holder=holder)

    async def _halt(self, sighting: Sighting, holders: Sequence[str]) -> None:
        difference = sighting.difference
        found = self._break("unexplained", difference.asset, difference.ledger, difference.at_venue, "")
        async with self._ledger.transaction() as book:
            if not await book.open_break(found):
                return
            for portfolio_id in holders:
                await book.portfolio(portfolio_id)
                await book.halt(portfolio_id, f"{self._venue.account} lacks {-difference.size} {difference.asset}")
        self._meter.count("reconciliation_breaks_total", kind="unexplained")
        self._log.error("venue has less than the ledger", asset=difference.asset, missing=str(-difference.size))

    def _break(self, kind: str, asset: str, ledger: Decimal, at_venue: Decimal, portfolio_id: str) -> Break:
        now_us = self._clock.now_us()
        return Break(
            event_id=derive("break", self._venue.account, kind, asset, ledger, at_venue, now_us),
            portfolio_id="" if portfolio_id == UNALLOCATED else portfolio_id,
            venue=self._venue.name,
            account=self._venue.account,
            kind=kind,
            asset=asset,
            ledger=ledger,
            at_venue=at_venue,
            difference=at_venue - ledger,
            first_seen_us=now_us,
            event_time_us=now_us,
            resolution="" if kind == "unexplained" else "booked",
            detail="",
        )
