"""`trimtab withdrawn`: what an account lacks was taken out by a person."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from trimtab.cli.output import Json, result, say
from trimtab.cli.start import started
from trimtab.domain.amounts import plain

if TYPE_CHECKING:
    from trimtab.adapters.postgres.opening import PublishingLedger
    from trimtab.messages import Break
    from trimtab.settings import Settings


def withdrawn(
    account: Annotated[str, typer.Argument(help="The venue account that lacks something.")],
    asset: Annotated[str, typer.Argument(help="What it lacks, as BTC.")],
    portfolio: Annotated[str, typer.Option(help="Whose it was: the portfolio that it is taken out of.")],
    as_json: Json = False,
) -> None:
    """Say that what an account lacks was withdrawn by hand, and out of which portfolio.

    The reconciler books it if exactly that still lacks and the portfolio has it available; trimtab status shows what
    keeps it from that. The portfolios stay halted until trimtab resume.
    """
    found = asyncio.run(_explained(started(), account, asset, portfolio))
    amount = -found.difference
    result(
        {
            "account": account,
            "asset": asset,
            "portfolio": portfolio,
            "amount": amount,
            "first_seen_us": found.first_seen_us,
        },
        as_json=as_json,
        readable=lambda: say(f"{plain(amount)} {asset} of {account} will be booked as taken out of {portfolio}"),
    )


async def _explained(settings: "Settings", account: str, asset: str, portfolio: str) -> "Break":
    """Mark the open break and return it.

    Raises:
        UnknownNameError: if there is no such account, or no such portfolio on it.
        LedgerRefusedError: if nothing of the asset is missing there.

    """
    from trimtab.cli.books import open_books
    from trimtab.cli.known import UnknownNameError, require_account, require_portfolio
    from trimtab.domain.errors import LedgerRefusedError

    async with open_books(settings) as ledger:
        await require_portfolio(ledger.reports, portfolio)
        await require_account(ledger.reports, account)
        holders = await ledger.holders(account)
        if portfolio not in holders:
            raise UnknownNameError(f"on {account}, portfolio", portfolio, holders)
        async with ledger.transaction() as book:
            found = await book.explain_break(account, asset, portfolio)
        if found is None:
            raise LedgerRefusedError(
                f"{account} lacks no {asset} that is unexplained; {await _lacking(ledger, account)}"
            )
        return found


async def _lacking(ledger: "PublishingLedger", account: str) -> str:
    assets = sorted(known.asset for known in await ledger.open_breaks(account) if known.kind == "unexplained")
    return f"it lacks {', '.join(assets) or 'nothing'}"
