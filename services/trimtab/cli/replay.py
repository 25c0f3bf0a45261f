"""`trimtab replay`: every recorded signal comes out again, or what another policy would have done in its place.

`trimtab replay --pipeline` is in agreement.py.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trimtab.cli.options import unused_folder
from trimtab.cli.output import Json, result, say, table
from trimtab.cli.start import started
from trimtab.exits import DOES_NOT_HOLD

if TYPE_CHECKING:
    from trimtab.ports.recorded import Recorded
    from trimtab.replay.extent import Asked
    from trimtab.replay.parity import Parity
    from trimtab.replay.session import Session
    from trimtab.settings import Settings

_FAULTS_SHOWN_MAX = 100
_FRAME = "OFFSET|TIME"
_EQUITY = 100_000.0
_SPEED = 1.0


def replay(
    verify: Annotated[bool, typer.Option("--verify", help="Compare what comes out with what was published.")] = False,
    what_if: Annotated[
        Path | None,
        typer.Option(metavar="FILE.yaml", help="Play the recorded market under this portfolio file's policy instead."),
    ] = None,
    portfolio: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which recorded one. [what the file of --what-if says]")
    ] = None,
    pipeline: Annotated[
        bool,
        typer.Option(
            "--pipeline", help="Run the whole line on a tape; compare with a backtest, difference by difference."
        ),
    ] = False,
    begin: Annotated[
        str | None,
        typer.Option("--from", metavar=_FRAME, help="The first frame: offset, ISO 8601 UTC or event time us."),
    ] = None,
    end: Annotated[str | None, typer.Option("--to", metavar=_FRAME, help="The last frame.")] = None,
    archive: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="What `trimtab record` wrote, in place of the topics on Kafka."),
    ] = None,
    tape: Annotated[
        list[Path] | None,
        typer.Option(exists=True, help="--pipeline: recorded market, file or folder; may be repeated."),
    ] = None,
    policy: Annotated[Path | None, typer.Option(help="--pipeline: a portfolio file (YAML).")] = None,
    speed: Annotated[float, typer.Option(min=0.1, max=100, help="--pipeline: how much faster the tape runs.")] = _SPEED,
    equity: Annotated[float, typer.Option(min=1, max=1e9, help="--pipeline: what it begins with.")] = _EQUITY,
    folder: Annotated[
        Path | None,
        typer.Option(callback=unused_folder, help="--pipeline: keep everything here. [a new one, which goes]"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Decide everything again that is recorded, frame by frame, as each worker's journal tells what it had read.

    Exit code 1 if a signal does not come out byte for byte, is missing, or should not be there. With --what-if, play
    the market once under the recorded policy and once under another one, and tell every difference, with the bill. With
    --pipeline, play a tape through the whole line and in a backtest; exit code 1 if a difference is left unexplained.
    """
    from trimtab.cli.when import frame_or_time

    if [verify, what_if is not None, pipeline].count(True) != 1:
        allowed = "allowed: --verify, or --what-if FILE.yaml, or --pipeline."
        raise typer.BadParameter(f"says what to do; {allowed}", param_hint="--verify")
    if portfolio is not None and what_if is None:
        raise typer.BadParameter("says what --what-if is about; allowed: together with it.", param_hint="--portfolio")
    if pipeline:
        _require_only("--pipeline", {"--from": begin, "--to": end, "--archive": archive})
        _pipeline(tape, policy, speed, equity, folder, as_json=as_json)
        return
    changed = {"--speed": speed != _SPEED, "--equity": equity != _EQUITY}
    others: Mapping[str, object] = {"--tape": tape, "--policy": policy, "--folder": folder, **changed}
    _require_only("--verify" if verify else "--what-if", others)
    first, last = (
        frame_or_time(text, option) if text is not None else (None, None)
        for text, option in ((begin, "--from"), (end, "--to"))
    )
    if what_if is not None:
        from trimtab.cli.what_if import what_if as played

        played(what_if, portfolio, first, last, archive, as_json=as_json)
        return
    session, found = replayed(started(), first, last, archive)
    result(_document(session, found), as_json=as_json, readable=lambda: _show(session, found))
    if not found.holds:
        raise typer.Exit(DOES_NOT_HOLD)


def _require_only(action: str, others: Mapping[str, object]) -> None:
    for option, value in others.items():
        if value:
            raise typer.BadParameter(f"does not go with {action}.", param_hint=option)


def _pipeline(
    tape: list[Path] | None, policy: Path | None, speed: float, equity: float, folder: Path | None, *, as_json: bool
) -> None:
    from trimtab.cli.agreement import agreed, show

    for option, value in (("--tape", tape), ("--policy", policy)):
        if not value:
            raise typer.BadParameter("--pipeline needs it.", param_hint=option)
    assert tape is not None, "as has just been seen to"
    assert policy is not None, "as above"
    document, holds = agreed(tape, policy, speed, Decimal(str(equity)), folder)
    result(document, as_json=as_json, readable=lambda: show(document))
    if not holds:
        raise typer.Exit(DOES_NOT_HOLD)


def replayed(
    settings: "Settings", begin: "Asked" = (None, None), end: "Asked" = (None, None), archive: Path | None = None
) -> tuple["Session", "Parity"]:
    """Return a span of what is recorded, on the topics or in an archive, and what came of deciding it again.

    Raises:
        UnreachableError: if Kafka or the registry does not answer, or no full frame is kept.
        GoneError: if a frame of the span is not kept.
        InvalidValueError: if the folder is not an archive, or a damaged one.

    """
    from trimtab.cli.progress import frames_bar
    from trimtab.documents import parse_document
    from trimtab.replay.evidence import Evidence
    from trimtab.replay.parity import Replay

    with opened(settings, archive) as recorded, opened(settings, archive) as beside:
        evidence = Evidence(recorded, beside, settings.drift)
        session = evidence.session(begin, end)
        with frames_bar(session.first, session.last) as on_frame:
            replay = Replay(session, settings.drift, parse_document, evidence.encoded, evidence.again, on_frame)
            return session, replay.verify()


def opened(settings: "Settings", archive: Path | None) -> "AbstractContextManager[Recorded]":
    """Open what is recorded: on the topics, or in an archive."""
    if archive is not None:
        from trimtab.adapters.archive.recorded import open_archive

        return nullcontext(open_archive(archive))
    from trimtab.adapters.kafka.recorded import open_recorded

    return open_recorded(settings)


def _document(session: "Session", found: "Parity") -> dict[str, Any]:
    faults = [asdict(fault) for fault in found.faults[:_FAULTS_SHOWN_MAX]]
    return {"from": session.first, "to": session.last} | found.document() | {"faults": faults}


def _show(session: "Session", found: "Parity") -> None:
    from trimtab.replay.parity import KINDS

    counts = ", ".join(f"{found.count(kind)} {kind}" for kind in KINDS)
    say(
        f"frames {session.first} to {session.last}, {found.workers} workers: {found.matched} of {found.signals} signals"
        f" matched, {counts}; {found.unwatched} on frames that no journal vouches for"
    )
    if found.faults:
        cells = [
            (each.kind, each.portfolio_id, each.frame_offset, each.signal_id, each.detail)
            for each in found.faults[:_FAULTS_SHOWN_MAX]
        ]
        table("Differences", ("what", "portfolio", "frame", "signal", "why"), cells)
