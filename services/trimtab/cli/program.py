"""From errors to one clear line each and an exit code: 0 holds, 1 does not, 2 configuration, 3 a part is absent."""

import json
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from trimtab.domain.errors import InvalidValueError, TrimtabError, UnreachableError

DOES_NOT_HOLD = 1
MISCONFIGURED = 2
ABSENT = 3
INTERRUPTED = 130


class Program(TyperGroup):
    """The command `trimtab`: ends with an exit code and never with a traceback for an error raised on purpose."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> NoReturn:
        """Run one command and exit."""
        words = list(sys.argv[1:] if args is None else args)
        options["standalone_mode"] = False
        try:
            code = super().main(words, *rest, **options)
        except (TrimtabError, typer.TyperException) as error:
            code = exit_code(error)
            report(error, as_json="--json" in words)
        except OSError as error:  # a path that cannot be used as asked
            code = MISCONFIGURED
            report(
                InvalidValueError(str(error.filename or "path"), error.strerror, "a path that can be used so"),
                as_json="--json" in words,
            )
        except typer.Abort:
            code = INTERRUPTED
        sys.exit(code or 0)


def exit_code(error: Exception) -> int:
    """Return what a command that failed with this error exits with."""
    match error:
        case UnreachableError():
            return ABSENT
        case InvalidValueError():
            return MISCONFIGURED
        case _:
            return int(getattr(error, "exit_code", DOES_NOT_HOLD))


def report(error: Exception, *, as_json: bool) -> None:
    """Say what went wrong: on standard error, and with `--json` as the one document on standard output too."""
    message = error.format_message() if isinstance(error, typer.TyperException) else str(error)
    for line in message.splitlines() if isinstance(error, TrimtabError) else [message]:
        typer.echo(f"error: {line}", err=True)
    if as_json:
        problems = getattr(error, "problems", None)
        errors = [{"message": message}] if problems is None else [problem.as_json() for problem in problems]
        typer.echo(json.dumps({"errors": errors}))
