"""The command line of the embedded stack: python -m trimtab.embedded."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from trimtab.embedded import daemon
from trimtab.embedded.errands import ask_restart
from trimtab.embedded.folder import Addresses
from trimtab.embedded.progress import Report
from trimtab.embedded.restarts import Restart
from trimtab.embedded.warm import prepare

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
errors = Console(stderr=True)

FolderOption = Annotated[Path, typer.Option("--folder", help="the stack's data folder; made if missing")]
RestartOption = Annotated[Restart, typer.Option("--restart", help="what happens when a part dies")]
JsonOption = Annotated[bool, typer.Option("--json", help="one JSON document on standard output")]


@app.command()
def up(
    folder: FolderOption,
    restart: RestartOption = "never",
    *,
    detach: Annotated[bool, typer.Option("--detach", help="return when ready and leave it running")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="lines only, for a log")] = False,
) -> None:
    """Start Kafka, the registry and PostgreSQL; without --detach, run until Ctrl-C."""
    console = Console(stderr=True, no_color=True, width=200, force_terminal=False) if plain else errors
    with Report(console) as report:
        if detach:
            _show(folder, daemon.start_detached(folder, restart=restart, on_event=report))
        else:
            daemon.run_foreground(folder, restart=restart, on_event=report, on_ready=lambda found: _show(folder, found))


@app.command()
def down(folder: FolderOption) -> None:
    """Stop the stack on a folder; its data stay."""
    with Report(errors) as report:
        if not daemon.stop_detached(folder, on_event=report):
            errors.print(f"{folder}: no stack runs here", highlight=False)


@app.command()
def status(folder: FolderOption, *, as_json: JsonOption = False) -> None:
    """Show what runs on a folder; exit code 1 when nothing does."""
    found = daemon.describe(folder)
    typer.echo(json.dumps(found) if as_json else "\n".join(f"{name}: {value}" for name, value in found.items()))
    if not found["running"]:
        raise typer.Exit(1)


@app.command()
def restart(folder: FolderOption, part: Annotated[str, typer.Argument(help="kafka, registry or postgres")]) -> None:
    """Start one part again, on its ports and its data."""
    ask_restart(folder, part)
    typer.echo(f"{part} is ready")


@app.command()
def fetch() -> None:
    """Download what the stack runs from and record a first run for faster starts (once per user)."""
    with Report(errors) as report:
        prepare(report)


@app.command()
def lock() -> None:
    """Resolve the newest allowed artifacts and write the package's lock file (for maintainers)."""
    from trimtab.embedded.lock import write_lock  # noqa: PLC0415  the resolver is needed here alone

    typer.echo(write_lock())


def _show(folder: Path, addresses: Addresses) -> None:
    typer.echo(f"kafka     {addresses.kafka}")
    typer.echo(f"registry  {addresses.registry}")
    typer.echo(f"postgres  {addresses.postgres_without_password}  (password in {folder / 'addresses.json'})")
