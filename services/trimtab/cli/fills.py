"""`trimtab fills`: execution.fills as every other system sees it."""

import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trimtab.cli.output import Json, json_text, result, table
from trimtab.cli.start import started
from trimtab.domain.amounts import plain

if TYPE_CHECKING:
    from trimtab.messages import Fill
    from trimtab.settings import Settings


_SEARCHED_MAX = 100_000


def fills(
    portfolio: Annotated[str | None, typer.Argument(help="One portfolio's; all without it.")] = None,
    limit: Annotated[int, typer.Option(help="How many of the last ones.", min=1, max=100_000)] = 50,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on as they come; with --json a line each.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the last fills, oldest first."""
    from trimtab.adapters.kafka.reading import open_reading
    from trimtab.topics import EXECUTION_FILLS

    settings = started()
    depth = limit if portfolio is None else _SEARCHED_MAX  # others' fills stand between one's own
    with open_reading(settings) as reading:
        found = _of(portfolio, (record.message for record in reading.tail(EXECUTION_FILLS, depth)))
        last = list(found)[-limit:]
        if portfolio is not None and not last:
            _require(portfolio, settings)
        if not follow:
            result({"fills": [asdict(fill) for fill in last]}, as_json=as_json, readable=lambda: _show(last))
            return
        coming = _of(portfolio, (record.message for record in reading.follow(EXECUTION_FILLS)))
        with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
            for fill in last:
                typer.echo(_line(fill, as_json=as_json))
            for fill in coming:
                typer.echo(_line(fill, as_json=as_json))


def _require(portfolio: str, settings: "Settings") -> None:
    """Raise UnknownNameError for a name that nobody has; a portfolio that has not traded yet is no error."""
    from trimtab.adapters.kafka.reading import open_reading
    from trimtab.cli.known import published_state

    with open_reading(settings) as reading:  # the other one stands where the fills go on
        published_state(reading, portfolio)


def _of(portfolio: str | None, found: "Iterator[Fill]") -> "Iterator[Fill]":
    return (fill for fill in found if portfolio in {None, fill.portfolio_id})


def _line(fill: "Fill", *, as_json: bool) -> str:
    return json_text(asdict(fill)) if as_json else "  ".join(str(cell) for cell in _cells(fill))


def _cells(fill: "Fill") -> tuple[Any, ...]:
    return (
        datetime.fromtimestamp(fill.event_time_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S"),
        fill.portfolio_id,
        fill.account,
        fill.instrument,
        fill.side.value,
        plain(fill.quantity),
        plain(fill.price),
        f"{plain(fill.fee)} {fill.fee_asset}",
        fill.liquidity.value,
        plain(fill.leaves_quantity),
        fill.trade_id,
    )


def _show(last: "list[Fill]") -> None:
    columns = ("time", "portfolio", "account", "instrument", "side", "quantity", "price", "fee", "as", "left", "trade")
    table("Fills", columns, [_cells(fill) for fill in last])
