"""The end of a run: decisions stopped, open orders taken back, and everything booked and told."""

import time
from collections.abc import Awaitable, Callable, Sequence

from trimtab.adapters.postgres.opening import PublishingLedger
from trimtab.demo.sim import Sim
from trimtab.domain.errors import TrimtabError, UnreachableError

_SETTLE_SECONDS_MAX = 60.0

Pause = Callable[[str], Awaitable[None]]
"""Awaited between two looks, with what is waited for."""


async def come_to_rest(ledger: PublishingLedger, sim: Sim, accounts: Sequence[str], pause: Pause) -> None:
    """Stop deciding, take open orders back, and wait until nothing is in flight and everything is published.

    Raises:
        UnreachableError: if that takes more than a minute.
    """
    deadline = time.monotonic() + _SETTLE_SECONDS_MAX
    while True:
        try:
            async with ledger.transaction() as book:
                await book.throw_switch("all", "", "the demo is over", 0)
            break
        except TrimtabError as error:
            if time.monotonic() > deadline:
                raise UnreachableError("the line", "this machine", f"it could not be stopped: {error}") from error
            await pause("stopping")
    while not await _at_rest(ledger, accounts):
        if time.monotonic() > deadline:
            raise UnreachableError("the line", "this machine", "it did not come to rest; see its logs")
        await pause("settling")
    # What was paid in while orders were open is booked only now; a difference that stays is the bill's to tell.
    while not await _agrees(ledger, sim, accounts) and time.monotonic() < deadline:
        await pause("comparing")


async def _agrees(ledger: PublishingLedger, sim: Sim, accounts: Sequence[str]) -> bool:
    agreed = [await ledger.sums(account) == sim.balances(account) for account in accounts]
    return all(agreed) and await _at_rest(ledger, accounts)


async def _at_rest(ledger: PublishingLedger, accounts: Sequence[str]) -> bool:
    for account in accounts:
        if not await ledger.quiet(account):
            return False
    return not await ledger.closed_parents() and await ledger.reports.outbox_lag_seconds() == 0
