"""Recorded topics as a market: the books of market.frames, as drift saw them, and what market.ticks traded meanwhile.

Every recorded frame is one moment, so that a world decides where the live worker did. Books come as what has changed
since the frame before: what an order took of a level stays gone while the level stands, as on any other recording. A
public trade counts with the first frame that is not older. Where frames are missing, books stand still until the next
full frame, as nobody decides live before that.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import chain

from trimtab.backtest.errors import UnplayableError
from trimtab.backtest.public_trades import PublicTrades
from trimtab.domain.errors import InvalidValueError
from trimtab.domain.market import Level, Market, Quote
from trimtab.exchange.instruments import Instrument
from trimtab.exchange.market import DepthUpdate, MarketEvent, Snapshot
from trimtab.exchange.market import Level as Row
from trimtab.frames import Feed
from trimtab.messages import Frame, InstrumentRules
from trimtab.ports.recorded import Recorded
from trimtab.replay.errors import GoneError
from trimtab.replay.extent import Asked, extent
from trimtab.topics import MARKET_FRAMES

_NO_LIMIT = Decimal(10) ** 15  # recorded rules have no upper bounds
_LAST_READABLE_MAX = 1_000  # frames before the last one that are looked at for one that can be read


@dataclass(frozen=True, slots=True)
class Stretch:
    """Frames `first` to `last` (offsets, both included), and the full frame `start` that their books begin with."""

    start: int
    first: int
    last: int


class FrameMarket:
    """Implements exchange.tapes.TapeMarket over recorded topics. Prices and quantities are the recorded ones.

    `rules` are those of the stretch's first full frame, by instrument key ("binance:BTC/USDT").
    """

    def __init__(self, recorded: Recorded, stretch: Stretch, rules: Mapping[str, InstrumentRules]) -> None:
        self.stretch = stretch
        self.rules = rules
        self._recorded = recorded
        self._symbols = {key: f"{row.base}{row.quote}" for key, row in rules.items()}
        self.instruments = {self._symbols[key]: _instrument(row) for key, row in sorted(rules.items())}
        self.start_us = self._time_us(stretch.first)
        self.end_us = self._time_us(stretch.last)

    @property
    def venues(self) -> Collection[str]:
        """Whose instruments they are, sorted."""
        return sorted({row.venue for row in self.rules.values()})

    def of(self, venue: str | None, assets: Collection[str] | None = None) -> "FrameMarket":
        """Return the market of a venue alone (None: whichever), and of pairs of these assets alone (None: all)."""
        rules = {
            key: row
            for key, row in self.rules.items()
            if venue in {None, row.venue} and (assets is None or {row.base, row.quote} <= {*assets})
        }
        return FrameMarket(self._recorded, self.stretch, rules)

    def begun(self) -> "FrameMarket":
        """Return the market of the pairs that ever have a book, from the first frame on at which all of these have one.

        Raises:
            UnplayableError: if there is no such frame.
            InvalidValueError: if what the topics are kept in is damaged.
        """
        booked, first = self._booked()
        if first is not None:
            return FrameMarket(self._recorded, replace(self.stretch, first=first), self.rules)
        if len(booked) == len(self.rules):
            raise UnplayableError(
                f"frames {self.stretch.first} to {self.stretch.last}: {', '.join(sorted(booked))} never have a book at"
                " the same time; needed: a span in which they do"
            )
        rules = {key: row for key, row in self.rules.items() if key in booked}
        return FrameMarket(self._recorded, self.stretch, rules).begun()

    def events(self) -> Iterator[MarketEvent]:
        """Yield the books and trades of all frames, at the event times of the frames.

        Raises:
            UnplayableError: if tick or step of an instrument change.
            InvalidValueError: if what the topics are kept in is damaged.
        """
        trades = PublicTrades.of(self._recorded, self._symbols, self.start_us, self.end_us).until
        books, time_us = dict[str, Quote](), 0
        for frame, offset, market in self._markets():
            # Venues tell of several books at one time, and drift decides after each: they stay a microsecond apart.
            time_us = max(time_us + 1, frame.event_time_us)
            yield from trades(time_us)
            for key in [key for key in books if key not in market.quotes]:  # a full frame no longer tells of it
                yield Snapshot(self._symbols[key], time_us, offset, (), ())
                del books[key]
            # The first frame that is played may name only some of what stands in the market.
            quotes = frame.quotes if books else ()
            keys = (f"{row.venue}:{row.instrument}" for row in quotes) if books else self._symbols
            for key in keys:
                quote = market.quotes.get(key)
                if key in self._symbols and quote is not None and quote != books.get(key):
                    yield _event(self._symbols[key], time_us, offset, books.get(key), quote)
                    books[key] = quote

    def _markets(self) -> Iterator[tuple[Frame, int, Market]]:
        """Yield every frame of the stretch that has a market, its offset, and that market.

        Raises:
            UnplayableError: if tick or step of an instrument change.
        """
        feed = Feed()
        for each in self._recorded.span(MARKET_FRAMES, self.stretch.start, self.stretch.last + 1):
            frame, offset = each.message, each.record.offset
            try:
                feed = feed.advance(frame, offset)
            except InvalidValueError:
                feed = feed.doubt(frame)
                continue
            if frame.full:
                self._require_same(frame, offset)
            if offset >= self.stretch.first and feed.market.complete:
                yield frame, offset, feed.market

    def _booked(self) -> tuple[set[str], int | None]:
        """Return who has a book somewhere until all have (instrument keys), and the offset of the frame where they do.

        That is None if there is no such frame.
        """
        booked = set[str]()
        for _, offset, market in self._markets():
            quotes = ((key, market.quotes.get(key)) for key in self.rules)
            now = {key for key, quote in quotes if quote is not None and quote.fault() is None}
            booked |= now
            if len(now) == len(self.rules):
                return booked, offset
        return booked, None

    def _time_us(self, offset: int) -> int:
        """Return the event time of a frame, or of the last readable one before it."""
        begin = max(self.stretch.start, offset - _LAST_READABLE_MAX)
        found = self._recorded.at(MARKET_FRAMES, offset)
        before = () if found is not None else self._recorded.span(MARKET_FRAMES, begin, offset)
        return max(each.message.event_time_us for each in chain([found] if found is not None else (), before))

    def _require_same(self, frame: Frame, offset: int) -> None:
        for row in frame.rules:
            known = self.rules.get(f"{row.venue}:{row.instrument}")
            if known is not None and (row.tick, row.step) != (known.tick, known.step):
                raise UnplayableError(
                    f"frame {offset}: {row.instrument} has tick {row.tick} and step {row.step}, before {known.tick} and"
                    f" {known.step}; needed: a span in which they stay"
                )


def open_frames(recorded: Recorded, begin: Asked = (None, None), end: Asked = (None, None)) -> FrameMarket:
    """Return the market of a span of recorded frames, of all venues.

    Raises:
        UnplayableError: if no frame of the span is kept.
        UnreachableError: if the records are not to be had, or hold no full frame.
        InvalidValueError: if what they are kept in is damaged.
    """
    try:
        first, last, start = extent(recorded, begin, end)
    except GoneError as error:
        raise UnplayableError(str(error)) from None
    full = recorded.at(MARKET_FRAMES, start)
    assert full is not None, "extent has just read it"
    rules = {f"{row.venue}:{row.instrument}": row for row in full.message.rules}
    return FrameMarket(recorded, Stretch(start, first, last), rules)


def _instrument(row: InstrumentRules) -> Instrument:
    return Instrument(
        f"{row.base}{row.quote}", row.base, row.quote, row.tick, row.step, min_notional=row.min_notional,
        max_notional=_NO_LIMIT, max_price=_NO_LIMIT, max_quantity=_NO_LIMIT, max_market_quantity=_NO_LIMIT,
    )  # fmt: skip


def _event(symbol: str, time_us: int, number: int, before: Quote | None, now: Quote) -> MarketEvent:
    """Return what makes the book before into the one now; nobody trades on one that is empty or crossed."""
    if now.fault() is not None:
        return Snapshot(symbol, time_us, number, (), ())
    if before is None or before.fault() is not None:
        bids, asks = (tuple((level.price, level.quantity) for level in side) for side in (now.bids, now.asks))
        return Snapshot(symbol, time_us, number, bids, asks)
    changes = _changes(before.bids, now.bids), _changes(before.asks, now.asks)
    return DepthUpdate(symbol, time_us, now.event_time_us, number, number, *changes)


def _changes(before: tuple[Level, ...], now: tuple[Level, ...]) -> tuple[Row, ...]:
    old, new = ({level.price: level.quantity for level in side} for side in (before, now))
    gone = ((price, Decimal(0)) for price in old if price not in new)
    return (*gone, *((price, quantity) for price, quantity in new.items() if old.get(price) != quantity))
