"""Before the first trade: the portfolios applied, and the venue's money handed out among them.

Nobody trades until everybody has their money: the sums of an account that has traded already would never be the ones
that are waited for.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal

from trimtab.adapters.metrics import PrometheusMeter
from trimtab.adapters.postgres.ledger import PostgresLedger
from trimtab.adapters.postgres.opening import PublishingLedger, open_ledger
from trimtab.adapters.process import Process, open_process
from trimtab.demo.cast import Cast
from trimtab.demo.stage import Stage
from trimtab.domain.ids import derive


@asynccontextmanager
async def curtain(
    stage: Stage, cast: Cast, prices: Mapping[str, Decimal]
) -> AsyncIterator[tuple[Process, PublishingLedger]]:
    """Deposit the cast's money and apply its portfolios, on a stage whose stack and exchange run; services do not yet.

    `prices` are in the quote currency, by asset. Inside the block the ledger tells what it records.
    """
    stage.open_accounts(cast.deposits(prices), cast.fee_assets)
    stage.write_settings(cast.instruments)
    async with (
        open_process("cli", stage.settings(), PrometheusMeter()) as process,
        open_ledger(process) as ledger,
        _running(ledger.relay.run()),
    ):
        await apply_all(ledger, cast)
        yield process, ledger


async def apply_all(ledger: PostgresLedger, cast: Cast) -> None:
    """Register the accounts and apply every portfolio, all of them halted."""
    async with ledger.transaction() as book:
        for account in cast.accounts:
            await book.add_account(account, "binance")
        for portfolio in cast.portfolios:
            document = cast.documents[portfolio.portfolio_id]
            await book.apply_portfolio(portfolio.portfolio_id, document, portfolio.accounts, dry_run=portfolio.dry_run)
            await book.bump(portfolio.portfolio_id, "applied", 0)
        await book.throw_switch("all", "", "the money is being handed out", 0)


async def hand_out(
    ledger: PostgresLedger, cast: Cast, prices: Mapping[str, Decimal], pause: Callable[[], Awaitable[None]]
) -> None:
    """Wait until the reconciler has booked what the venue has, split what several portfolios share, and let them trade.

    `prices` are in the quote currency, by asset; `pause` is awaited between two looks at the ledger.
    """
    for account in cast.accounts:
        sharers = cast.sharing(account)
        wanted = cast.deposits(prices)[account]
        while await ledger.sums(account) != wanted:
            await pause()
        if len(sharers) == 1:
            continue
        async with ledger.transaction() as book:
            for portfolio in sharers:
                for asset, amount in cast.holdings(portfolio, prices).items():
                    entry_id = derive("allocation", portfolio.portfolio_id, account, asset)
                    await book.allocate(entry_id, portfolio.portfolio_id, account, asset, amount, 0)
                await book.bump(portfolio.portfolio_id, "allocated", 0)
    async with ledger.transaction() as book:
        await book.clear_switch("all", "", 0)


@asynccontextmanager
async def _running(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run something beside the block, and end it with the block."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
