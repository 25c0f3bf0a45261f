"""What a difference that stands leads to: a halt, or a booking."""

from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import partial

from trimtab.domain.amounts import plain
from trimtab.domain.ids import derive
from trimtab.ledger.turns import surviving
from trimtab.messages import Break
from trimtab.ports.ledger import UNALLOCATED, Ledger, LedgerBook
from trimtab.reconciler.account import UNEXPLAINED, Account
from trimtab.reconciler.differences import Sighting
from trimtab.reconciler.withdrawals import Withdrawals


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done about one asset, and whether the ledger agrees with the venue after it."""

    asset: str
    take: Callable[[], Awaitable[None]]
    settles: bool


class Resolving:
    """Books what can be explained, reports and halts on what cannot."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._withdrawals = Withdrawals(account)

    async def steps(self, ripe: Sequence[Sighting]) -> Sequence[Step]:
        """Return what has to be done: halts first, so that nothing trades on while the rest is booked."""
        holders = await self._account.ledger.holders(self._account.name) if ripe else ()
        if not holders:
            return ()  # nobody's portfolio: nothing of it is ours to book
        owner = holders[0] if len(holders) == 1 else UNALLOCATED
        known = {each.asset: each for each in await self._unexplained(self._account.ledger)}
        explained = await self._withdrawals.explained() if known else {}
        halts, bookings = [], []
        for sighting in ripe:
            asset, size = sighting.difference.asset, sighting.difference.size
            if size > 0:
                bookings.append(Step(asset, partial(self._book_deposit, sighting, owner), settles=True))
            elif asset not in known or known[asset].difference != size:
                halts.append(Step(asset, partial(self._halt, sighting, holders), settles=False))
            elif asset in explained and await self._withdrawals.covered(known[asset], explained[asset]):
                take = partial(self._withdrawals.book, known[asset], explained[asset])
                bookings.append(Step(asset, take, settles=True))
        return (*halts, *bookings)

    async def take(self, steps: Sequence[Step]) -> Sequence[str]:
        """Take every step, each by itself: one that is refused hides no other. Return the assets that are settled."""
        account, settled = self._account, []
        for step in steps:
            with surviving(account.log, account.meter, "difference not resolved", asset=step.asset):
                await step.take()
                if step.settles:
                    settled.append(step.asset)
        return settled

    async def close_gone(self, lacking: AbstractSet[str]) -> None:
        """Close unexplained breaks of other assets. What they halted stays halted until a person resumes it."""
        if all(known.asset in lacking for known in await self._unexplained(self._account.ledger)):
            return
        async with self._account.ledger.transaction() as book:
            for known in await self._unexplained(book):
                if known.asset not in lacking:
                    await book.close_break(self._account.closed(known, "gone"))

    async def _unexplained(self, ledger: Ledger | LedgerBook) -> Sequence[Break]:
        return [known for known in await ledger.open_breaks(self._account.name) if known.kind == UNEXPLAINED]

    async def _book_deposit(self, sighting: Sighting, holder: str) -> None:
        account, difference = self._account, sighting.difference
        asset, size, now_us = difference.asset, difference.size, account.clock.now_us()
        entry_id = derive("transfer", account.name, asset, sighting.since_us)
        async with account.ledger.transaction() as book:
            if holder != UNALLOCATED:
                await book.portfolio(holder)
            if not await book.transfer(entry_id, "external_transfer", holder, account.name, asset, size, now_us):
                return
            await book.open_break(account.found("external_transfer", difference, holder, sighting.since_us))
            if holder != UNALLOCATED:
                await book.bump(holder, "external_transfer", 0)  # wall clock is no event time: keep the last
        account.meter.count("reconciliation_breaks_total", kind="external_transfer")
        account.log.info("external transfer booked", asset=asset, amount=plain(size), holder=holder)

    async def _halt(self, sighting: Sighting, holders: Sequence[str]) -> None:
        """Report what is missing and halt its holders; what was missing before is part of it."""
        account, difference = self._account, sighting.difference
        missing = plain(-difference.size)
        async with account.ledger.transaction() as book:
            for portfolio_id in holders:  # sorted, and before anything else: the order of all locks
                await book.portfolio(portfolio_id)
            for known in await self._unexplained(book):
                if known.asset == difference.asset:
                    await book.close_break(account.closed(known, "changed"))
            await book.open_break(account.found(UNEXPLAINED, difference, "", sighting.since_us))
            for portfolio_id in holders:
                await book.halt(portfolio_id, f"{account.name} lacks {missing} {difference.asset}")
        account.meter.count("reconciliation_breaks_total", kind=UNEXPLAINED)
        account.log.error("venue has less than the ledger", asset=difference.asset, missing=missing)
