"""Before the first trade: the portfolios applied, and the venue's money handed out among them."""

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal

from trimtab.adapters.postgres.opening import PublishingLedger
from trimtab.demo.cast import Cast
from trimtab.demo.money import deposits, holdings
from trimtab.domain.ids import derive


async def apply_all(ledger: PublishingLedger, cast: Cast) -> None:
    """Register the accounts and apply every portfolio."""
    async with ledger.transaction() as book:
        for account in cast.accounts:
            await book.add_account(account, "binance")
        for portfolio in cast.portfolios:
            document = cast.documents[portfolio.portfolio_id]
            await book.apply_portfolio(portfolio.portfolio_id, document, portfolio.accounts, dry_run=portfolio.dry_run)
            await book.bump(portfolio.portfolio_id, "applied", 0)


async def hand_out(
    ledger: PublishingLedger, cast: Cast, prices: Mapping[str, Decimal], pause: Callable[[], Awaitable[None]]
) -> None:
    """Wait until the reconciler has booked what the venue has; split what several portfolios share.

    `prices` are in the quote currency, by asset; `pause` is awaited between two looks at the ledger.
    """
    for account in cast.accounts:
        sharers = cast.sharing(account)
        wanted = deposits(sharers, prices, cast.equity)[account]
        while await ledger.sums(account) != wanted:
            await pause()
        if len(sharers) == 1:
            continue
        async with ledger.transaction() as book:
            for portfolio in sharers:
                for asset, amount in holdings(portfolio, prices, cast.equity).items():
                    entry_id = derive("allocation", portfolio.portfolio_id, account, asset)
                    await book.allocate(entry_id, portfolio.portfolio_id, account, asset, amount, 0)
                await book.bump(portfolio.portfolio_id, "allocated", 0)
