"""`trimtab replay --pipeline`: the real line on a tape, held against the engine of backtests on the same tape."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab.cli.options import require_embedded
from trimtab.cli.output import say, table
from trimtab.cli.start import started
from trimtab.domain.errors import InvalidValueError

if TYPE_CHECKING:
    from trimtab.agreement.comparison import Tolerance
    from trimtab.agreement.differences import Agreement
    from trimtab.agreement.engine import Start
    from trimtab.backtest.tape import Tape
    from trimtab.demo.stage import Stage
    from trimtab.embedded.events import Event
    from trimtab.portfolio_file import Document
    from trimtab.replay.parity import Parity
    from trimtab.settings import Settings

_VENUE = "binance"  # what the line calls the simulated exchange


@dataclass(frozen=True)
class Both:
    """What is to be played both ways: a portfolio on a tape, begun on target with so much (quote currency)."""

    tapes: Sequence[Path]
    tape: "Tape"
    document: "Document"
    equity: Decimal
    speed: float
    settings: "Settings"
    tolerance: "Tolerance"

    def played(self, home: Path) -> tuple["Agreement", "Parity"]:
        """Play the line below this folder, then the engine, and compare; also decide again all that was recorded."""
        from trimtab.adapters.archive.recorded import open_archive
        from trimtab.agreement.held import held_against
        from trimtab.cli.progress import tape_bar
        from trimtab.cli.replay import replayed
        from trimtab.exchange.journal import read_journal

        start = self._performed(home)
        journal = read_journal(home / "exchange.journal")
        _, parity = replayed(self.settings, archive=home / "archive")
        say("the engine plays the tape")
        with tape_bar(self.tape.market.start_us, self.tape.end_us) as on_time:
            recorded = open_archive(home / "archive")
            found = held_against(recorded, journal, self.tape, start, self.settings, self.tolerance, on_time)
        return found, parity

    def _performed(self, home: Path) -> "Start":
        """Let the line play the tape and keep its topics as an archive; return what it began with."""
        from trimtab.adapters.logs import configure_logs
        from trimtab.demo.stage import MarketChoice, Stage
        from trimtab.settings import LogSettings

        log = home / "logs" / "replay.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        tuning = {name: getattr(self.settings, name).model_dump(mode="json") for name in ("drift", "executor")}
        with log.open("a") as stream:
            configure_logs(LogSettings(format="console"), "replay", stream=stream)
            stage = Stage(home, MarketChoice(self.tapes, speed=self.speed), tuning=tuning, on_event=_tell)
            try:
                return self._on(stage)
            finally:
                stage.stop()

    def _on(self, stage: "Stage") -> "Start":
        import asyncio

        from trimtab.agreement.engine import Start
        from trimtab.backtest.fees import Fees
        from trimtab.cli.progress import tape_bar
        from trimtab.cli.record import recorded_in
        from trimtab.demo.cast import QUOTE, Cast
        from trimtab.demo.performance import Performance
        from trimtab.topics import TOPICS

        sim, name = stage.start_exchange(), self.document.portfolio
        prices = {symbol.removesuffix(QUOTE): mid for symbol, mid in sim.prices().items()}
        cast = Cast.of({Path(name): self.document}, frozenset(prices), self.equity, on_target=True)
        with tape_bar(self.tape.market.start_us, self.tape.end_us) as on_time:
            settings = asyncio.run(Performance(stage, cast, prices, on_time).run())
        recorded_in(settings, stage.folder / "archive", (None, None), (None, None), list(TOPICS))
        fees = Fees()  # what an account of the simulated exchange is charged unless something else is asked for
        return Start(name, cast.documents[name], self.document.quote, cast.deposits(prices)[name], _VENUE, fees)


def agreed(
    tapes: Sequence[Path], policy: Path, speed: float, equity: Decimal, folder: Path | None
) -> tuple[dict[str, Any], bool]:
    """Play a tape both ways; return what came of it as JSON has it, and whether nothing is left unexplained.

    Raises:
        ConfigurationError: if the portfolio does not hold, or cannot be played so.
        InvalidValueError: if the tape has no market for it, or breaks.
        UnplayableError: if the tape cannot be played.
        UnreachableError: if a part does not come up.
    """
    require_embedded()
    from trimtab.agreement.comparison import Tolerance
    from trimtab.backtest.tape import open_tape
    from trimtab.cli.demo import require_recordings
    from trimtab.demo.environment import require_own_environment

    document = _fit(policy)
    require_recordings(list(tapes))
    tape = open_tape(tapes)
    _require_listed(policy, document, tape)
    both = Both(tuple(tapes), tape, document, equity, speed, started(), Tolerance())
    require_own_environment()
    if folder is not None:
        found, parity = both.played(folder)
    else:
        with tempfile.TemporaryDirectory(prefix="trimtab-replay-") as made:
            found, parity = both.played(Path(made))
    return _document(both, found, parity), found.holds and parity.holds


def _fit(policy: Path) -> "Document":
    """Read the portfolio, with one account of its own name, trading for real."""
    from trimtab.backtest.variants import document_of
    from trimtab.configuration import ConfigurationError
    from trimtab.demo.cast import unfit
    from trimtab.documents import canonical, load_document

    asked = load_document(policy)
    own = {"accounts": [asked.portfolio], "dry_run": False}
    document = document_of({**json.loads(canonical(asked)), **own}, str(policy))
    if problems := list(unfit(document)):
        raise ConfigurationError(str(policy), problems)
    return document


def _require_listed(policy: Path, document: "Document", tape: "Tape") -> None:
    listed = {rules.base for rules in tape.instruments.values() if rules.quote == document.quote}
    for asset in sorted(document.assets - {document.quote} - listed):
        pairs = ", ".join(sorted(f"{base}/{document.quote}" for base in listed))
        raise InvalidValueError(
            f"{policy}: targets.{asset}", f"{asset}/{document.quote}", f"what is on the tape: {pairs}"
        )


def _tell(event: "Event") -> None:
    if event.kind != "download":
        say(f"{event.part}: {event.text}")


def _document(both: Both, found: "Agreement", parity: "Parity") -> dict[str, Any]:
    from trimtab.demo.measures import percentile
    from trimtab.drift.explanation import time_text

    lags = [lag / 1_000 for lag in found.lags_us]
    differences = [asdict(each) | {"at": time_text(each.at_us)} for each in found.differences]
    return {
        "portfolio": both.document.portfolio,
        "tape": {
            "symbols": sorted(both.tape.instruments),
            "from": time_text(both.tape.market.start_us),
            "to": time_text(both.tape.end_us),
        },
        "speed": both.speed,
        "tolerance_ms": {
            "signals": both.tolerance.signals_us / 1_000,
            "arrival": both.tolerance.arrival_us / 1_000,
        },
        **found.document(),
        "frame_to_venue_ms": {
            "p50": percentile(lags, 0.5),
            "p99": percentile(lags, 0.99),
            "max": max(lags, default=None),
        },
        "replay": parity.document(),
        "agrees": found.holds and parity.holds,
        "differences": differences,
    }


def show(document: dict[str, Any]) -> None:
    """Print what came of it for a person: what agrees, then each difference with its causes."""
    tape, tolerance = document["tape"], document["tolerance_ms"]
    say(
        f"{', '.join(tape['symbols'])}: {tape['from']} to {tape['to']}, played at {document['speed']:g} times its speed"
    )
    say(
        f"signals are paired within {tolerance['signals']:g} ms of market time; an order is the same if it took as long"
        f" from its signal's frame to the venue within {tolerance['arrival']:g} ms"
    )
    columns = ("what", "pipeline", "engine", "equal", "explained", "unexplained", "causes")
    rows = []
    for kind in ("signals", "orders", "fills"):
        row = document[kind]
        causes = ", ".join(f"{name} {count}" for name, count in row["causes"].items())
        rows.append((kind, *(row[name] for name in columns[1:-1]), causes or "-"))
    table("agreement", columns, rows)
    cells = [
        (
            each["at"],
            each["kind"],
            each["pipeline"],
            each["engine"],
            "\n".join(f"{cause['name']}: {cause['evidence']}" for cause in each["causes"]),
        )
        for each in document["differences"]
    ]
    if cells:
        table("differences", ("at", "what", "pipeline", "engine", "why"), cells)
    again, lags = document["replay"], document["frame_to_venue_ms"]
    say(f"{again['matched']} of {again['signals']} signals of the pipeline come out again from its own records")
    if lags["p50"] is not None:
        say(f"from frame to venue: {lags['p50']:.1f} ms at the median, {lags['max']:.1f} ms at most")
