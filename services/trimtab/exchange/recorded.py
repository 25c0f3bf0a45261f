"""A recorded market: raw Binance spot websocket recordings, one or several symbols, played on one clock.

A line is `<receive time in ns since 1970> <JSON>`: combined-stream messages of depth, bookTicker and trade, and once a
file the REST depth answer, which lies in the midst of the stream. Updates that came before it are kept, those it
already holds are dropped, and the symbol begins with the snapshot. Files of one symbol are played one after another in
the order of their times; a later file goes on without its snapshot if its updates join on, else its snapshot begins
the book anew.

Market time is receive time plus one constant, the offset of the recorder's clock against the venue's, taken from the
first dated event. Events keep the venue's own stamps.
"""

import gzip
import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Any

import orjson

from trimtab.exchange.instruments import Instrument, inferred, listed
from trimtab.exchange.market import DepthUpdate, Level, MarketEvent, Quote, Snapshot, Trade
from trimtab.exchange.tape_file import TapeError, opened

_HEAD_LINES_MAX = 100_000
_DATA = b'"data":'


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    symbol: str
    first_us: int
    snapshot_us: int
    skew_us: int
    instrument: Instrument


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Receive time (us) and JSON of each line.

    Raises TapeError at a line of another form, and at a file that is cut off.
    """
    with opened(path) as stream:
        try:
            for number, line in enumerate(stream, 1):
                time, space, payload = line.partition(b" ")
                if not space or not time.isdigit():
                    found = line[:40].decode("utf-8", "replace").rstrip()
                    raise TapeError(f"{path}:{number}: {found!r}; needed: nanoseconds, a space, JSON")
                yield int(time) // 1000, payload.rstrip()
        except (EOFError, gzip.BadGzipFile) as error:
            raise TapeError(f"{path}: {error}; needed: a whole gzip file or plain text") from error


def _parse(path: Path, payload: bytes) -> dict[str, Any]:
    try:
        parsed = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise TapeError(f"{path}: {error} in {payload[:60]!r}; needed: JSON") from error
    if not isinstance(parsed, dict):
        raise TapeError(f"{path}: {payload[:60]!r}; needed: a JSON object")
    return parsed


def _levels(pairs: Sequence[Sequence[str]]) -> tuple[Level, ...]:
    return tuple((Decimal(price), Decimal(size)) for price, size in pairs)


def _survey(path: Path) -> _File:
    """Symbol, times and rules of one file, read up to its snapshot."""
    symbol, skew_us, first_us = "", None, None
    for time_us, payload in islice(_lines(path), _HEAD_LINES_MAX):
        message = _parse(path, payload)
        first_us = time_us if first_us is None else first_us
        data = message.get("data", {})
        symbol = symbol or str(data.get("s", ""))
        if skew_us is None and "E" in data:
            skew_us = int(data["E"]) * 1000 - time_us
        if "lastUpdateId" in message and symbol:
            levels = _levels(message["bids"]) + _levels(message["asks"])
            try:
                rules = listed(symbol) or inferred(symbol, (p for p, _ in levels), (q for _, q in levels))
            except ValueError as error:
                raise TapeError(f"{path}: {error}") from error
            return _File(path, symbol, first_us, time_us, skew_us or 0, rules)
    raise TapeError(f"{path}: no REST depth answer in its first {_HEAD_LINES_MAX} lines; a book cannot begin")


class RecordedMarket:
    """Recordings as one market, of a file each; `symbols` narrows them down.

    Raises TapeError for a recording that cannot be played.
    """

    def __init__(self, paths: Iterable[Path], symbols: Iterable[str] = ()) -> None:
        wanted = frozenset(symbols)
        files = [_survey(path) for path in paths]
        self._by_symbol: dict[str, list[_File]] = {}
        for file in sorted(files, key=attrgetter("first_us")):
            if not wanted or file.symbol in wanted:
                self._by_symbol.setdefault(file.symbol, []).append(file)
        missing = wanted - self._by_symbol.keys()
        if missing or not self._by_symbol:
            held = ", ".join(sorted({file.symbol for file in files})) or "nothing"
            raise TapeError(f"the tape holds {held}; asked for {', '.join(sorted(wanted)) or 'any symbol'}")
        first = min((own[0] for own in self._by_symbol.values()), key=attrgetter("first_us"))
        self._skew_us = first.skew_us

    @cached_property
    def instruments(self) -> Mapping[str, Instrument]:
        """Trading rules by symbol: the listed ones, else inferred from the snapshot."""
        return {symbol: files[0].instrument for symbol, files in sorted(self._by_symbol.items())}

    @property
    def start_us(self) -> int:
        """Where every symbol has its book. What was recorded before is due at once."""
        return max(files[0].snapshot_us for files in self._by_symbol.values()) + self._skew_us

    @cached_property
    def end_us(self) -> int:
        """When the last line was received. It is found by reading everything."""
        files = [file for own in self._by_symbol.values() for file in own]
        return max(time_us for file in files for time_us, _ in _lines(file.path)) + self._skew_us

    def events(self) -> Iterator[MarketEvent]:
        """All events of all symbols in the order of their receive times."""
        replays = [_Replay(symbol, self._skew_us).events(files) for symbol, files in sorted(self._by_symbol.items())]
        return heapq.merge(*replays, key=attrgetter("time_us"))


class _Replay:
    """One symbol's files as one stream of events that begins with a snapshot."""

    def __init__(self, symbol: str, skew_us: int) -> None:
        self._symbol = symbol
        self._skew_us = skew_us
        self._last_id = 0
        self._synced = False
        self._held: list[DepthUpdate] = []

    def events(self, files: Sequence[_File]) -> Iterator[MarketEvent]:
        for file in files:
            joined = False
            for received_us, payload in _lines(file.path):
                time_us = received_us + self._skew_us
                message = _parse(file.path, payload)
                if "lastUpdateId" in message:
                    if not self._synced:
                        yield from self._begin(time_us, message)
                    continue
                event = self._event(time_us, message, payload)
                if isinstance(event, DepthUpdate):
                    if not joined:
                        self._synced = self._synced and event.first_id == self._last_id + 1
                        joined = True
                    if not self._synced:
                        self._held.append(event)
                        continue
                    self._last_id = event.last_id
                if event is not None and self._synced:
                    yield event

    def _begin(self, time_us: int, message: Mapping[str, Any]) -> Iterator[MarketEvent]:
        """The snapshot and those updates that it doesn't hold yet, due now."""
        last_id = int(message["lastUpdateId"])
        yield Snapshot(self._symbol, time_us, last_id, _levels(message["bids"]), _levels(message["asks"]))
        self._synced, self._last_id = True, last_id
        for held in self._held:
            if held.last_id > last_id:
                self._last_id = held.last_id
                yield DepthUpdate(
                    held.symbol, time_us, held.event_us, held.first_id, held.last_id, held.bids, held.asks, held.raw
                )
        self._held = []

    def _event(self, time_us: int, message: Mapping[str, Any], payload: bytes) -> MarketEvent | None:
        data = message.get("data")
        if not isinstance(data, dict) or data.get("s") != self._symbol:
            return None
        raw = payload[payload.index(_DATA) + len(_DATA) : -1]
        kind = data.get("e")
        if kind == "depthUpdate":
            bids, asks = _levels(data["b"]), _levels(data["a"])
            return DepthUpdate(self._symbol, time_us, data["E"] * 1000, data["U"], data["u"], bids, asks, raw)
        if kind == "trade":
            price, quantity = Decimal(data["p"]), Decimal(data["q"])
            return Trade(self._symbol, time_us, data["E"] * 1000, data["t"], price, quantity, data["m"], raw)
        if kind is None and "u" in data:
            sizes = Decimal(data["b"]), Decimal(data["B"]), Decimal(data["a"]), Decimal(data["A"])
            return Quote(self._symbol, time_us, data["u"], *sizes, raw)
        return None
