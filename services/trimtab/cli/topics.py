"""`trimtab topics`: make broker and registry match the manifest, or compare them with it."""

from typing import TYPE_CHECKING

import typer

from trimtab.cli.output import Json, result, say, table
from trimtab.cli.start import Wait, answered, started
from trimtab.exits import DOES_NOT_HOLD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.adapters.subjects import Row

topics = typer.Typer(help="Topics and schemas: a deploy step.", rich_markup_mode=None, no_args_is_help=True)

# what apply reports and cannot mend
_LEFT = {"partitions differ", "schema incompatible"}


@topics.command("apply")
def apply_(wait: Wait = 0, as_json: Json = False) -> None:
    """Create and change topics and register schemas; can be repeated. Exit code 1 if something cannot be mended."""
    from trimtab.adapters.kafka.admin import apply_topics

    settings = started()
    rows = answered(lambda: apply_topics(settings), wait)
    wrong = [row for row in rows if row.what in _LEFT]
    _show("trimtab topics apply", rows, holds=not wrong, as_json=as_json)


@topics.command()
def check(as_json: Json = False) -> None:
    """Compare only; exit code 1 on any difference."""
    from trimtab.adapters.kafka.admin import check_topics

    rows = check_topics(started())
    _show("trimtab topics check", rows, holds=not rows, as_json=as_json)


def _show(title: str, rows: "Sequence[Row]", *, holds: bool, as_json: bool) -> None:
    def readable() -> None:
        if rows:
            table(title, ("subject", "what", "detail"), [(row.subject, row.what, row.detail) for row in rows])
        else:
            say("topics and schemas are as the manifest says")

    document = {
        "holds": holds,
        "rows": [{"subject": row.subject, "what": row.what, "detail": row.detail} for row in rows],
    }
    result(document, as_json=as_json, readable=readable)
    if not holds:
        raise typer.Exit(DOES_NOT_HOLD)
