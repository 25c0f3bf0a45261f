"""Before the first trade: the portfolios applied, and the venue's money handed out among them.

Nobody trades until everybody has their money: the sums of an account that has traded already would never be the ones
that are waited for.
"""

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal

from trimtab.adapters.postgres.ledger import PostgresLedger
from trimtab.demo.cast import Cast
from trimtab.domain.ids import derive


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
