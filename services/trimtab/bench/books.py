"""One threshold portfolio through recorded order books: the ordinary backtest against nautilus_trader's.

Both hear of the same depth updates one by one, keep both symbols' books, look at all weights after each, and bring
everything back to its target, at what stands in the book, when one is off by a bound; nobody pays a fee, nothing takes
time. Updates are read, and made each one's own, beforehand. Times are of the processor, in rounds that take turns.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib import metadata
from pathlib import Path

from trimtab.backtest.fees import Fees
from trimtab.backtest.field import contestants
from trimtab.backtest.shown import Shown
from trimtab.backtest.tape import Tape, open_tape
from trimtab.backtest.terms import Pace, Terms
from trimtab.backtest.variants import document_of
from trimtab.backtest.world import World
from trimtab.bench.row import Against, Row
from trimtab.bench.value.measure import Findings
from trimtab.demo.measures import percentile
from trimtab.domain.amounts import floor_to, plain
from trimtab.domain.errors import TrimtabError
from trimtab.exchange.market import DepthUpdate, Snapshot
from trimtab.portfolio_file import Document
from trimtab.settings import DriftSettings, ExecutorSettings

GOAL = 1.0  # of nautilus_trader's time
BOUND = Decimal("0.0001")  # of equity
TARGETS = {"BTC": Decimal("0.5"), "ETH": Decimal("0.3"), "USDT": Decimal("0.2")}
_QUOTE, _EQUITY = "USDT", Decimal(1_000_000)
_NAME, _UNIT = "books.threshold", "us an update"
_ROUNDS = 3
_PACE = Pace(frame_us=1, beat_us=100_000, score_us=1_000_000, stands=False)
_AT_ONCE = ExecutorSettings(patience_seconds=1e-9, depth_share_max=Decimal(1))  # takes what stands there
_FREE = Fees(Decimal(0), Decimal(0))

Update = Snapshot | DepthUpdate


class BooksError(TrimtabError):
    """The library to compare with, or the recording, is not there."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Processor seconds, updates heard of, rebalances; traded notional and equity in the end (quote currency)."""

    seconds: float
    updates: int
    rebalances: int
    traded: float
    equity: float


@dataclass(frozen=True, slots=True)
class Recording:
    """The depth updates of a tape, in order; what everybody begins with, by asset; mids by asset after the last one."""

    tape: Tape
    updates: tuple[Update, ...]
    start: Mapping[str, Decimal]
    mids: Mapping[str, float]

    @classmethod
    def read(cls, folder: Path) -> "Recording":
        """Read the recordings of BTC and ETH against USDT.

        Raises:
            BooksError: if they are not there.
            UnplayableError: if they cannot be played.

        """
        if not folder.is_dir():
            raise BooksError(f"recorded books: needs {folder}, which is not there")
        tape = open_tape([folder])
        return cls.of(tape, tuple(event for event in tape.events() if isinstance(event, Snapshot | DepthUpdate)))

    @classmethod
    def of(cls, tape: Tape, updates: tuple[Update, ...]) -> "Recording":
        """Return the recording with what follows from its updates."""
        shown, start = tape.shown(_FREE), dict[str, Decimal]()
        for update in updates:
            shown.take(update)
            if not start and shown.complete:
                start = _start(shown)
        return cls(tape, updates, start, {asset: float(_mid(shown, asset)) for asset in TARGETS if asset != _QUOTE})

    def equity(self, holdings: Mapping[str, Decimal] | Mapping[str, float]) -> float:
        """Return what this is worth in the end."""
        return sum(float(held) * self.mids.get(asset, 1.0) for asset, held in holdings.items())


def measure(folder: Path) -> Findings:
    """Return the rows; without nautilus_trader or recordings theirs have no value, and a note says what is missing."""
    try:
        version, recording = _version(), Recording.read(folder)
    except BooksError as error:
        return Findings([Row(_NAME, None, _UNIT, goal=GOAL)], [str(error)])
    from trimtab.bench.nautilus import Peer  # noqa: PLC0415 - only this benchmark needs it

    peer = Peer(recording.tape.instruments, recording.updates)
    weights = {asset: float(weight) for asset, weight in TARGETS.items()}
    mine, other = [], []
    for _ in range(_ROUNDS):
        mine.append(ours(recording))
        found = peer.run(recording.start, weights, float(BOUND))
        equity = recording.equity(found.holdings)
        other.append(Outcome(found.seconds, found.updates, found.rebalances, found.traded, equity))
    return Findings(_rows(mine, other, f"nautilus_trader {version}"), [])


def ours(recording: Recording) -> Outcome:
    """Return what the ordinary backtest does, all of its parts at work but the risk estimate, which nobody asks for."""
    terms = Terms(_EQUITY, _FREE, DriftSettings(), _AT_ONCE, _PACE, estimate=False)
    (contestant,) = contestants(_document(), [])
    world = World([contestant.entrant], recording.tape.shown(_FREE), terms)
    heard = 0

    def updates() -> Iterator[Update]:
        nonlocal heard
        for update in recording.updates:
            heard += 1
            yield update

    began = time.process_time()
    (outcome,) = asyncio.run(world.play(updates(), lambda _: None))
    seconds = time.process_time() - began
    bill, equity = outcome.bill, recording.equity(outcome.holdings)
    return Outcome(seconds, heard, bill.signals, float(bill.traded), equity)


def _rows(mine: Sequence[Outcome], other: Sequence[Outcome], peer: str) -> list[Row]:
    ours, theirs = mine[0], other[0]
    least, most = (percentile([each.seconds for each in runs], 0.5) or 0.0 for runs in (mine, other))
    each, by = 1e6 / ours.updates, f"by {peer}"
    return [
        Row(_NAME, least * each, _UNIT, Against(peer, most * each), GOAL),
        Row(f"{_NAME}.updates", ours.updates, "", Against(by, theirs.updates)),
        Row(f"{_NAME}.rebalances", ours.rebalances, "", Against(by, theirs.rebalances)),
        Row(f"{_NAME}.traded", ours.traded, _QUOTE, Against(by, theirs.traded)),
        Row(f"{_NAME}.equity", ours.equity, _QUOTE, Against(by, theirs.equity)),
    ]


def _version() -> str:
    try:
        return metadata.version("nautilus_trader")
    except metadata.PackageNotFoundError:
        raise BooksError("recorded books: needs nautilus_trader (pip install 'trimtab[nautilus]')") from None


def _document() -> Document:
    """Return the portfolio, with no brake on it."""
    return document_of(
        {
            "portfolio": "books",
            "quote": _QUOTE,
            "targets": {asset: plain(weight) for asset, weight in TARGETS.items()},
            "policy": {"kind": "threshold", "absolute": plain(BOUND)},
            "limits": {
                "min_trade": "5",
                "max_trade_share": "1",
                "signals_per_hour": 3_600,
                "slippage_budget_spreads": "100",
            },
        }
    )


def _start(shown: Shown) -> dict[str, Decimal]:
    """Return whole steps of every asset at its mid, the rest as cash, as the backtest's deposits are."""
    found, cash = dict[str, Decimal](), _EQUITY
    for asset, weight in TARGETS.items():
        if asset != _QUOTE:
            mid = _mid(shown, asset)
            found[asset] = floor_to(_EQUITY * weight / mid, shown.step_of(f"{asset}/{_QUOTE}"))
            cash -= found[asset] * mid
    return {**found, _QUOTE: cash}


def _mid(shown: Shown, asset: str) -> Decimal:
    mid = shown.mid_of(f"{asset}/{_QUOTE}")
    if mid is None:
        raise BooksError(f"recorded books: needs {asset}{_QUOTE}, of which there is no book")
    return mid
