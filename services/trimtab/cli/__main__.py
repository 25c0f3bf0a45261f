"""The `trimtab` command. Modules that cost time to import are imported inside the commands that need them."""

import importlib.metadata
from typing import Annotated

import typer

from trimtab.cli.allocate import allocate
from trimtab.cli.apply import apply
from trimtab.cli.backtest import backtest
from trimtab.cli.bench import bench
from trimtab.cli.demo import demo
from trimtab.cli.doctor import doctor
from trimtab.cli.exchange import exchange
from trimtab.cli.explain import explain
from trimtab.cli.fills import fills
from trimtab.cli.halting import halt, resume
from trimtab.cli.importing import import_
from trimtab.cli.migrate import migrate
from trimtab.cli.program import Program
from trimtab.cli.record import record
from trimtab.cli.replay import replay
from trimtab.cli.services import SERVICES, service
from trimtab.cli.stack import down, up
from trimtab.cli.status import status
from trimtab.cli.topics import topics
from trimtab.cli.unfilled import unfilled
from trimtab.cli.validate import validate
from trimtab.cli.withdrawn import withdrawn

app = typer.Typer(
    cls=Program,
    add_completion=False,
    rich_markup_mode=None,  # errors are one plain line
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_RUNS = (demo, backtest, bench, up, down)
_BOOKS = (
    validate,
    apply,
    status,
    explain,
    record,
    replay,
    fills,
    halt,
    resume,
    allocate,
    withdrawn,
    unfilled,
    doctor,
    migrate,
)
for command in (*_RUNS, *_BOOKS):
    app.command()(command)
app.command("import")(import_)
app.add_typer(topics, name="topics")
app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)(exchange)
for name in SERVICES:
    app.command(name)(service(name))


@app.callback(invoke_without_command=True)
def trimtab(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Keep crypto portfolios at their target weights with the fewest, cheapest trades."""
    if version:
        typer.echo(importlib.metadata.version("trimtab"))
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """Run the command line."""
    app(prog_name="trimtab")


if __name__ == "__main__":
    main()
