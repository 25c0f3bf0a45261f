"""From errors to one clear line each and an exit code: 0 holds, 1 does not, 2 configuration, 3 a part is absent."""

import json
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from trimtab.adapters.redaction import hide, said
from trimtab.domain.errors import InvalidValueError, TrimtabError
from trimtab.exits import ABSENT, DOES_NOT_HOLD, INTERRUPTED, MISCONFIGURED, exit_code

_LEVEL_VARIABLE = "TRIMTAB_LOG__LEVEL"


class Program(TyperGroup):
    """The command `trimtab`: ends with an exit code and one line an error, never with a traceback."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> NoReturn:
        """Run one command and exit."""
        words = list(sys.argv[1:] if args is None else args)
        options["standalone_mode"] = False
        as_json = "--json" in words
        hide(())
        try:
            code = super().main(words, *rest, **options)
        except (TrimtabError, typer.TyperException) as error:
            code = exit_code(error)
            report(error, as_json=as_json)
        except BrokenPipeError:  # whoever read the output has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 0
        except OSError as error:
            code, found = _of_system(error)
            report(found, as_json=as_json)
        except typer.Abort:
            code = INTERRUPTED
        except Exception as error:  # noqa: BLE001 - whatever it is, a person gets a line and not a traceback
            code = DOES_NOT_HOLD
            _confess(error, as_json=as_json)
        sys.exit(code or 0)


def _of_system(error: OSError) -> tuple[int, TrimtabError]:
    """Return what the operating system refused: a path that was given, or something else that is needed."""
    if error.filename is None:
        return ABSENT, TrimtabError(str(error))
    return MISCONFIGURED, InvalidValueError(str(error.filename), error.strerror, "a path that can be used so")


def _confess(error: Exception, *, as_json: bool) -> None:
    """Say that trimtab itself is wrong; where, only to who debugs."""
    if os.environ.get(_LEVEL_VARIABLE, "").lower() == "debug":
        typer.echo(said("".join(traceback.format_exception(error))), err=True)
    what = " ".join(f"{type(error).__name__}: {error}".split())
    report(TrimtabError(f"a fault of trimtab: {what} (with {_LEVEL_VARIABLE}=debug it says where)"), as_json=as_json)


def _usage(error: typer.TyperException) -> str:
    """Return what is wrong with how a command was called; of a value, what was found and what is allowed."""
    if isinstance(error, typer.BadParameter) and error.__cause__ is not None:
        from pydantic import ValidationError  # typer checks options with it

        from trimtab.configuration import first_problem

        if isinstance(error.__cause__, ValidationError):
            error.message = first_problem(error.__cause__).complaint
    return error.format_message()


def report(error: Exception, *, as_json: bool) -> None:
    """Say what went wrong: on standard error, and with `--json` as the one document on standard output too."""
    message = said(_usage(error) if isinstance(error, typer.TyperException) else str(error))
    for line in message.splitlines() if isinstance(error, TrimtabError) else [message]:
        typer.echo(f"error: {line}", err=True)
    if as_json:
        problems = getattr(error, "problems", None)
        errors = [{"message": message}] if problems is None else [problem.as_json() for problem in problems]
        typer.echo(said(json.dumps({"errors": errors})))
