"""A market of a level-2 recording of Coinbase: one product's book and matches, as its feed told them.

A recording is `raw_mongo_input.csv`, which holds every message in order of arrival, or a folder with
`snapshot_bids.csv`, `snapshot_asks.csv`, `l2update.csv` and `match.csv`. What such a recording lacks is made here:

- **Ids.** Updates bear no numbers: every changed level is numbered here, from 1 on. What got lost cannot be seen.
- **The snapshot's time.** It has none, and is dated at the first update.
- **Quotes.** The best bid and ask are told whenever an update has changed them.

A price is written in two ways, `8042.9` and `8042.90000000`: as numbers they are one level.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from operator import attrgetter
from pathlib import Path

import orjson

from trimtab.exchange.book import ZERO, Book
from trimtab.exchange.instruments import MIN_UNIT, Instrument, finest, known
from trimtab.exchange.market import DepthUpdate, Level, MarketEvent, Quote, Snapshot, Trade
from trimtab.exchange.tape_file import TapeError, iso, moment_us, number, table

RAW = "raw_mongo_input.csv"
RAW_COLUMNS = ("type", "product_id", "time", "bids", "asks", "changes", "side", "price", "size", "trade_id")
UPDATES, MATCHES, BIDS, ASKS = "l2update.csv", "match.csv", "snapshot_bids.csv", "snapshot_asks.csv"
UPDATE_COLUMNS = ("side", "price", "size", "time")
_MATCH_COLUMNS = ("product_id", "side", "price", "size", "time", "trade_id")
_BEHIND_US_MAX = 1_000_000  # what a message may be older than the one before it: then it is due at once


@dataclass(frozen=True, slots=True)
class _Opening:
    """The whole book, best levels first; undated."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


@dataclass(frozen=True, slots=True)
class _Change:
    """Levels that changed together."""

    place: str
    time_us: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


@dataclass(frozen=True, slots=True)
class _Match:
    """A trade; `buyer_is_maker` as in Trade."""

    place: str
    time_us: int
    trade_id: int
    price: Decimal
    size: Decimal
    buyer_is_maker: bool


_Message = _Opening | _Change | _Match


class Level2Market:
    """The recording of one product. `path` is the file of all messages, or the folder of files by kind.

    Raises TapeError for a recording that cannot be played.
    """

    def __init__(self, path: Path) -> None:
        raw = path if path.is_file() else path / RAW
        self._raw = raw if raw.is_file() else None
        self._path = path
        self._product = self._found_product()
        base, dash, quote = self._product.partition("-")
        if not dash:
            raise TapeError(f"{path}: product {self._product!r}; needed: base and quote, as BTC-USD")
        opening = next((message for message in self._messages() if isinstance(message, _Opening)), None)
        if opening is None or not (opening.bids and opening.asks):
            raise TapeError(f"{path}: no snapshot with bids and asks; a book cannot begin")
        levels = opening.bids + opening.asks
        tick, step = finest(price for price, _ in levels), finest(size for _, size in levels)
        rules = known(base, quote) or Instrument(f"{base}{quote}", base, quote, tick, step)
        self._rules = replace(rules, tick=min(rules.tick, tick), step=min(rules.step, step))
        first = next(self.events(), None)
        if first is None:
            raise TapeError(f"{path}: a snapshot, but no update after it; a book cannot be dated")
        self.start_us = first.time_us  # when the first update came, and with it the snapshot is due

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """Trading rules: the listed ones, tick and step made finer where the snapshot needs it."""
        return {self._rules.symbol: self._rules}

    @cached_property
    def end_us(self) -> int:
        """When the last message came."""
        return max(event.time_us for event in self.events())

    def events(self) -> Iterator[MarketEvent]:
        """All events in the order of their arrival, as far as the recording tells it."""
        return _Replay(self._rules.symbol).events(self._messages())

    def _found_product(self) -> str:
        """The one product there is. (Each message names it in the file of all of them, else only the matches do.)"""
        file = self._raw or self._path / MATCHES
        products = {fields["product_id"] for _, fields in table(self._present(file), ("product_id",))} - {""}
        if len(products) != 1:
            raise TapeError(f"{file}: products {', '.join(sorted(products)) or 'none'}; needed: one")
        return products.pop()

    def _present(self, file: Path) -> Path:
        if not file.is_file():
            raise TapeError(
                f"{self._path}: no {file.name}; needed: {RAW}, or all of {BIDS}, {ASKS}, {UPDATES} and {MATCHES}"
            )
        return file

    def _messages(self) -> Iterator[_Message]:
        """The messages, in order of arrival; of files by kind, in the order of their times."""
        if self._raw is not None:
            yield from _raw_messages(self._raw)
            return
        sides = [tuple(_level_rows(self._present(self._path / name))) for name in (BIDS, ASKS)]
        yield _Opening(_sorted(sides[0], bids=True), _sorted(sides[1], bids=False))
        # Of one time, the trade comes before what it did to the book.
        matches, updates = self._present(self._path / MATCHES), self._present(self._path / UPDATES)
        dated: list[Iterator[_Match | _Change]] = [_match_rows(matches), _update_rows(updates)]
        yield from heapq.merge(*dated, key=attrgetter("time_us"))


class _Replay:
    """One product's messages as events: numbered, dated, with quotes."""

    def __init__(self, symbol: str) -> None:
        self._symbol = symbol
        self._book = Book()
        self._id = 0
        self._time_us = 0
        self._opening: _Opening | None = None
        self._quote: tuple[Level, Level] | None = None

    def events(self, messages: Iterable[_Message]) -> Iterator[MarketEvent]:
        for message in messages:
            if isinstance(message, _Opening):
                self._opening = message
                continue
            if isinstance(message, _Change):
                time_us = self._due(message)
                yield from self._begin(time_us)
                if self._id:
                    yield from self._change(message, time_us)
            elif self._id and self._opening is None:  # before a book there is nothing to trade on
                yield self._trade(message, self._due(message))

    def _due(self, message: _Change | _Match) -> int:
        if message.time_us < self._time_us - _BEHIND_US_MAX:
            raise TapeError(
                f"{message.place}: time {iso(message.time_us)} after {iso(self._time_us)}; needed: times that rise"
            )
        self._time_us = max(self._time_us, message.time_us)
        return self._time_us

    def _begin(self, time_us: int) -> Iterator[MarketEvent]:
        """The snapshot that waits, if any. Its id is one that no update has: who followed those before sees a gap."""
        if self._opening is None:
            return
        self._id += 1
        snapshot = Snapshot(self._symbol, time_us, self._id, self._opening.bids, self._opening.asks)
        self._opening = None
        self._book.reset(snapshot)
        yield snapshot
        yield from self._quoted(time_us)

    def _change(self, change: _Change, time_us: int) -> Iterator[MarketEvent]:
        first_id, self._id = self._id + 1, self._id + len(change.bids) + len(change.asks)
        if self._id < first_id:
            return
        update = DepthUpdate(self._symbol, time_us, change.time_us, first_id, self._id, change.bids, change.asks)
        self._book.apply(update)
        yield from self._quoted(time_us)
        yield update

    def _quoted(self, time_us: int) -> Iterator[Quote]:
        """The best bid and ask, if they have changed and both stand."""
        bids, asks = self._book.bids.top(1), self._book.asks.top(1)
        if not (bids and asks) or self._quote == (bids[0], asks[0]):
            return
        self._quote = bids[0], asks[0]
        yield Quote(self._symbol, time_us, self._id, *bids[0], *asks[0])

    def _trade(self, match: _Match, time_us: int) -> Trade:
        return Trade(
            self._symbol, time_us, match.time_us, match.trade_id, match.price, match.size, match.buyer_is_maker
        )


def _raw_messages(path: Path) -> Iterator[_Message]:
    for line, fields in table(path, RAW_COLUMNS):
        place, kind = f"{path}:{line}", fields["type"]
        if kind == "snapshot":
            bids, asks = (_lists(place, fields[side], 2) for side in ("bids", "asks"))
            yield _Opening(
                _sorted((_level(place, *pair) for pair in bids), bids=True),
                _sorted((_level(place, *pair) for pair in asks), bids=False),
            )
        elif kind == "l2update":
            yield _change(place, fields["time"], _lists(place, fields["changes"], 3))
        elif kind == "match":
            yield _match(place, fields)


def _lists(place: str, text: str, length: int) -> list[list[str]]:
    """A list of lists of so many texts, written as Python writes it; with other quotes it is JSON.

    Raises TapeError.
    """
    try:
        found = orjson.loads(text.replace("'", '"'))
    except orjson.JSONDecodeError as error:
        raise TapeError(f"{place}: {error} in {text[:60]!r}; needed: a list of levels") from error
    whole = isinstance(found, list) and all(isinstance(each, list) and len(each) == length for each in found)
    if not whole or not all(isinstance(part, str) for each in found for part in each):
        raise TapeError(f"{place}: {text[:60]!r}; needed: a list of levels, {length} texts each")
    levels: list[list[str]] = found
    return levels


def _level(place: str, price: str, size: str) -> Level:
    level = number(place, "price", price, zero=False), number(place, "size", size, zero=True)
    for name, value in zip(("price", "size"), level, strict=True):
        if value % MIN_UNIT:
            raise TapeError(f"{place}: {name} {value}; needed: 8 decimals at most")
    return level


def _is_bid(place: str, side: str) -> bool:
    if side not in {"buy", "sell"}:
        raise TapeError(f"{place}: side {side!r}; needed: buy or sell")
    return side == "buy"


def _sorted(levels: Iterable[Level], *, bids: bool) -> tuple[Level, ...]:
    """One side, best level first."""
    return tuple(sorted((level for level in levels if level[1] != ZERO), reverse=bids))


def _change(place: str, time: str, changes: Sequence[Sequence[str]]) -> _Change:
    """Side, price and size of each level that changed."""
    bids: list[Level] = []
    asks: list[Level] = []
    for side, price, size in changes:
        (bids if _is_bid(place, side) else asks).append(_level(place, price, size))
    return _Change(place, moment_us(place, "time", time), tuple(bids), tuple(asks))


def _match(place: str, fields: Mapping[str, str]) -> _Match:
    """A trade; its side is the maker's."""
    price, size = _level(place, fields["price"], fields["size"])
    identity = int(number(place, "trade_id", fields["trade_id"], zero=False))
    time_us = moment_us(place, "time", fields["time"])
    return _Match(place, time_us, identity, price, size, _is_bid(place, fields["side"]))


def _level_rows(path: Path) -> Iterator[Level]:
    for line, fields in table(path, ("price", "size")):
        yield _level(f"{path}:{line}", fields["price"], fields["size"])


def _update_rows(path: Path) -> Iterator[_Change]:
    for line, fields in table(path, UPDATE_COLUMNS):
        yield _change(f"{path}:{line}", fields["time"], [[fields["side"], fields["price"], fields["size"]]])


def _match_rows(path: Path) -> Iterator[_Match]:
    for line, fields in table(path, _MATCH_COLUMNS):
        yield _match(f"{path}:{line}", fields)
