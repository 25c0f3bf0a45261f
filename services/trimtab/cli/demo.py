"""`trimtab demo`: everything from nothing, a minute of trading, and whether the promises held."""

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trimtab.cli.options import SECONDS_MAX, require_embedded, unused_folder
from trimtab.cli.output import Json, result, say, table
from trimtab.exits import DOES_NOT_HOLD

if TYPE_CHECKING:
    from trimtab.demo.play import Script
    from trimtab.demo.stage import MarketChoice
    from trimtab.demo.summary import Summary

_KILLABLE = ("ingest", "drift", "executor", "reconciler", "kafka", "postgres", "registry")


def demo(
    seconds: Annotated[
        float | None,
        typer.Option(min=10, max=SECONDS_MAX, help="How long to trade; a tape plays to its end."),
    ] = None,
    tape: Annotated[list[Path] | None, typer.Option(exists=True, help="Recorded market: file or folder.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the synthetic market.")] = 7,
    speed: Annotated[float, typer.Option(min=0.1, max=100, help="How much faster than time the market runs.")] = 1.0,
    volatility: Annotated[float, typer.Option(min=0.1, max=1000, help="Of the synthetic market; 1 is natural.")] = 40.0,
    portfolios: Annotated[Path | None, typer.Option(exists=True, file_okay=False, help="Folder of files.")] = None,
    kill: Annotated[list[str] | None, typer.Option(help="Kill -9 this part in the middle; `all` for each.")] = None,
    faults_seed: Annotated[
        int | None, typer.Option(min=0, help="Let the venue misbehave on a seeded schedule.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(callback=unused_folder, help="Keep everything here (default: a new one, which goes).")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the new folder; it stays anyway after a failure.")] = False,
    as_json: Json = False,
) -> None:
    """Run the whole line on this machine with a simulated exchange; exit with 0 if every promise held."""
    require_embedded()
    from trimtab.demo.cast import PORTFOLIOS, read_folder
    from trimtab.demo.environment import require_own_environment
    from trimtab.demo.play import Script
    from trimtab.demo.stage import MarketChoice

    # Whatever can be wrong with what was asked for is said before anything is started.
    kills = _kills(kill or [])
    length = seconds if seconds is not None else None if tape else 60.0
    script = Script(read_folder(portfolios or PORTFOLIOS), length, kills)
    require_recordings(tape or [])
    market = MarketChoice(
        tapes=tuple(tape or ()), seed=seed, speed=speed, volatility=volatility, faults_seed=faults_seed
    )
    require_own_environment()
    summary, home = _run(folder, market, script, keep=keep)
    document = summary.document() | {"folder": None if home is None else str(home)}
    result(document, as_json=as_json, readable=lambda: _print(summary, document))
    if not summary.holds:
        raise typer.Exit(DOES_NOT_HOLD)


def _run(folder: Path | None, market: "MarketChoice", script: "Script", *, keep: bool) -> tuple["Summary", Path | None]:
    """Return the summary and where everything is kept: nowhere after a success in a folder that nobody asked for."""
    home = folder or Path(tempfile.mkdtemp(prefix="trimtab-demo-"))
    kept = True
    try:
        summary = _played(home, market, script)
        kept = folder is not None or keep or not summary.holds
        return summary, home if kept else None
    finally:
        if not kept:
            shutil.rmtree(home)
        elif folder is None:
            say(f"everything it wrote is kept in {home}")


def _played(home: Path, market: "MarketChoice", script: "Script") -> "Summary":
    import asyncio

    from trimtab.adapters.logs import configure_logs
    from trimtab.cli.replay import replayed
    from trimtab.demo.play import Play
    from trimtab.demo.show import Show
    from trimtab.demo.stage import LIVELY, Stage
    from trimtab.settings import LogSettings

    log = home / "logs" / "demo.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with Show() as show, log.open("a") as stream:
        configure_logs(LogSettings(format="console"), "demo", stream=stream)
        stage = Stage(home, market, tuning={} if market.tapes else LIVELY, on_event=show.event)
        try:
            return asyncio.run(Play(stage, script, show.progress, lambda settings: replayed(settings)[1]).run())
        finally:
            stage.stop()


def require_recordings(tapes: list[Path]) -> None:
    """Refuse tapes that cannot be played as they were recorded, in minutes, by portfolios in USDT."""
    if not tapes:
        return
    from trimtab.exchange.tape_file import TapeError
    from trimtab.exchange.tapes import KINDS, by_kind

    try:
        kinds = by_kind(tapes)
    except TapeError as error:
        raise typer.BadParameter(str(error), param_hint="--tape") from error
    for kind, paths in kinds.items():
        if kind != "recording":
            allowed = f"allowed: {KINDS['recording']}; `trimtab exchange` plays the others"
            raise typer.BadParameter(f"{paths[0]}: {KINDS[kind]}; {allowed}", param_hint="--tape")


def _kills(names: list[str]) -> tuple[str, ...]:
    if names == ["all"]:
        return _KILLABLE
    if "all" in names:
        raise typer.BadParameter(f"{', '.join(names)}; allowed: all by itself, or parts by name", param_hint="--kill")
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
    for fault in summary.parity.faults:
        where = f"{fault.signal_id} of {fault.portfolio_id} at frame {fault.frame_offset}"
        typer.echo(f"replay: {fault.kind}: {where}: {fault.detail}")
    typer.echo("every promise held" if summary.holds else "NOT every promise held")


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
