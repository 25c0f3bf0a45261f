"""`trimtab up` and `down`: everything on this machine, left running, data kept."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trimtab.cli.options import require_embedded
from trimtab.cli.output import Json, result, say
from trimtab.domain.errors import TrimtabError, UnreachableError
from trimtab.exits import MISCONFIGURED

if TYPE_CHECKING:
    from trimtab.embedded.progress import Report

Folder = Annotated[Path, typer.Option("--folder", help="Where everything is kept; made if missing.")]
FOLDER = Path("var/up")
_POLL_SECONDS = 0.1
_STOP_SECONDS_MAX = 120.0


class AlreadyUpError(TrimtabError):
    """Everything runs on this folder already."""

    exit_code = MISCONFIGURED


def up(
    folder: Folder = FOLDER,
    tape: Annotated[list[Path] | None, typer.Option(exists=True, help="Recorded market: file or folder.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the synthetic market.")] = 7,
    speed: Annotated[float, typer.Option(min=0.1, max=100, help="How much faster than time the market runs.")] = 1.0,
    volatility: Annotated[float, typer.Option(min=0.1, max=1000, help="Of the synthetic market; 1 is natural.")] = 1.0,
    embedded: Annotated[  # noqa: ARG001 - there is no other way yet; containers have docker compose
        bool, typer.Option("--embedded", help="On the embedded stack: the default, and the only way of this command.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Start the embedded stack, a simulated exchange and all services; return when they work and leave them."""
    require_embedded()
    from rich.console import Console

    from trimtab.demo.environment import require_own_environment
    from trimtab.embedded.progress import Report

    require_own_environment()

    folder = folder.resolve()
    market = {"tapes": [str(path.resolve()) for path in tape or ()], "seed": seed, "speed": speed}
    with Report(Console(stderr=True)) as report:
        found = _start(folder, json.dumps(market | {"volatility": volatility}), report)
    result(found, as_json=as_json, readable=lambda: _show(found))


def down(folder: Folder = FOLDER, as_json: Json = False) -> None:
    """Stop what `up` started; the data stay."""
    require_embedded()
    from trimtab.embedded.daemon import stop_detached

    folder = folder.resolve()
    process = _resident(folder)
    if process is not None:
        process.terminate()
        process.wait(_STOP_SECONDS_MAX)
    elif (folder / "stack").is_dir():
        stop_detached(folder / "stack")  # what a killed `up` may have left
    stopped = process is not None
    result(
        {"folder": str(folder), "stopped": stopped},
        as_json=as_json,
        readable=lambda: say(f"{folder}: {'stopped' if stopped else 'nothing ran here'}"),
    )


def _start(folder: Path, market: str, report: "Report") -> dict[str, Any]:
    from trimtab.embedded.events import read_events
    from trimtab.embedded.warm import prepare

    if _resident(folder) is not None:
        raise AlreadyUpError(f"{folder}: everything runs here already; stop it with trimtab down")
    prepare(report)
    folder.mkdir(parents=True, exist_ok=True)
    note, events, log = folder / "ready.json", folder / "events.log", folder / "up.log"
    note.unlink(missing_ok=True)
    told = events.stat().st_size if events.exists() else 0
    with log.open("ab") as output:
        child = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "trimtab.cli.resident", str(folder), market],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        while not note.exists() and child.poll() is None:
            told = read_events(events, told, report)
            time.sleep(_POLL_SECONDS)
    except BaseException:
        child.terminate()
        child.wait(_STOP_SECONDS_MAX)
        raise
    read_events(events, told, report)
    if not note.exists():
        raise _failure(child.wait(), folder, log)
    found: dict[str, Any] = json.loads(note.read_text())
    return found


def _resident(folder: Path) -> Any:
    """Return the process that `up` left on this folder, or None."""
    import psutil

    try:
        noted = json.loads((folder / "ready.json").read_text())["pid"]
        process = psutil.Process(noted)
        return process if "trimtab.cli.resident" in process.cmdline() else None
    except (OSError, ValueError, KeyError, psutil.Error):
        return None


def _failure(code: int, folder: Path, log: Path) -> TrimtabError:
    """Return what ended the process that should have run everything, in its own words."""
    from trimtab.embedded.crew import last_errors
    from trimtab.embedded.errors import RefusedConfigurationError

    lines = last_errors(log)
    if code == MISCONFIGURED:
        return RefusedConfigurationError("\n".join(lines))
    return UnreachableError("everything", str(folder), f"{'; '.join(lines)}; see {log}")


def _show(found: dict[str, Any]) -> None:
    for name in ("kafka", "registry", "postgres", "exchange", "logs"):
        say(f"{name:10}{found[name]}")
    say(f"account   {found['account']}, on the simulated exchange")
    say("for every other command:")
    typer.echo(f"export TRIMTAB_SETTINGS={found['settings']}")
