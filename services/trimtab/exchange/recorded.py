"""A recorded market: raw Binance spot websocket recordings, one or several symbols, played on one clock.

A line is `<receive time in ns since 1970> <JSON>`: combined-stream messages of depth, bookTicker and trade, and once a
file the REST depth answer, which lies in the midst of the stream. Updates that came before it are kept, those it
already holds are dropped, and the symbol begins with the snapshot. Files of one symbol are played one after another in
the order of their times. Where updates are missing, in a file or between two, the market stands still until a newer
snapshot begins the book anew; what is told twice, by its numbers, is dropped the second time.

Market time is receive time plus one constant, the offset of the recorder's clock against the venue's, taken from the
first dated event. Events keep the venue's own stamps.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from operator import attrgetter
from pathlib import Path

from trimtab.exchange.frames import Frame, frames
from trimtab.exchange.instruments import Instrument, finest, inferred, listed
from trimtab.exchange.market import DepthUpdate, MarketEvent, Quote, Trade
from trimtab.exchange.tape_file import BEHIND_US_MAX, TapeError, iso

_HEAD_LINES_MAX = 100_000
_SKEW_US_MAX = 86_400_000_000  # between recorder and venue: more is a time that was not counted in nanoseconds
_HOLE_US_MAX = 60_000_000  # how long the market may stand still after updates that are missing


Note = Callable[[str, str, int, str], None]
"""Hears of what is mended: "gap", "duplicate" or "disorder", of which symbol, its market time (us), and where it is."""


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    symbol: str
    first_us: int
    snapshot_us: int
    skew_us: int
    instrument: Instrument


def _survey(path: Path) -> _File:
    """Symbol, times and rules of one file, read until they are known."""
    symbol, skew_us, first_us = "", None, None
    snapshot: Frame | None = None
    for frame in islice(frames(path), _HEAD_LINES_MAX):
        first_us = frame.received_us if first_us is None else first_us
        symbol = symbol or ("" if frame.data is None else frame.data["s"])
        if skew_us is None and (event_ms := frame.event_ms) is not None:
            skew_us = event_ms * 1000 - frame.received_us
            if abs(skew_us) > _SKEW_US_MAX:
                raise TapeError(
                    f"{frame.place}: received at {iso(frame.received_us)}, with E {event_ms}; "
                    "needed: nanoseconds since 1970 that differ from E (milliseconds) by a day at most"
                )
        if snapshot is None and frame.is_snapshot:
            snapshot = frame
        if symbol and snapshot is not None:
            return _File(path, symbol, first_us, snapshot.received_us, skew_us or 0, _rules(snapshot, symbol))
    raise TapeError(
        f"{path}: no REST depth answer and message that names a symbol in its first {_HEAD_LINES_MAX} lines; "
        "a book cannot begin"
    )


def _rules(frame: Frame, symbol: str) -> Instrument:
    """The listed rules, tick and step made finer where the snapshot needs it; else the finest of the snapshot."""
    book = frame.snapshot(symbol, 0)
    prices, sizes = zip(*book.bids, *book.asks, strict=True)
    try:
        rules = listed(symbol) or inferred(symbol, prices, sizes)
    except ValueError as error:
        raise TapeError(f"{frame.place}: {error}") from error
    return replace(rules, tick=min(rules.tick, finest(prices)), step=min(rules.step, finest(sizes)))


class RecordedMarket:
    """Recordings as one market, of a file each; `symbols` narrows them down. `note` is told while events are drawn.

    Raises TapeError for a recording that cannot be played.
    """

    def __init__(
        self,
        paths: Iterable[Path],
        symbols: Iterable[str] = (),
        note: Note = lambda _kind, _symbol, _time, _where: None,
    ) -> None:
        self._note = note
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
        """When the last event is due. It is found by reading everything.

        Raises TapeError for what `events` would come upon.
        """
        return max(event.time_us for event in self.events())

    def events(self) -> Iterator[MarketEvent]:
        """All events of all symbols in the order of their receive times."""
        replays = [
            _Replay(symbol, self._skew_us, self._note).events(files)
            for symbol, files in sorted(self._by_symbol.items())
        ]
        return heapq.merge(*replays, key=attrgetter("time_us"))


class _Replay:
    """One symbol's files as one stream of events that begins with a snapshot."""

    def __init__(self, symbol: str, skew_us: int, note: Note) -> None:
        self._symbol = symbol
        self._note = note
        self._skew_us = skew_us
        self._time_us = 0
        self._last_id: int | None = None  # None before the first book
        self._update_id = self._quote_id = self._trade_id = -1
        self._synced = False
        self._held: list[DepthUpdate] = []
        self._hole = ""  # where updates are missing, while no newer book has come
        self._hole_us = 0

    def events(self, files: Sequence[_File]) -> Iterator[MarketEvent]:
        """The events of the files.

        Raises TapeError.
        """
        for file in files:
            for frame in frames(file.path):
                yield from self._frame(frame, self._due(frame))
        if self._hole:
            raise self._no_book()

    def _due(self, frame: Frame) -> int:
        time_us = frame.received_us + self._skew_us
        if time_us < self._time_us - BEHIND_US_MAX:
            before = iso(self._time_us - self._skew_us)
            raise TapeError(f"{frame.place}: time {iso(frame.received_us)} after {before}; needed: times that rise")
        if time_us < self._time_us:
            self._note("disorder", self._symbol, self._time_us, f"{frame.place}: time {iso(frame.received_us)}")
        self._time_us = max(self._time_us, time_us)
        return self._time_us

    def _frame(self, frame: Frame, time_us: int) -> Iterator[MarketEvent]:
        if frame.is_snapshot:
            if not self._synced:
                yield from self._begin(frame, time_us)
            return
        if frame.data is not None and frame.data["s"] != self._symbol:
            raise TapeError(f"{frame.place}: symbol {frame.data['s']} after {self._symbol}; needed: one symbol a file")
        event = frame.event(time_us)
        if isinstance(event, DepthUpdate) and not self._follows(event, frame.place):
            self._hold(event)
        elif event is not None and self._synced:
            if self._is_new(event):
                yield event
            else:
                self._note("duplicate", self._symbol, time_us, frame.place)

    def _follows(self, update: DepthUpdate, place: str) -> bool:
        """Whether nothing is missing before an update."""
        if self._synced and self._last_id is not None and update.first_id > self._last_id + 1:
            self._synced = False
            self._hole = f"{place}: update {update.first_id} after {self._last_id}, what lies between is missing"
            self._hole_us = update.time_us
            self._note("gap", self._symbol, update.time_us, self._hole)
        return self._synced

    def _hold(self, update: DepthUpdate) -> None:
        """Keep an update for the book that is to come."""
        if self._hole and update.time_us > self._hole_us + _HOLE_US_MAX:
            raise self._no_book()
        self._held.append(update)

    def _no_book(self) -> TapeError:
        return TapeError(f"{self._hole}; needed: a REST depth answer within {_HOLE_US_MAX / 1e6:g} s after a hole")

    def _is_new(self, event: DepthUpdate | Quote | Trade) -> bool:
        """Whether it has not been told before: who records over two connections has everything twice."""
        if isinstance(event, DepthUpdate):
            # (One that the book holds already but nobody was told of is passed on, as the venue does.)
            before, self._update_id = self._update_id, max(self._update_id, event.last_id)
            self._last_id = max(self._last_id or 0, event.last_id)
            return event.last_id > before
        if isinstance(event, Quote):
            before, self._quote_id = self._quote_id, max(self._quote_id, event.update_id)
            return event.update_id > before
        before, self._trade_id = self._trade_id, max(self._trade_id, event.trade_id)
        return event.trade_id > before

    def _begin(self, frame: Frame, time_us: int) -> Iterator[MarketEvent]:
        """The snapshot and those updates that it doesn't hold yet, due now; nothing if updates between are missing."""
        snapshot = frame.snapshot(self._symbol, time_us)
        last_id, newer = snapshot.last_id, []
        for held in self._held:
            if held.last_id > last_id:
                if held.first_id > last_id + 1:
                    if self._last_id is not None:  # a hole, which a newer snapshot may still mend
                        return
                    raise TapeError(
                        f"{frame.place}: a book of update {last_id}, then update {held.first_id}; "
                        "needed: every update after the book's"
                    )
                last_id = held.last_id
                newer.append(replace(held, time_us=time_us))
        yield snapshot
        self._update_id = max((held.last_id for held in self._held), default=self._update_id)
        self._synced, self._last_id, self._held, self._hole = True, last_id, [], ""
        yield from newer
