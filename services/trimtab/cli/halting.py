"""`trimtab halt` and `resume`: stop trading at once, and go on. Halted portfolios keep their orders' books in order."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from trimtab.cli.output import Json, result, say
from trimtab.cli.start import started
from trimtab.configuration import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.adapters.postgres.opening import PublishingLedger
    from trimtab.adapters.postgres.reports import OpenBreak
    from trimtab.settings import Settings

Portfolio = Annotated[str | None, typer.Argument(help="One portfolio; or use --all or --venue.")]
Everything = Annotated[bool, typer.Option("--all", help="Every portfolio, those applied later too.")]
VenueName = Annotated[str | None, typer.Option("--venue", help="Every portfolio with an account at this venue.")]
_REASON_CHARACTERS_MAX = 500


def halt(
    portfolio: Portfolio = None,
    everything: Everything = False,
    venue: VenueName = None,
    reason: Annotated[str, typer.Option(help="Why; it is kept and published.")] = "by hand",
    as_json: Json = False,
) -> None:
    """Stop trading: no new signals, no new orders, open orders taken back."""
    _switch(portfolio, venue, reason, everything=everything, as_json=as_json)


def resume(
    portfolio: Portfolio = None,
    everything: Everything = False,
    venue: VenueName = None,
    as_json: Json = False,
) -> None:
    """Lift a halt of the same kind; a portfolio stopped in another way too stays stopped."""
    _switch(portfolio, venue, None, everything=everything, as_json=as_json)


def _switch(portfolio: str | None, venue: str | None, reason: str | None, *, everything: bool, as_json: bool) -> None:
    if (portfolio is not None) + (venue is not None) + everything != 1:
        raise typer.BadParameter("name exactly one of a portfolio, --all and --venue")
    # an empty reason would read as no halt at all
    if reason is not None and not 0 < len(reason.strip()) <= _REASON_CHARACTERS_MAX:
        allowed = f"some words, of at most {_REASON_CHARACTERS_MAX} characters"
        raise typer.BadParameter(f"found {shown(reason)}; allowed: {allowed}", param_hint="--reason")
    concerned, standing = asyncio.run(_switched(started(), portfolio, venue, reason))
    done = "halted" if reason is not None else "resumed"
    result(
        {done: concerned},
        as_json=as_json,
        readable=lambda: say(f"{done}: {', '.join(concerned) or 'no portfolio'}"),
    )
    for each in standing:
        say(
            f"resumed all the same: {each.account} and the ledger still differ ({each.kind} {each.detail or each.asset}"
            f" of {each.portfolio_id or 'all portfolios on it'}); trimtab status shows what to do"
        )


async def _switched(
    settings: "Settings", portfolio: str | None, venue: str | None, reason: str | None
) -> tuple[list[str], list["OpenBreak"]]:
    """Throw the switch (`reason` None: lift it); return the portfolios concerned, and what they go on in spite of.

    Raises:
        UnknownNameError: if nobody knows the portfolio.
        InvalidValueError: if nobody knows the venue. A slip in an emergency must not look like a halt.

    """
    from trimtab.cli.books import open_books
    from trimtab.cli.known import require_portfolio
    from trimtab.domain.errors import InvalidValueError

    scope, name = ("venue", venue) if venue is not None else ("all", "")
    async with open_books(settings) as ledger:
        if portfolio is not None:
            await require_portfolio(ledger.reports, portfolio)
        known = {*settings.venues, *(await ledger.reports.accounts()).values()}
        if venue is not None and venue not in known:
            raise InvalidValueError("--venue", venue, ", ".join(sorted(known)) or "the name of a venue")
        concerned = await _thrown(ledger, portfolio, scope, name, reason)
        return concerned, [] if reason is not None else await _standing(ledger, concerned)


async def _standing(ledger: "PublishingLedger", concerned: "Sequence[str]") -> list["OpenBreak"]:
    """Return the breaks that stand of portfolios that trade now, each once."""
    if not await ledger.reports.breaks():
        return []
    trading = {each.portfolio_id for each in await ledger.reports.status() if not (each.halted or each.kill_reason)}
    found = [await ledger.reports.breaks(name) for name in concerned if name in trading]
    return list(dict.fromkeys(each for breaks in found for each in breaks))


async def _thrown(
    ledger: "PublishingLedger", portfolio: str | None, scope: str, name: str, reason: str | None
) -> list[str]:
    async with ledger.transaction() as book:
        if portfolio is None:
            switched = (
                book.clear_switch(scope, name, 0) if reason is None else book.throw_switch(scope, name, reason, 0)
            )
            return list(await switched)
        if reason is None:
            return [portfolio] if await book.resume(portfolio) else []
        await book.halt(portfolio, reason)
        return [portfolio]
