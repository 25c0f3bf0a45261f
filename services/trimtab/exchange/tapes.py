"""Tapes of every kind as one market: what a file is, and all of them on one clock.

What a file is shows in what it begins with: a raw Binance recording (recorded.py), bars (bar_market.py), or a level-2
recording of Coinbase (level2.py).
"""

import heapq
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Literal, Protocol

from trimtab.exchange.bar_market import BarMarket
from trimtab.exchange.bars import PRICES, TIMES, VOLUME, BarFile, is_parquet, survey
from trimtab.exchange.instruments import Instrument
from trimtab.exchange.level2 import ASKS, BIDS, MATCHES, RAW, RAW_COLUMNS, UPDATES, Level2Market
from trimtab.exchange.market import Market, MarketEvent
from trimtab.exchange.recorded import RecordedMarket
from trimtab.exchange.tape_file import TapeError, iso, opened

Kind = Literal["recording", "bars", "level2"]
KINDS: Mapping[Kind, str] = {
    "recording": "raw Binance recordings (lines of nanoseconds, a space, JSON; mostly .gz)",
    "bars": "bars (Parquet or CSV with date or timestamp, open, high, low, close, volume)",
    "level2": f"Coinbase level-2 recordings (a folder with {RAW}, or with {BIDS}, {ASKS}, {UPDATES} and {MATCHES})",
}
"""What can be played, in words."""

_NEEDED = f"needed: one of {'; '.join(KINDS.values())}"

_SUFFIXES = (".gz", ".csv", ".parquet")  # of what is played in a folder; what else lies there is passed over
_LINE_MAX = 4096


class TapeMarket(Market, Protocol):
    """A market from files, which ends."""

    @property
    def end_us(self) -> int:
        """Market time of the last event, or later."""
        ...


def kind_of(path: Path) -> Kind:
    """What a file is, or a folder that is one recording.

    Raises TapeError naming the kinds there are.
    """
    if _is_level2(path):
        return "level2"
    try:
        if is_parquet(path):
            return "bars"
        with opened(path) as stream:
            line = stream.readline(_LINE_MAX)
    except (EOFError, OSError, zlib.error) as error:
        raise TapeError(f"{path}: {error}; {_NEEDED}") from error
    names = {name.strip().lower() for name in line.decode("utf-8-sig", "replace").split(",")}
    if names >= {*PRICES, VOLUME} and names & {*TIMES}:
        return "bars"
    if names >= {*RAW_COLUMNS}:
        return "level2"
    time, _, rest = line.partition(b" ")
    if time.isdigit() and rest.startswith(b"{"):
        return "recording"
    raise TapeError(f"{path}:1: {line[:60].decode('utf-8', 'replace').rstrip()!r}; {_NEEDED}")


def by_kind(tapes: Iterable[Path]) -> Mapping[Kind, Sequence[Path]]:
    """What of some tapes, which are files or folders, is to be played; only kinds that there are.

    Raises TapeError for what is of no kind, and for a folder without any.
    """
    found: dict[Kind, list[Path]] = {}
    for tape in tapes:
        for path in _played(tape):
            found.setdefault(kind_of(path), []).append(path)
    return found


def open_tapes(tapes: Iterable[Path], symbols: Iterable[str] = (), seed: int = 0) -> TapeMarket:
    """One market of all tapes, which are files or folders; `symbols` narrows it down, `seed` is that of bars.

    Raises TapeError for a tape that cannot be played, or cannot be together with the others.
    """
    found = by_kind(tapes)
    markets: list[TapeMarket] = [Level2Market(path) for path in found.get("level2", ())]
    bars: dict[str, list[BarFile]] = {}
    for path in found.get("bars", ()):
        file = survey(path)
        bars.setdefault(file.base + file.quote, []).append(file)
    markets += [BarMarket(files, seed) for _, files in sorted(bars.items())]
    recordings = found.get("recording", ())
    if recordings:
        markets.append(RecordedMarket(recordings))
    held = sorted(symbol for market in markets for symbol in market.instruments)
    wanted = {*symbols} or {*held}
    if not wanted <= {*held}:
        raise TapeError(f"the tape holds {', '.join(held)}; asked for {', '.join(sorted(wanted))}")
    chosen: list[TapeMarket] = []
    for market in markets:
        own = wanted & market.instruments.keys()
        if own:  # only recordings hold several symbols
            chosen.append(market if own == market.instruments.keys() else RecordedMarket(recordings, own))
    whole = chosen[0] if len(chosen) == 1 else CombinedMarket(chosen)
    for market in chosen:
        _ = market.end_us  # found by reading to the end: what is wrong with a tape is known before it plays
    return whole


class CombinedMarket:
    """Several markets on one clock, each with symbols of its own. It begins where all of them have a book.

    Raises TapeError for markets that have a symbol in common, or of which one is over before another has begun.
    """

    def __init__(self, markets: Sequence[TapeMarket]) -> None:
        self._markets = markets
        self.instruments: dict[str, Instrument] = {}
        for market in markets:
            for symbol, rules in market.instruments.items():
                if symbol in self.instruments:
                    raise TapeError(f"{symbol}: on tapes of two kinds; needed: one tape for a symbol")
                self.instruments[symbol] = rules
        last = max(markets, key=attrgetter("start_us"))
        self.start_us = int(last.start_us)
        for market in markets:
            if market.end_us <= self.start_us:
                raise TapeError(
                    f"{_named(market)}: ends at {iso(market.end_us)}, before {_named(last)} begins at "
                    f"{iso(self.start_us)}; needed: tapes of one time"
                )

    @property
    def end_us(self) -> int:
        """When the last of them ends."""
        return max(int(market.end_us) for market in self._markets)

    def events(self) -> Iterator[MarketEvent]:
        """The events of all, in the order of their times."""
        return heapq.merge(*(market.events() for market in self._markets), key=attrgetter("time_us"))


def _named(market: TapeMarket) -> str:
    return ", ".join(sorted(market.instruments))


def _is_level2(path: Path) -> bool:
    """Whether a folder is a level-2 recording."""
    return any((path / name).is_file() for name in (RAW, UPDATES))


def _played(tape: Path) -> list[Path]:
    """What of a tape is played: itself, or what lies in it."""
    try:
        if not tape.exists():
            raise TapeError(f"{tape}: no such file or folder")
        if tape.is_file() or _is_level2(tape):
            return [tape]
        files = sorted(path for path in tape.iterdir() if path.suffix in _SUFFIXES and path.is_file())
    except OSError as error:
        raise TapeError(f"{tape}: {error.strerror}; needed: a file or folder that can be read") from error
    if not files:
        raise TapeError(f"{tape}: a folder without {', '.join(_SUFFIXES)}; {_NEEDED}")
    return files
