"""`trimtab exchange`: the simulated exchange alone."""

import typer


def exchange(context: typer.Context) -> None:
    """Serve a simulated exchange speaking Binance spot's or Coinbase Exchange's protocol (see its own --help)."""
    from trimtab.exchange import __main__ as process

    command = typer.Typer(add_completion=False, rich_markup_mode=None)
    command.command()(process.exchange)
    raise typer.Exit(command(args=context.args, prog_name="trimtab exchange", standalone_mode=False) or 0)
