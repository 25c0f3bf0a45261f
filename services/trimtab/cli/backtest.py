"""`trimtab backtest`: a portfolio file on a tape, beside what everybody knows."""

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trimtab.cli.output import Json, result, say, table
from trimtab.cli.start import started

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trimtab.backtest.entrant import Walk
    from trimtab.backtest.field import Contestant
    from trimtab.backtest.outcome import Outcome
    from trimtab.backtest.run import Run
    from trimtab.backtest.sweep import Sweep
    from trimtab.backtest.tape import Tape

_EQUITY = 1_000_000.0
_FEE = 0.001
_DAY_US = 86_400_000_000
_SHOWN = (
    ("orders", "orders"),
    ("turnover", "turnover"),
    ("fees", "fees"),
    ("spread_cost", "spread"),
    ("impact_cost", "impact"),
    ("delay_cost", "delay"),
    ("opportunity_cost", "missed"),
    ("risk_cost_bp", "risk bp/a"),
    ("total_cost_bp", "risk + cost bp/a"),
    ("tracking_error", "tracking error"),
    ("max_drawdown", "drawdown"),
    ("final_equity", "final equity"),
)


def backtest(
    tape: Annotated[list[Path], typer.Option(help="File or folder of bars or recordings; may be given again.")],
    policy: Annotated[Path, typer.Option(help="A portfolio file (YAML).")],
    against: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="calendar, threshold, buy_and_hold, or another portfolio file. [all three]"),
    ] = None,
    more: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="More to hold it against.")] = None,
    equity: Annotated[float, typer.Option(min=1, max=1e12, help="What it begins with, quote currency.")] = _EQUITY,
    maker_fee: Annotated[float, typer.Option(min=0, max=0.1, help="Fraction of the notional.")] = _FEE,
    taker_fee: Annotated[float, typer.Option(min=0, max=0.1, help="Fraction of the notional.")] = _FEE,
    costless: Annotated[bool, typer.Option("--costless", help="Bars: no fees, no spread, bottomless books.")] = False,
    ways: Annotated[bool, typer.Option("--ways", help="Bars: the whole way through each, not only its close.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the ways.")] = 0,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=V1,V2", help="Also with these values, as policy.absolute=0.02,0.05; every combination."
        ),
    ] = None,
    walk_forward: Annotated[
        int | None, typer.Option(min=1, metavar="DAYS", help="Also following the best variant so far, chosen so often.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes that share the policies out.")] = 1,
    keep: Annotated[
        Path | None, typer.Option(help="Keep outcomes in this folder, and play none again that is there.")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(dir_okay=False, metavar="FILE.html", help="Also draw one page of it: charts and every trade."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Decide, trade and settle along a tape as the services do, in this process, on the tape's own clock.

    Every policy has its own money and its own venue; all see the same market. Exit code 2 if the tape cannot be played
    or the portfolio does not hold.
    """
    from trimtab.backtest.fees import Fees
    from trimtab.backtest.field import BASELINES, contestants, walking
    from trimtab.backtest.result import document
    from trimtab.backtest.run import Run
    from trimtab.backtest.sweep import Sweep
    from trimtab.backtest.variants import variants
    from trimtab.documents import load_document

    if more and not against:
        raise typer.BadParameter(f"{more[0]!r}; names stand after --against.", param_hint="NAME")
    if walk_forward is not None and (not vary or workers > 1 or keep is not None):
        raise typer.BadParameter("needs --vary, and everybody in one process.", param_hint="--walk-forward")
    if report is not None:
        _require_report(report, workers, keep)
    settings, wanted = started(), load_document(policy)
    asked, walk = variants(vary or ()), None
    field = contestants(wanted, (*(against or BASELINES), *(more or ())), asked)
    if walk_forward is not None:
        walker, walk = walking(wanted, field[-len(asked) :], walk_forward * _DAY_US)
        field.append(walker)
    fees = Fees(Decimal(str(maker_fee)), Decimal(str(taker_fee)))
    run = Run(Decimal(str(equity)), fees, settings, costless, diaries=report is not None)
    sweep = Sweep(run, tuple(tape), ways, seed)
    opened = sweep.open()
    if workers > 1 or keep is not None:
        outcomes = _shared_out(sweep, field, workers, keep)
    else:
        outcomes = _side_by_side(run, opened, field, walk)
    found = document(run, opened, field, outcomes)
    if report is not None:
        from trimtab.report.page import page_of

        report.write_text(page_of(found, field, outcomes).text(), encoding="utf-8")
    result(found, as_json=as_json, readable=lambda: _show(found))


def _shared_out(sweep: "Sweep", field: "Sequence[Contestant]", workers: int, keep: Path | None) -> "Sequence[Outcome]":
    """Play over processes, and no outcome again that is kept."""
    from trimtab.cli.progress import count_bar

    with count_bar("policies", len(field)) as on_done:
        return sweep.play(field, workers, sweep.shelf(keep, field) if keep is not None else None, on_done)


def _side_by_side(run: "Run", tape: "Tape", field: "Sequence[Contestant]", walk: "Walk | None") -> "Sequence[Outcome]":
    """Play everybody in this process."""
    from trimtab.cli.progress import tape_bar

    with tape_bar(tape.market.start_us, tape.end_us) as on_time:
        return run.play(tape, field, on_time, walk)


def _require_report(report: Path, workers: int, keep: Path | None) -> None:
    """Say before the tape is played, not after, what stands in a report's way."""
    from trimtab.report.parts import require_parts

    if workers > 1 or keep is not None:
        raise typer.BadParameter(
            "needs every trade, so everybody in one process, and no --keep.", param_hint="--report"
        )
    if not report.parent.is_dir():
        raise typer.BadParameter(f"{report.parent}: no such folder.", param_hint="--report")
    require_parts()


def _show(found: "Mapping[str, Any]") -> None:
    tape = found["tape"]
    say(f"{', '.join(tape['symbols'])}: {tape['from']} to {tape['to']}, {tape['years']:.3g} years")
    rows = [(name, *_cells(figures)) for name, figures in found["policies"].items()]
    for step in found["walk_forward"]:
        say(f"walk_forward: {step['policy']} from {step['from']}")
    table("policies", ("policy", *(title for _, title in _SHOWN)), rows)


def _cells(figures: "Mapping[str, Any]") -> "Sequence[object]":
    return [
        Decimal(f"{figures[name]:.4f}" if abs(figures[name]) < 10 else f"{figures[name]:.2f}") for name, _ in _SHOWN
    ]
