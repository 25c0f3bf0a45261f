"""`trimtab validate`: does a portfolio file hold?"""

from pathlib import Path
from typing import Annotated

import typer

from trimtab.cli.output import Json, result, say


def validate(
    file: Annotated[Path, typer.Argument(help="A portfolio file (YAML).")],
    as_json: Json = False,
) -> None:
    """Check a portfolio file; every problem with its path, the value found and what is allowed."""
    from trimtab.documents import load_document

    document = load_document(file)
    result(
        {"file": str(file), "portfolio": document.portfolio, "errors": []},
        as_json=as_json,
        readable=lambda: say(f"{file}: portfolio {document.portfolio} holds"),
    )
