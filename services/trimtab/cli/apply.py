"""`trimtab apply`: make a portfolio file the one that counts."""

import asyncio
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trimtab.cli.output import Json, result, say, table
from trimtab.cli.start import started
from trimtab.domain.errors import LedgerRefusedError
from trimtab.exits import DOES_NOT_HOLD

if TYPE_CHECKING:
    from trimtab.portfolio_file import Document
    from trimtab.settings import Settings


@dataclass(frozen=True, slots=True)
class _Change:
    """One key of the file that is not as it was: its path, and both values as text; None is none."""

    path: str
    old: str | None
    new: str | None


def apply(
    file: Annotated[Path, typer.Argument(help="A portfolio file (YAML).")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; without a terminal nobody is asked.")] = False,
    as_json: Json = False,
) -> None:
    """Check a portfolio file, show what it changes, and apply it as the portfolio's next version."""
    from trimtab.documents import canonical, load_document

    document = load_document(file)
    settings = started()
    _require_accounts(file, document, settings)
    before, version_before = asyncio.run(_applied(document.portfolio, settings))
    changes = tuple(_difference(before, canonical(document)))
    version = version_before + bool(changes)
    if not as_json:
        _show(document.portfolio, changes, version)
    wanted = bool(changes) and not dry_run
    if wanted and not (yes or as_json) and sys.stdin.isatty():
        wanted = typer.confirm(f"Apply this as version {version}?", err=True)
    if wanted:
        version = asyncio.run(_apply(document, before, settings))
    result(
        {
            "portfolio": document.portfolio,
            "version_before": version_before,
            "version": version,
            "changed": bool(changes),
            "applied": wanted,
            "diff": [line for change in changes for line in _lines(change)],
            "changes": [asdict(change) for change in changes],
        },
        as_json=as_json,
        readable=lambda: say(_verdict(document.portfolio, version, applied=wanted, changed=bool(changes))),
    )
    if changes and not (wanted or dry_run):
        raise typer.Exit(DOES_NOT_HOLD)


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


async def _applied(name: str, settings: "Settings") -> tuple[str, int]:
    """Return the document that counts now and its version; an empty one and 0 for a new portfolio."""
    from trimtab.cli.books import open_reports

    async with open_reports(settings) as reports:
        kept = await reports.status(name)
    return (kept[0].document, kept[0].document_version) if kept else ("", 0)


async def _apply(document: "Document", before: str, settings: "Settings") -> int:
    """Write the document as the next version of what was shown, and return its number.

    Raises:
        LedgerRefusedError: if another one was applied since.

    """
    from trimtab.cli.books import open_books
    from trimtab.documents import canonical

    name = document.portfolio
    async with open_books(settings) as ledger, ledger.transaction() as book:
        row = await book.portfolio(name)
        if (row.document if row is not None else "") != before:
            raise LedgerRefusedError(f"portfolio {name}: another file was applied meanwhile; look at the changes again")
        for account in document.accounts:
            await book.add_account(account, settings.accounts[account].venue)
        applied = await book.apply_portfolio(name, canonical(document), document.accounts, dry_run=document.dry_run)
        # Event time is the market's: this command brings none, so the portfolio's own stands still.
        await book.bump(name, f"version {applied} applied", 0)
    return applied


def _difference(before: str, after: str) -> Iterator[_Change]:
    """Yield what changes between two canonical documents, a change a key: "limits.min_trade"."""
    old, new = (dict(_flat(json.loads(text))) if text else {} for text in (before, after))
    for path in sorted(old.keys() | new.keys()):
        if old.get(path) != new.get(path):
            yield _Change(path, old.get(path), new.get(path))


def _flat(document: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for key, value in document.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _lines(change: _Change) -> Iterator[str]:
    """Yield a change as lines of a diff: "- limits.min_trade: 10"."""
    for sign, value in (("-", change.old), ("+", change.new)):
        if value is not None:
            yield f"{sign} {change.path}: {value}"


def _show(name: str, changes: Sequence[_Change], version: int) -> None:
    if changes:
        rows = [(change.path, change.old or "", change.new or "") for change in changes]
        table(f"{name}, version {version}", ("path", "old", "new"), rows)


def _verdict(name: str, version: int, *, applied: bool, changed: bool) -> str:
    if not changed:
        return f"{name}: nothing changes, version {version} stays"
    return (
        f"{name}: version {version} applied" if applied else f"{name}: not applied; it would become version {version}"
    )
