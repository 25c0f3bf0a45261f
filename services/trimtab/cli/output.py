"""What a command prints: a table for people, or exactly one JSON document on standard output."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import typer

from trimtab.adapters.redaction import said
from trimtab.domain.amounts import plain

_WIDTH_ELSEWHERE = 200  # characters of a line that no terminal limits

Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON document on standard output.")]


def result(document: Mapping[str, Any], *, as_json: bool, readable: Callable[[], None]) -> None:
    """Print a command's result as JSON, or as `readable` prints it."""
    if as_json:
        typer.echo(json_text(document))
    else:
        readable()


def json_text(document: Mapping[str, Any]) -> str:
    """Return a document on one line; amounts are text in plain digits."""
    return json.dumps(document, default=_plain, ensure_ascii=False)


def say(text: str) -> None:
    """Tell a person something beside the result: on standard error."""
    typer.echo(said(text), err=True)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; amounts in plain digits, numbers to the right."""
    from rich.console import Console
    from rich.table import Table

    grid = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[index], Decimal | int | float) for row in rows)
        grid.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(plain(cell) if isinstance(cell, Decimal) else str(cell) for cell in row))
    terminal = Console()
    console = terminal if terminal.is_terminal else Console(width=_WIDTH_ELSEWHERE)
    console.print(grid)


def utc(time_us: int) -> str:
    """Return a moment (UTC microseconds) as a table shows it, to the second."""
    return datetime.fromtimestamp(time_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _plain(value: object) -> str:
    return plain(value) if isinstance(value, Decimal) else str(value)
