"""`trimtab status`: every portfolio as the ledger has it."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trimtab.cli.output import Json, result, table
from trimtab.cli.start import started

if TYPE_CHECKING:
    from trimtab.adapters.postgres.reports import Holding, OpenBreak, PortfolioStatus
    from trimtab.settings import Settings


def status(
    portfolio: Annotated[str | None, typer.Argument(help="One portfolio; all without it.")] = None,
    as_json: Json = False,
) -> None:
    """Show portfolios: version, halts, open orders, holdings; breaks; how long messages wait to leave."""
    found, holdings, breaks, lag = asyncio.run(_read(started(), portfolio))
    document = {
        "portfolios": [_portfolio(each, holdings) for each in found],
        "unallocated": [_holding(each) for each in holdings if each.holder.startswith("~")],
        "breaks": [asdict(each) for each in breaks],
        "outbox_lag_seconds": lag,
    }
    result(document, as_json=as_json, readable=lambda: _show(found, holdings, breaks))


async def _read(
    settings: "Settings", portfolio: str | None
) -> tuple[Sequence["PortfolioStatus"], Sequence["Holding"], Sequence["OpenBreak"], float]:
    from trimtab.cli.books import open_reports
    from trimtab.cli.known import require_portfolio

    async with open_reports(settings) as reports:
        if portfolio is not None:
            await require_portfolio(reports, portfolio)
        found = await reports.status(portfolio)
        breaks = await reports.breaks(portfolio)
        return found, await reports.positions(portfolio), breaks, await reports.outbox_lag_seconds()


def _portfolio(each: "PortfolioStatus", holdings: Sequence["Holding"]) -> dict[str, Any]:
    return {
        "portfolio": each.portfolio_id,
        "version": each.document_version,
        "document": json.loads(each.document),
        "ledger_version": each.ledger_version,
        "dry_run": each.dry_run,
        "halted": bool(each.halted or each.kill_reason),
        "halt_reason": each.halt_reason or each.kill_reason,
        "reason": each.reason,
        "open_parents": each.open_parents,
        "event_time_us": each.event_time_us,
        "holdings": [_holding(held) for held in holdings if held.holder == each.portfolio_id],
    }


def _holding(held: "Holding") -> dict[str, Any]:
    return {
        "account": held.account,
        "asset": held.asset,
        "posted": held.posted,
        "reserved": held.reserved,
        "available": held.posted - held.reserved,
    }


def _show(found: Sequence["PortfolioStatus"], holdings: Sequence["Holding"], breaks: Sequence["OpenBreak"]) -> None:
    table(
        "Portfolios",
        ("portfolio", "version", "ledger version", "open orders", "as of", "state", "last change"),
        [
            (
                each.portfolio_id,
                each.document_version,
                each.ledger_version,
                each.open_parents,
                _time(each.event_time_us),
                _state(each),
                each.reason,
            )
            for each in found
        ],
    )
    table(
        "Holdings",
        ("holder", "account", "asset", "posted", "reserved"),
        [(held.holder, held.account, held.asset, held.posted, held.reserved) for held in holdings],
    )
    if breaks:
        table(
            "Ledger and venue differ",
            ("account", "portfolio", "kind", "asset", "venue has more", "since", "taken out of", "what"),
            [
                (
                    each.account,
                    each.portfolio_id or "all",
                    each.kind,
                    each.asset,
                    each.difference,
                    _time(each.first_seen_us),
                    each.explained_by,
                    each.detail,
                )
                for each in breaks
            ],
        )


def _time(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _state(each: "PortfolioStatus") -> str:
    if each.halted or each.kill_reason:
        return f"halted: {each.halt_reason or each.kill_reason}"
    return "dry run" if each.dry_run else "trading"
