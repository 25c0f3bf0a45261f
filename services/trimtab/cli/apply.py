"""`trimtab apply`: make a portfolio file the one that counts."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trimtab.cli.output import Json, result, say
from trimtab.cli.start import started

if TYPE_CHECKING:
    from trimtab.portfolio_file import Document
    from trimtab.settings import Settings


@dataclass(frozen=True, slots=True)
class _Change:
    """What applying a file does: from which version to which, line by line."""

    portfolio: str
    version_before: int
    version: int
    lines: tuple[str, ...]


def apply(
    file: Annotated[Path, typer.Argument(help="A portfolio file (YAML).")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Check a portfolio file, show what it changes, and apply it as the portfolio's next version."""
    from trimtab.documents import load_document

    document = load_document(file)
    settings = started()
    _require_accounts(file, document, settings)
    change = asyncio.run(_apply(document, settings, dry_run=dry_run))
    result(
        {
            "portfolio": change.portfolio,
            "version_before": change.version_before,
            "version": change.version,
            "changed": bool(change.lines),
            "applied": bool(change.lines) and not dry_run,
            "diff": list(change.lines),
        },
        as_json=as_json,
        readable=lambda: _show(change, dry_run=dry_run),
    )


def _require_accounts(file: Path, document: "Document", settings: "Settings") -> None:
    from trimtab.configuration import ConfigurationError, Problem, one_of

    problems = [
        Problem(f"accounts[{index}]", name, f"an account of the settings: {one_of(settings.accounts, name)}")
        for index, name in enumerate(document.accounts)
        if name not in settings.accounts
    ]
    if not document.accounts:
        problems = [Problem("accounts", [], f"at least one account of the settings: {one_of(settings.accounts, '')}")]
    if problems:
        raise ConfigurationError(str(file), problems)


async def _apply(document: "Document", settings: "Settings", *, dry_run: bool) -> _Change:
    from trimtab.cli.books import open_books, open_reports
    from trimtab.documents import canonical

    name, text = document.portfolio, canonical(document)
    async with open_reports(settings) as reports:
        kept = await reports.status(name)
    before, version = (kept[0].document, kept[0].document_version) if kept else ("", 0)
    lines = tuple(_difference(before, text))
    if dry_run or not lines:
        return _Change(name, version, version + bool(lines), lines)
    async with open_books(settings) as ledger, ledger.transaction() as book:
        for account in document.accounts:
            await book.add_account(account, settings.accounts[account].venue)
        applied = await book.apply_portfolio(name, text, document.accounts, dry_run=document.dry_run)
        # Event time is the market's: this command brings none, so the portfolio's own stands still.
        await book.bump(name, f"version {applied} applied", 0)
    return _Change(name, version, applied, lines)


def _difference(before: str, after: str) -> Iterator[str]:
    """Yield what changes between two canonical documents, a line a key: "- limits.min_trade: 10"."""
    old, new = (dict(_flat(json.loads(text))) if text else {} for text in (before, after))
    for path in sorted(old.keys() | new.keys()):
        if old.get(path) != new.get(path):
            yield from (f"{sign} {path}: {values[path]}" for sign, values in (("-", old), ("+", new)) if path in values)


def _flat(document: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for key, value in document.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _show(change: _Change, *, dry_run: bool) -> None:
    for line in change.lines:
        say(line)
    match change.lines, dry_run:
        case (), _:
            say(f"{change.portfolio}: nothing changes, version {change.version} stays")
        case _, True:
            say(f"{change.portfolio}: would become version {change.version}")
        case _:
            say(f"{change.portfolio}: version {change.version} applied")
