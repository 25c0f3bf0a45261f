"""`trimtab demo`: everything from nothing, a minute of trading, and whether the promises held."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trimtab.cli.output import Json, result, table

if TYPE_CHECKING:
    from trimtab.demo.summary import Summary

DOES_NOT_HOLD = 1
_KILLABLE = ("ingest", "drift", "executor", "reconciler", "kafka", "postgres", "registry")


def demo(
    seconds: Annotated[float | None, typer.Option(min=10, help="How long to trade; a tape plays to its end.")] = None,
    tape: Annotated[list[Path] | None, typer.Option(exists=True, help="Recorded market: file or folder.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the synthetic market.")] = 7,
    speed: Annotated[float, typer.Option(min=0.1, max=100, help="How much faster than time the market runs.")] = 1.0,
    volatility: Annotated[float, typer.Option(min=0.1, max=1000, help="Of the synthetic market; 1 is natural.")] = 40.0,
    portfolios: Annotated[Path | None, typer.Option(exists=True, file_okay=False, help="Folder of files.")] = None,
    kill: Annotated[list[str] | None, typer.Option(help="Kill -9 this part in the middle; `all` for each.")] = None,
    faults_seed: Annotated[int | None, typer.Option(help="Let the venue misbehave on a seeded schedule.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Where everything is kept (default: a new one).")] = None,
    as_json: Json = False,
) -> None:
    """Run the whole line on this machine with a simulated exchange; exit with 0 if every promise held."""
    import asyncio
    import tempfile

    from trimtab.adapters.logs import configure_logs
    from trimtab.demo.cast import PORTFOLIOS
    from trimtab.demo.play import Play, Script
    from trimtab.demo.show import Show
    from trimtab.demo.stage import LIVELY, MarketChoice, Stage
    from trimtab.settings import LogSettings

    kills = _kills(kill or [])
    length = seconds if seconds is not None else None if tape else 60.0
    home = folder or Path(tempfile.mkdtemp(prefix="trimtab-demo-"))
    market = MarketChoice(
        tapes=tuple(tape or ()), seed=seed, speed=speed, volatility=volatility, faults_seed=faults_seed
    )
    log = home / "logs" / "demo.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with Show() as show, log.open("a") as stream:
        configure_logs(LogSettings(format="console"), "demo", stream=stream)
        stage = Stage(home, market, tuning={} if tape else LIVELY, on_event=show.event)
        try:
            script = Script(length, portfolios or PORTFOLIOS, kills)
            summary = asyncio.run(Play(stage, script, show.progress).run())
        finally:
            stage.stop()
    document = summary.document() | {"folder": str(home)}
    result(document, as_json=as_json, readable=lambda: _print(summary, document))
    if not summary.holds:
        raise typer.Exit(DOES_NOT_HOLD)


def _kills(names: list[str]) -> tuple[str, ...]:
    if names == ["all"]:
        return _KILLABLE
    for name in names:
        if name not in _KILLABLE:
            raise typer.BadParameter(f"{name!r}; allowed: all, {', '.join(_KILLABLE)}", param_hint="--kill")
    return tuple(names)


def _print(summary: "Summary", document: dict[str, Any]) -> None:
    rows = [(name, _shown(value)) for name, value in document.items() if name not in {"portfolios", "differences"}]
    table("the bill", ("what", "value"), rows)
    columns = ("portfolio", "drift at start", "drift at end", "within its band", "reason")
    table(
        "portfolios",
        columns,
        [
            (p.portfolio_id, f"{p.drift_start:.2%}", f"{p.drift_end:.2%}", "yes" if p.within_band else "NO", p.reason)
            for p in summary.portfolios
        ],
    )
    for line in summary.verdict.differences:
        typer.echo(f"difference: {line}")
    typer.echo("every promise held" if summary.holds else "NOT every promise held")


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
