"""`trimtab explain`: why a portfolio trades or holds, now or at a past frame, with every number."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from trimtab.cli.output import Json, result, table
from trimtab.cli.start import started
from trimtab.domain.errors import UnreachableError
from trimtab.exits import DOES_NOT_HOLD

if TYPE_CHECKING:
    from trimtab.ports.recorded import Recorded
    from trimtab.replay.basis import Past
    from trimtab.replay.moment import Moment
    from trimtab.replay.verdict import Verdict
    from trimtab.settings import Settings

_LAST = "10m"
_Asked = tuple[int | None, int | None]  # offset or event time; neither is now


def explain(
    portfolio: Annotated[str, typer.Argument(help="The portfolio.")],
    at: Annotated[
        str | None,
        typer.Option(
            metavar="OFFSET|TIME", help="A past frame: its offset, or a time (ISO 8601 UTC, or event time us)."
        ),
    ] = None,
    signal: Annotated[
        str | None, typer.Option(metavar="ID", help="A published signal, decided again on exactly what it cites.")
    ] = None,
    holds: Annotated[
        bool, typer.Option("--holds", help="How often it held, and why: every full frame of a span.")
    ] = False,
    last: Annotated[
        str | None,
        typer.Option(
            metavar="SPAN", help=f"The span of --holds, in event time, such as 90s, 2h, 1d; {_LAST} without it."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Decide on the last recorded inputs, or on those of a past frame, and show every term. Nothing is traded.

    Where a signal was published, it is decided again on the inputs it cites; exit code 1 if it does not come out equal.
    """
    from trimtab.adapters.kafka.recorded import open_recorded
    from trimtab.cli.when import frame_or_time, span_us

    if signal is not None and (at is not None or holds):
        raise typer.BadParameter("a signal says itself where it stands; allowed: alone.", param_hint="--signal")
    if last is not None and not holds:
        raise typer.BadParameter("is the span of --holds; allowed: with it.", param_hint="--last")
    asked, span = frame_or_time(at) if at is not None else (None, None), span_us(last or _LAST)
    settings = started()
    with open_recorded(settings) as recorded:
        past = _known(recorded, portfolio)
        if holds:
            _show_holds(recorded, settings, past, portfolio, asked, span, as_json=as_json)
        else:
            _show(portfolio, _verdict(recorded, settings, past, portfolio, asked, signal), as_json=as_json)


def _known(recorded: "Recorded", portfolio: str) -> "Past":
    from trimtab.cli.known import UnknownNameError
    from trimtab.replay.basis import past_of

    past, names = past_of(recorded, portfolio)
    if not past.known:
        raise UnknownNameError("portfolio", portfolio, names)
    return past


def _verdict(
    recorded: "Recorded", settings: "Settings", past: "Past", portfolio: str, asked: _Asked, signal: str | None
) -> "Verdict":
    from trimtab.replay import verdict

    if signal is not None:
        return verdict.of_signal(recorded, settings.drift, portfolio, signal)
    moment = _moment(recorded, settings, asked)
    if asked == (None, None):
        return verdict.now(recorded, settings.drift, past, moment)
    return verdict.as_of(recorded, settings.drift, past, portfolio, moment)


def _moment(recorded: "Recorded", settings: "Settings", asked: _Asked) -> "Moment":
    """Return the frame that is asked for; the newest one if none is."""
    from trimtab.replay.charges import Charges
    from trimtab.replay.moment import Moments

    charges, (offset, time_us) = Charges(recorded), asked
    moments = Moments(recorded, charges.newest if asked == (None, None) else charges.at)
    if offset is not None:
        return moments.at(offset)
    if time_us is not None:
        return moments.at_time(time_us)
    newest = moments.newest()
    if newest is None:
        kafka = settings.kafka.bootstrap_servers
        raise UnreachableError("market data", f"market.frames on {kafka}", "no full frame yet; is ingest running?")
    return newest


def _show(portfolio: str, verdict: "Verdict", *, as_json: bool) -> None:
    document = {
        "portfolio": portfolio,
        "basis": verdict.source,
        "decision": asdict(verdict.decision),
        "signals": [asdict(each) for each in verdict.comparisons],
        "rows": [asdict(row) for row in verdict.rows],
    }
    title = f"{portfolio} at {verdict.basis.moment}: {verdict.rows[0].value}"
    cells = [(row.term, row.value, row.unit, row.meaning) for row in verdict.rows]
    result(document, as_json=as_json, readable=lambda: table(title, ("term", "value", "unit", "meaning"), cells))
    if not verdict.holds:
        raise typer.Exit(DOES_NOT_HOLD)


def _show_holds(
    recorded: "Recorded",
    settings: "Settings",
    past: "Past",
    portfolio: str,
    asked: _Asked,
    span: int,
    *,
    as_json: bool,
) -> None:
    from trimtab.cli.progress import frames_bar
    from trimtab.replay.holds import counted

    holds = counted(recorded, settings.drift, past, portfolio, _moment(recorded, settings, asked), span, frames_bar)
    columns = ("outcome", "reason", "full frames", "share", "last frame", "meaning")
    cells = [
        (each.outcome, each.reason, each.frames, each.share, each.last_frame, each.meaning) for each in holds.outcomes
    ]
    title = f"{portfolio} from {holds.first} to {holds.last}: {holds.frames} full frames, {holds.signals} signals"
    result({"portfolio": portfolio} | holds.document(), as_json=as_json, readable=lambda: table(title, columns, cells))
