"""`trimtab doctor`: what is wrong with this set-up?"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from trimtab.adapters.redaction import said
from trimtab.cli.output import Json, result, table
from trimtab.cli.start import started
from trimtab.domain.errors import TrimtabError, UnreachableError
from trimtab.exits import ABSENT, DOES_NOT_HOLD

if TYPE_CHECKING:
    from trimtab.settings import Settings

Check = Callable[["Settings"], str]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: `state` is ok, wrong or absent."""

    name: str
    state: str
    detail: str


def doctor(as_json: Json = False) -> None:
    """Check the settings and everything they name; exit code 3 if a part does not answer, 1 if one is not as needed."""
    from trimtab.cli.checks import CHECKS  # after the settings hold

    settings = started()
    findings = [Finding("settings", "ok", "every value holds"), *_findings(settings, CHECKS)]
    states = {finding.state for finding in findings}
    result(
        {
            "holds": states == {"ok"},
            "checks": [{"name": each.name, "state": each.state, "detail": each.detail} for each in findings],
        },
        as_json=as_json,
        readable=lambda: table(
            "trimtab doctor", ("check", "state", "detail"), [(each.name, each.state, each.detail) for each in findings]
        ),
    )
    if "absent" in states:
        raise typer.Exit(ABSENT)
    if "wrong" in states:
        raise typer.Exit(DOES_NOT_HOLD)


def _findings(settings: "Settings", checks: dict[str, Check]) -> Iterator[Finding]:
    for name, check in checks.items():
        try:
            yield Finding(name, "ok", check(settings))
        except UnreachableError as error:
            yield Finding(name, "absent", said(str(error)))
        except TrimtabError as error:
            yield Finding(name, "wrong", said(str(error)))
