"""`trimtab bench`: what things take here, against the least they could take in the same run."""

from pathlib import Path
from typing import Annotated, Any

import typer

from trimtab.cli.options import require_embedded, unused_folder
from trimtab.cli.output import Json, json_text, result, table


def bench(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Which; without: all that need no files."),
    ] = None,
    seconds: Annotated[float, typer.Option(min=5, max=3_600, help="How long ticks are timed.")] = 60.0,
    folder: Annotated[
        Path | None, typer.Option(callback=unused_folder, help="Keep the line's files here (default: they go).")
    ] = None,
    write: Annotated[Path | None, typer.Option(help="Write the JSON document here too.")] = None,
    paths: Annotated[int, typer.Option(min=2, max=100_000, help="value: simulated years.")] = 1_000,
    seed: Annotated[int, typer.Option(min=0, help="value: of the simulated years.")] = 1,
    candles: Annotated[Path, typer.Option(help="value, peer: folder of real candles.")] = Path(
        "../shared/data/genetrader"
    ),
    indices: Annotated[Path, typer.Option(help="published: folder of daily indices.")] = Path("../shared/data/olps"),
    recordings: Annotated[Path, typer.Option(help="books: folder of recorded order books.")] = Path(
        "../shared/data/hftbacktest"
    ),
    as_json: Json = False,
) -> None:
    """Measure tick to order, processes, codec, decisions, risk, the exchange; goals missed are said, not failed.

    `value` measures what decisions are worth instead: risk + cost a year of the no-trade region and of classic rules.
    `peer` computes the same threshold rebalances as bt, a backtesting library, on the same candles,
    and `books` streams the same order book updates as nautilus_trader, another one.
    `published` has the ordinary backtest come to results that others published.
    """
    require_embedded()
    from trimtab.bench.suite import ALLOWED, NAMES, ON_THE_LINE, run
    from trimtab.bench.value.measure import Inputs
    from trimtab.demo.environment import require_own_environment
    from trimtab.demo.show import Show

    for name in names or ():
        if name not in ALLOWED:
            raise typer.BadParameter(f"{name!r}; allowed: {', '.join(ALLOWED)}", param_hint="NAME")
    if set(names or NAMES) & set(ON_THE_LINE):
        require_own_environment()
    if write is not None:  # rather now than after a minute
        write.parent.mkdir(parents=True, exist_ok=True)
        write.touch()
    with Show() as show:
        document = run(names or NAMES, seconds, folder, show.event, Inputs(paths, seed, candles, indices, recordings))
    if write is not None:
        write.write_text(json_text(document) + "\n")
    result(document, as_json=as_json, readable=lambda: _print(document))


def _print(document: dict[str, Any]) -> None:
    rows = [
        (
            measure["name"],
            _shown(measure["value"]),
            measure["unit"],
            _shown(measure["against"] and measure["against"]["value"]),
            _shown(measure["ratio"]),
            _verdict(measure),
        )
        for measure in document["measures"]
    ]
    table("measures", ("name", "value", "unit", "against", "ratio", "goal"), rows)
    whats = {measure["against"]["what"] for measure in document["measures"] if measure["against"]}
    for what in sorted(whats):
        typer.echo(f"against: {what}")
    for note in document["notes"]:
        typer.echo(f"not measured: {note}")
    machine = document["machine"]
    typer.echo(f"{machine['cpus']} CPUs, load {machine['load_before']} before and {machine['load_after']} after")


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _verdict(measure: dict[str, Any]) -> str:
    if measure["goal"] is None:
        return ""
    return f"{measure['goal']:g} {'met' if measure['met'] else 'MISSED'}"
