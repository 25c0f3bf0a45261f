"""The ledger held against the venue: own trades, open orders, balances; on a timer and after every reconnect."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from decimal import Decimal

from structlog.typing import FilteringBoundLogger

from trimtab.ledger.turns import surviving
from trimtab.ports.clock import Clock
from trimtab.ports.ledger import Ledger
from trimtab.ports.metrics import Meter
from trimtab.ports.venue import Reconnected, Unknown, Venue
from trimtab.reconciler.account import Account
from trimtab.reconciler.differences import Sighting, confirmed, differences, lacking, ripe, with_fills
from trimtab.reconciler.orders import OpenOrders
from trimtab.reconciler.resolving import Resolving
from trimtab.reconciler.trades import OwnTrades
from trimtab.reconciler.unfilled import Unfilled
from trimtab.settings import ReconcilerSettings

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
        self._account = Account(ledger, venue, clock, meter, log.bind(account=venue.account), settings)
        self._trades = OwnTrades(self._account)
        self._orders = OpenOrders(self._account)
        self._unfilled = Unfilled(self._account)
        self._resolving = Resolving(self._account)
        self._sightings: dict[str, Sighting] = {}
        self._due = asyncio.Event()

    async def watch_reconnects(self) -> None:
        """Ask for own trades and a comparison after every interruption of the account's stream, until cancelled."""
        account = self._account
        while True:
            with surviving(account.log, account.meter, "user stream interrupted"):
                async for event in account.venue.reports():
                    if isinstance(event, Reconnected):
                        self._trades.ask()
                        self._due.set()
            await account.clock.sleep(_RETRY_SECONDS)

    async def follow(self) -> None:
        """Compare on a timer and whenever asked, until cancelled."""
        account = self._account
        while True:
            self._due.clear()
            with surviving(account.log, account.meter, "comparison interrupted"):
                await self.compare()
            with suppress(TimeoutError):
                # Not wait_for: in Python 3.11 it loses a cancellation that comes together with the event.
                async with asyncio.timeout(account.settings.compare_interval_seconds):
                    await self._due.wait()

    async def compare(self) -> Sequence[Sighting]:
        """Record what was missed, then compare balances and resolve what differs; return the differences that stand.

        Balances are free plus locked, so that an open order changes nothing; they are compared between two looks at a
        ledger that did not move. Nothing is resolved unless the venue told of its orders and trades in this round.
        """
        account = self._account
        if self._trades.due:
            await self._trades.fetch()
        told = await self._orders.look_up()
        over = await self._unfilled.due(self._orders.denied)
        if over and await self._trades_explain_nothing():
            await self._unfilled.end(over)
        before = await self._expected()
        at_venue = await account.venue.balances()
        if isinstance(at_venue, Unknown):
            account.log.warning("venue does not tell its balances", reason=at_venue.reason)
            return ()
        busy = not await account.ledger.quiet(account.name)
        if before != await self._expected():
            return ()
        found, now_us = differences(before, at_venue, account.settings.tolerance), account.clock.now_us()
        earlier = self._sightings
        self._sightings, standing = confirmed(earlier, found, now_us)
        # A fill on its way may hide for a moment what is missing.
        await self._resolving.close_gone(lacking([*self._sightings.values(), *(earlier.values() if busy else ())]))
        bound_seconds = account.settings.busy_confirm_seconds if busy else account.settings.confirm_seconds
        steps = await self._resolving.steps(ripe(standing, now_us, bound_seconds))
        if steps and told and await self._trades_explain_nothing():
            for asset in await self._resolving.take(steps):
                self._sightings.pop(asset, None)  # what differs from here on is another difference, of any size
        return standing

    async def _expected(self) -> Mapping[str, Decimal]:
        """Return what the venue should have by asset.

        A recorded fill that is not booked (nobody has the asset of its fee, say) counts as the venue counts it: what
        explains it, a deposit that is not booked either, would otherwise never be found.
        """
        ledger, name = self._account.ledger, self._account.name
        pending = [fill for fill in await ledger.unsettled_fills() if fill.account == name]
        return with_fills(await ledger.sums(name), pending)

    async def _trades_explain_nothing(self) -> bool:
        """Fetch own trades; if fills were missed the comparison starts over, at once."""
        recorded = await self._trades.fetch()
        if recorded:
            self._sightings = {}
            self._due.set()
        return recorded == 0
