"""`trimtab allocate`: which portfolio owns what an account has."""

import asyncio
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated

import typer

from trimtab.cli.output import Json, result, say
from trimtab.cli.start import started
from trimtab.domain.amounts import plain, quantise
from trimtab.domain.ids import derive

if TYPE_CHECKING:
    from trimtab.settings import Settings

_AMOUNT_BELOW = Decimal("1e20")  # numeric(38,18)


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount == 0 or abs(amount) >= _AMOUNT_BELOW or amount != quantise(amount):
        raise typer.BadParameter(f"found {text!r}; allowed: an amount other than 0, below 1e20, of at most 18 decimals")
    return amount


def allocate(
    portfolio: Annotated[str, typer.Argument(help="The portfolio that receives.")],
    account: Annotated[str, typer.Argument(help="The venue account.")],
    asset: Annotated[str, typer.Argument(help="What, as BTC.")],
    amount: Annotated[Decimal, typer.Argument(help="How much; negative takes it back.", parser=_amount)],
    reference: Annotated[str, typer.Option(help="The same reference is booked once, however often it is given.")],
    as_json: Json = False,
) -> None:
    """Give a portfolio what no portfolio owns yet in an account that several share.

    An account of a single portfolio needs none of this: what arrives there is that portfolio's.
    """
    booked = asyncio.run(_allocate(started(), portfolio, account, asset, amount, reference))
    moved = f"{plain(amount)} {asset} in {account} to {portfolio}"
    result(
        {"portfolio": portfolio, "account": account, "asset": asset, "amount": amount, "booked": booked},
        as_json=as_json,
        readable=lambda: say(moved if booked else f"{reference} is booked already: nothing moved"),
    )


async def _allocate(
    settings: "Settings", portfolio: str, account: str, asset: str, amount: Decimal, reference: str
) -> bool:
    from trimtab.cli.books import open_books
    from trimtab.cli.known import require_account, require_portfolio

    async with open_books(settings) as ledger:
        await require_portfolio(ledger.reports, portfolio)
        await require_account(ledger.reports, account)
        async with ledger.transaction() as book:
            entry_id = derive("allocation", reference)
            booked = await book.allocate(entry_id, portfolio, account, asset, amount, 0)
            if booked:
                await book.bump(portfolio, "allocated", 0)
            return booked
