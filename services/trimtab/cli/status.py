"""`trimtab status`: every portfolio as the ledger has it."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trimtab.cli.differences import break_document, lapsed_document, show_differences
from trimtab.cli.output import Json, result, say, table, utc
from trimtab.cli.start import started
from trimtab.domain.errors import TrimtabError

if TYPE_CHECKING:
    from trimtab.adapters.postgres.reports import Holding, Lapsed, OpenBreak, PortfolioStatus
    from trimtab.messages import Targets
    from trimtab.ports.topics import Record
    from trimtab.settings import Settings


def status(
    portfolio: Annotated[str | None, typer.Argument(help="One portfolio; all without it.")] = None,
    as_json: Json = False,
) -> None:
    """Show portfolios: version, halts, open orders, targets, holdings; breaks; how long messages wait to leave."""
    settings = started()
    found, holdings, breaks, lapsed, lag = asyncio.run(_read(settings, portfolio))
    computed = _computed(settings, found)
    document = {
        "portfolios": [_portfolio(each, holdings) | _targets(each, computed) for each in found],
        "unallocated": [_holding(each) for each in holdings if each.holder.startswith("~")],
        "breaks": [break_document(each) for each in breaks],
        "lapsed": [lapsed_document(each) for each in lapsed],
        "outbox_lag_seconds": lag,
    }
    result(document, as_json=as_json, readable=lambda: _show(found, holdings, breaks, lapsed, computed))


async def _read(
    settings: "Settings", portfolio: str | None
) -> tuple[Sequence["PortfolioStatus"], Sequence["Holding"], Sequence["OpenBreak"], Sequence["Lapsed"], float]:
    from trimtab.cli.books import open_reports
    from trimtab.cli.known import require_portfolio

    async with open_reports(settings) as reports:
        if portfolio is not None:
            await require_portfolio(reports, portfolio)
        found = await reports.status(portfolio)
        positions, breaks = await reports.positions(portfolio), await reports.breaks(portfolio)
        return found, positions, breaks, await reports.lapsed(portfolio), await reports.outbox_lag_seconds()


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


def _computed(settings: "Settings", found: "Sequence[PortfolioStatus]") -> "Mapping[str, Record[Targets]] | None":
    """Return the computed targets by portfolio, read only if a portfolio has such; None if they cannot be read."""
    if not any(_has_method(each) for each in found):
        return {}
    from trimtab.adapters.kafka.reading import open_reading
    from trimtab.cli.known import computed_targets

    try:
        with open_reading(settings) as reading:
            counting = computed_targets(reading)
    except TrimtabError as error:
        say(f"computed targets cannot be read: {error}")
        return None
    versions = {each.portfolio_id: each.document_version for each in found}
    return {name: record for name, record in counting.items() if versions.get(name) == record.message.document_version}


def _has_method(each: "PortfolioStatus") -> bool:
    return "method" in json.loads(each.document)["targets"]


def _targets(each: "PortfolioStatus", computed: "Mapping[str, Record[Targets]] | None") -> dict[str, Any]:
    """Return the targets that count now: none as long as none are computed, null if that cannot be read."""
    if not _has_method(each):
        return {"targets": json.loads(each.document)["targets"], "targets_offset": -1}
    if computed is None:
        return {"targets": None, "targets_offset": None}
    if each.portfolio_id not in computed:
        return {"targets": {}, "targets_offset": -1}
    record = computed[each.portfolio_id]
    weights = dict(zip(record.message.assets, record.message.weights, strict=True))
    return {"targets": weights, "targets_offset": record.offset}


def _holding(held: "Holding") -> dict[str, Any]:
    return {
        "account": held.account,
        "asset": held.asset,
        "posted": held.posted,
        "reserved": held.reserved,
        "available": held.posted - held.reserved,
    }


def _show(
    found: Sequence["PortfolioStatus"],
    holdings: Sequence["Holding"],
    breaks: Sequence["OpenBreak"],
    lapsed: Sequence["Lapsed"],
    computed: "Mapping[str, Record[Targets]] | None",
) -> None:
    table(
        "Portfolios",
        ("portfolio", "version", "ledger version", "open orders", "as of", "state", "last change"),
        [
            (
                each.portfolio_id,
                each.document_version,
                each.ledger_version,
                each.open_parents,
                utc(each.event_time_us),
                _state(each),
                each.reason,
            )
            for each in found
        ],
    )
    if any(_has_method(each) for each in found) and computed is not None:
        _show_targets([each.portfolio_id for each in found if _has_method(each)], computed)
    table(
        "Holdings",
        ("holder", "account", "asset", "posted", "reserved"),
        [(held.holder, held.account, held.asset, held.posted, held.reserved) for held in holdings],
    )
    show_differences(breaks, lapsed)


def _show_targets(names: Sequence[str], computed: "Mapping[str, Record[Targets]]") -> None:
    made = {name: computed[name].message for name in names if name in computed}
    rows: list[tuple[str, str, object, object, str]] = [
        (name, "none yet", "", "", "") for name in names if name not in made
    ]
    for name, found in made.items():
        weights = zip(found.assets, found.weights, found.computed, strict=True)
        rows += [(name, asset, weight, alone, utc(found.due_us)) for asset, weight, alone in weights]
    table("Computed targets", ("portfolio", "asset", "target", "before smoothing", "of"), rows)


def _state(each: "PortfolioStatus") -> str:
    if each.halted or each.kill_reason:
        return f"halted: {each.halt_reason or each.kill_reason}"
    return "dry run" if each.dry_run else "trading"
