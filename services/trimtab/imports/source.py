"""Files of one format as one stream of market events, read by the exchange's own readers."""

import heapq
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Final, Literal, TypeVar

from trimtab.domain import instruments as domain
from trimtab.exchange.bar_market import BarMarket
from trimtab.exchange.bars import BarFile, survey
from trimtab.exchange.instruments import Instrument
from trimtab.exchange.level2 import Level2Market
from trimtab.exchange.market import MarketEvent
from trimtab.exchange.recorded import RecordedMarket
from trimtab.exchange.tape_file import TapeError
from trimtab.exchange.tapes import KINDS, Kind, TapeMarket, by_kind
from trimtab.imports.errors import ImportRefusedError
from trimtab.imports.findings import GAP, Findings

Format = Literal["ohlcv", "binance-ws", "coinbase-l2"]
FORMATS: Final[Mapping[str, tuple[Kind, str, Decimal]]] = {
    # format: what it is to the exchange, its venue, the venue's lowest tier of fees
    "ohlcv": ("bars", "binance", Decimal("0.001")),
    "binance-ws": ("recording", "binance", Decimal("0.001")),
    "coinbase-l2": ("level2", "coinbase", Decimal("0.006")),
}
SILENCE_US: Final = 60_000_000
"""A recorded book that says nothing for so long is taken away; one of bars after the length of a bar."""

T = TypeVar("T")
_BROKEN = (KeyError, IndexError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError, EOFError)


@dataclass(frozen=True, slots=True)
class Source:
    """What is imported: events in the order of their times, and by symbol the rules and the silence that is a gap.

    `span_us` are the market times of the first event and the last. `holes` are places (symbol, market time) where
    updates of a book are missing; each is appended when it is come upon.
    """

    markets: Sequence[TapeMarket]
    span_us: tuple[int, int]
    holes: list[tuple[str, int]]
    instruments: Mapping[str, domain.Instrument]
    silences_us: Mapping[str, int]

    def events(self) -> Iterator[MarketEvent]:
        """Yield all of it.

        Raises:
            ImportRefusedError: at the first thing that cannot be read and is no finding.

        """
        with _Refusing():
            yield from heapq.merge(*(market.events() for market in self.markets), key=attrgetter("time_us"))


def opened(kind: str, tapes: Sequence[Path], findings: Findings, venue: str | None = None) -> Source:
    """Open files or folders of one format; rows of bars that cannot be played are found and passed over.

    Raises:
        ImportRefusedError: if they are not of this format, or cannot be played together.

    """
    wanted, usual, fee = FORMATS[kind]
    with _Refusing():
        found = by_kind(tapes)
        for other, paths in found.items():
            if other != wanted:
                raise TapeError(f"{paths[0]}: {KINDS[other]}; needed for {kind}: {KINDS[wanted]}")
        paths, silences, holes = found.get(wanted, ()), dict[str, int](), list[tuple[str, int]]()
        markets: list[TapeMarket] = []
        match wanted:
            case "bars":
                for files in _by_pair(paths, findings):
                    market = BarMarket(files, refuse=lambda _kind, _error: None)  # the survey has noted them
                    markets.append(market)
                    silences |= dict.fromkeys(market.instruments, files[0].length_us)
            case "recording":
                markets.append(RecordedMarket(paths, note=partial(_heard, findings, holes)))
            case _:
                markets += [Level2Market(path) for path in paths]
        rules = [item for market in markets for item in market.instruments.values()]
        names = [item.symbol for item in rules]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise TapeError(f"{', '.join(twice)}: several recordings; needed: one of each symbol")
        # (A recording is read whole for its end; what is wrong with it is to be noted when it is imported, and once.)
        measured = [RecordedMarket(paths)] if wanted == "recording" else markets
        return Source(
            markets,
            (min(market.start_us for market in measured), max(market.end_us for market in measured)),
            holes,
            {item.symbol: _instrument(item, venue or usual, fee) for item in rules},
            {item.symbol: silences.get(item.symbol, SILENCE_US) for item in rules},
        )


def _by_pair(paths: Sequence[Path], findings: Findings) -> Sequence[Sequence[BarFile]]:
    """Look through files of bars, noting rows that cannot be played; those of one pair together."""
    refuse: Callable[[str, TapeError], None] = partial(_noted, findings)
    pairs: dict[str, list[BarFile]] = {}
    for path in paths:
        file = survey(path, refuse)
        pairs.setdefault(f"{file.base}/{file.quote}", []).append(file)
    return [files for _, files in sorted(pairs.items())]


def _heard(findings: Findings, holes: list[tuple[str, int]], kind: str, symbol: str, time_us: int, where: str) -> None:
    findings.note(kind, f"{symbol}: {where}")
    if kind == GAP:
        holes.append((symbol, time_us))


def _noted(findings: Findings, kind: str, error: TapeError) -> None:
    findings.note(kind, str(error))


def _instrument(rules: Instrument, venue: str, fee: Decimal) -> domain.Instrument:
    return domain.Instrument(
        venue,
        f"{rules.base}/{rules.quote}",
        rules.base,
        rules.quote,
        rules.tick,
        rules.step,
        min_quantity=rules.step,
        min_notional=rules.min_notional,
        maker_fee=fee,
        taker_fee=fee,
    )


class _Refusing:
    """Turns what the readers raise into ImportRefusedError."""

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, TapeError):
            raise ImportRefusedError(str(error)) from None
        if isinstance(error, (*_BROKEN, zlib.error)):
            what = " ".join(f"{type(error).__name__}: {error}".split())
            raise ImportRefusedError(f"a recording that is not in its format ({what})") from None
