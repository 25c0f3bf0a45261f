"""Requests from other processes to the one that runs a stack: small files in the data folder.

Only who may write into the data folder can ask, and nothing listens on any port.
"""

import time
from collections.abc import Callable
from pathlib import Path

from trimtab.embedded.cache import write_whole
from trimtab.embedded.errors import PartError, StackError
from trimtab.embedded.part import PartName

PARTS: tuple[PartName, ...] = ("kafka", "registry", "postgres")
ANSWER_SECONDS_MAX = 150.0
POLL_SECONDS = 0.1


def ask_restart(folder: Path, part: str) -> None:
    """Have the stack on `folder` start a part again; returns when it is healthy. Raises StackError if it fails."""
    if part not in PARTS:
        raise StackError(f"{part!r} is no part; allowed: {', '.join(PARTS)}")
    request, answer = _files(folder, part)
    answer.unlink(missing_ok=True)
    write_whole(request, "restart")
    deadline = time.monotonic() + ANSWER_SECONDS_MAX
    while not answer.exists():
        if time.monotonic() > deadline:
            request.unlink(missing_ok=True)
            raise PartError(f"{part}: the stack on {folder} does not answer")
        time.sleep(POLL_SECONDS)
    error = answer.read_text(encoding="utf-8")
    answer.unlink()
    if error:
        raise PartError(error)


def do_errands(folder: Path, restart_part: Callable[[PartName], None]) -> None:
    """Carry out what was asked since the last call and write down how it went."""
    for part in PARTS:
        request, answer = _files(folder, part)
        if not request.exists():
            continue
        request.unlink()
        try:
            restart_part(part)
        except StackError as error:
            write_whole(answer, str(error))
        else:
            write_whole(answer, "")


def _files(folder: Path, part: str) -> tuple[Path, Path]:
    return folder / f"restart-{part}.request", folder / f"restart-{part}.answer"
