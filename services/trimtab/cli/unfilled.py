"""`trimtab unfilled`: of an order that its venue denies, no more was executed."""

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


def unfilled(
    client_order_id: Annotated[str, typer.Argument(help="The order that its venue denies, as trimtab status has it.")],
    portfolio: Annotated[str, typer.Option(help="Whose order it is.")],
    as_json: Json = False,
) -> None:
    """Say that of an order that its venue denies no more was executed than the ledger has.

    The reconciler ends the order and releases its funds if the venue goes on denying it and own trades show no more of
    it; trimtab status shows if it does not. The portfolio stays halted until trimtab resume.
    """
    found = asyncio.run(_said(started(), client_order_id, portfolio))
    result(
        {
            "order": client_order_id,
            "portfolio": portfolio,
            "account": found.account,
            "asset": found.asset,
            "unfilled": found.ledger,
            "first_seen_us": found.first_seen_us,
        },
        as_json=as_json,
        readable=lambda: say(
            f"order {client_order_id} will be ended with {plain(found.ledger)} {found.asset} unfilled, if"
            f" {found.account} goes on denying it"
        ),
    )


async def _said(settings: "Settings", order: str, portfolio: str) -> "Break":
    """Mark the open break and return it.

    Raises:
        UnknownNameError: if there is no such portfolio.
        LedgerRefusedError: if its venue denies no such order, or has itself told of more than the ledger has.

    """
    from trimtab.cli.books import open_books
    from trimtab.cli.known import require_portfolio
    from trimtab.domain.errors import LedgerRefusedError

    async with open_books(settings) as ledger:
        await require_portfolio(ledger.reports, portfolio)
        async with ledger.transaction() as book:
            found = await book.say_unfilled(order, portfolio)
        if found is None:
            raise LedgerRefusedError(f"no venue denies an order {order} of {portfolio}; {await _denied(ledger)}")
        return found


async def _denied(ledger: "PublishingLedger") -> str:
    known = [each for each in await ledger.reports.breaks() if each.client_order_id]
    orders = ", ".join(f"{each.client_order_id} of {each.portfolio_id}" for each in known)
    return f"denied: {orders or 'none'}"
