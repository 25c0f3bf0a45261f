"""`python -m trimtab.exchange`: the simulated exchange alone."""

from pathlib import Path
from typing import Annotated

import typer

from trimtab.exchange.command import UsageError, run


def exchange(
    journal: Annotated[Path, typer.Option(help="Journal to write; must not exist yet or be empty.")],
    port: Annotated[int, typer.Option(help="Port on loopback; 0 takes any free one.", min=0, max=65535)] = 0,
    tape: Annotated[list[Path] | None, typer.Option(help="Recording, bars, or folder of them; may repeat.")] = None,
    synthetic: Annotated[int | None, typer.Option(help="Seed of a synthetic market.", min=0)] = None,
    speed: Annotated[float, typer.Option(help="Market seconds a second.")] = 1.0,
    accounts: Annotated[Path | None, typer.Option(help="JSON file with accounts; without it one, demo.")] = None,
    symbols: Annotated[str, typer.Option(help="Symbols, separated by commas; empty for all.")] = "",
    volatility: Annotated[float, typer.Option(help="Multiple of natural volatility (synthetic).")] = 1.0,
    epoch_us: Annotated[
        int | None, typer.Option(help="Market time at the start (synthetic); else now.", min=0, max=2**52)
    ] = None,
    faults_seed: Annotated[int | None, typer.Option(help="Misbehave on the schedule of this seed.")] = None,
    bars_seed: Annotated[int, typer.Option(help="Seed of the way through each bar (tapes of bars).", min=0)] = 0,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    ready_file: Annotated[Path | None, typer.Option(help="Gets one JSON line with the port when ready.")] = None,
    ids_from_clock: Annotated[bool, typer.Option(help="Count orders and trades from the clock, not 1.")] = False,  # noqa: FBT002 - a flag
    dialect: Annotated[str, typer.Option(help="Whose protocol it speaks: binance or coinbase.")] = "binance",
    paused: Annotated[bool, typer.Option(help="Stand still until POST /sim/resume.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Serve a simulated exchange speaking Binance spot's or Coinbase Exchange's protocol, until interrupted."""
    try:
        run(
            port,
            journal,
            tapes=tape or (),
            synthetic=synthetic,
            speed=speed,
            accounts=accounts,
            symbols=[symbol for symbol in symbols.split(",") if symbol],
            volatility=volatility,
            epoch_us=epoch_us,
            faults_seed=faults_seed,
            ready_file=ready_file,
            paused=paused,
            host=host,
            ids_from_clock=ids_from_clock,
            dialect=dialect,
            bars_seed=bars_seed,
        )
    except UsageError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error


if __name__ == "__main__":
    typer.run(exchange)
