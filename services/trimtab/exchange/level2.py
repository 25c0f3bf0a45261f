"""A market of a level-2 recording of Coinbase: one product's book and matches, as its feed told them.

A recording is `raw_mongo_input.csv`, which holds every message in order of arrival, or a folder with
`snapshot_bids.csv`, `snapshot_asks.csv`, `l2update.csv` and `match.csv`. What such a recording lacks is made here:

- **Ids.** Updates bear no numbers: every changed level is numbered here, from 1 on. What got lost cannot be seen.
- **The snapshot's time.** It has none, and is dated at the first update.
- **Quotes.** The best bid and ask are told whenever an update has changed them.

A trade that is told twice, by its number, is dropped the second time. A book that is crossed for longer than a moment
has lost a message, and is refused.

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

from trimtab.exchange.book import Book
from trimtab.exchange.instruments import Instrument, finest, known
from trimtab.exchange.market import DepthUpdate, Level, MarketEvent, Quote, Snapshot, Trade
from trimtab.exchange.tape_file import BEHIND_US_MAX, TapeError, exact, iso, moment_us, number, table

RAW = "raw_mongo_input.csv"
RAW_COLUMNS = ("type", "product_id", "time", "bids", "asks", "changes", "side", "price", "size", "trade_id")
UPDATES, MATCHES, BIDS, ASKS = "l2update.csv", "match.csv", "snapshot_bids.csv", "snapshot_asks.csv"
UPDATE_COLUMNS = ("side", "price", "size", "time")
_MATCH_COLUMNS = ("product_id", "side", "price", "size", "time", "trade_id")


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
        base, _, quote = self._product.partition("-")
        if not (base.isalnum() and quote.isalnum()):
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
        self._trade_id = -1
        self._crossed = ""  # where the book came to be crossed, while it is

    def events(self, messages: Iterable[_Message]) -> Iterator[MarketEvent]:
        for message in messages:
            if isinstance(message, _Opening):
                self._opening = message
                continue
            before_us, time_us = self._time_us, self._due(message)
            if time_us > before_us:
                self._check_crossed()
            if isinstance(message, _Change):
                yield from self._begin(time_us, message.place)
                if self._id:
                    yield from self._change(message, time_us)
            elif self._id and self._opening is None and message.trade_id > self._trade_id:
                self._trade_id = message.trade_id  # (before a book there is nothing to trade on)
                yield self._trade(message, time_us)
        self._check_crossed()

    def _check_crossed(self) -> None:
        """Within one moment a book may be crossed, its levels change one after another; longer only by a loss."""
        if self._crossed:
            raise TapeError(f"{self._crossed}; needed: bids below asks (is a message missing before?)")

    def _note_crossed(self, place: str) -> None:
        bid, ask = self._book.bids.best(), self._book.asks.best()
        crossed = bid is not None and ask is not None and bid >= ask
        self._crossed = (self._crossed or f"{place}: best bid {bid} and ask {ask}") if crossed else ""

    def _due(self, message: _Change | _Match) -> int:
        if message.time_us < self._time_us - BEHIND_US_MAX:
            raise TapeError(
                f"{message.place}: time {iso(message.time_us)} after {iso(self._time_us)}; needed: times that rise"
            )
        self._time_us = max(self._time_us, message.time_us)
        return self._time_us

    def _begin(self, time_us: int, place: str) -> Iterator[MarketEvent]:
        """The snapshot that waits, if any. Its id is one that no update has: who followed those before sees a gap."""
        if self._opening is None:
            return
        self._id += 1
        snapshot = Snapshot(self._symbol, time_us, self._id, self._opening.bids, self._opening.asks)
        self._opening = None
        self._book.reset(snapshot)
        self._note_crossed(f"{place}: the snapshot before it")
        yield snapshot
        yield from self._quoted(time_us)

    def _change(self, change: _Change, time_us: int) -> Iterator[MarketEvent]:
        first_id, self._id = self._id + 1, self._id + len(change.bids) + len(change.asks)
        if self._id < first_id:
            return
        update = DepthUpdate(self._symbol, time_us, change.time_us, first_id, self._id, change.bids, change.asks)
        self._book.apply(update)
        self._note_crossed(change.place)
        yield from self._quoted(time_us)
        yield update

    def _quoted(self, time_us: int) -> Iterator[Quote]:
        """The best bid and ask, if they have changed, both stand, and they are not crossed."""
        bids, asks = self._book.bids.top(1), self._book.asks.top(1)
        if not (bids and asks) or self._crossed or self._quote == (bids[0], asks[0]):
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
    return exact(place, "price", price, zero=False), exact(place, "size", size, zero=True)


def _is_bid(place: str, side: str) -> bool:
    if side not in {"buy", "sell"}:
        raise TapeError(f"{place}: side {side!r}; needed: buy or sell")
    return side == "buy"


def _sorted(levels: Iterable[Level], *, bids: bool) -> tuple[Level, ...]:
    """One side, best level first."""
    return tuple(sorted((level for level in levels if level[1]), reverse=bids))


def _change(place: str, time: str, changes: Sequence[Sequence[str]]) -> _Change:
    """Side, price and size of each level that changed."""
    bids, asks = list[Level](), list[Level]()
    for side, price, size in changes:
        (bids if _is_bid(place, side) else asks).append(_level(place, price, size))
    return _Change(place, moment_us(place, "time", time), tuple(bids), tuple(asks))


def _match(place: str, fields: Mapping[str, str]) -> _Match:
    """A trade; its side is the maker's."""
    price, size = _level(place, fields["price"], fields["size"])
    found = number(place, "trade_id", fields["trade_id"], zero=False)
    identity = int(found)  # (written as 7.0 by a program that takes all numbers for fractions)
    if not size or identity != found:
        raise TapeError(f"{place}: trade {found} of size {size}; needed: a whole number, a size above 0")
    time_us = moment_us(place, "time", fields["time"])
    return _Match(place, time_us, identity, price, size, _is_bid(place, fields["side"]))


def _level_rows(path: Path) -> Iterator[Level]:
    own = "buy" if path.name == BIDS else "sell"
    for line, fields in table(path, ("price", "size")):
        if fields.get("side", own) != own:
            raise TapeError(f"{path}:{line}: side {fields['side']!r}; needed: {own}")
        yield _level(f"{path}:{line}", fields["price"], fields["size"])


def _update_rows(path: Path) -> Iterator[_Change]:
    for line, fields in table(path, UPDATE_COLUMNS):
        yield _change(f"{path}:{line}", fields["time"], [[fields["side"], fields["price"], fields["size"]]])


def _match_rows(path: Path) -> Iterator[_Match]:
    for line, fields in table(path, _MATCH_COLUMNS):
        yield _match(f"{path}:{line}", fields)
