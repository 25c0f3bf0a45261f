"""One symbol's market as the exchange shows it while something is wrong with it: thin, empty, crossed, standing still.

The market goes on behind it. What is shown follows with updates of its own, numbered without a gap; when nothing is
wrong any more, one update brings everything back, and from there on events pass as they are but for their numbers.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal

from trimtab.exchange.book import Book
from trimtab.exchange.instruments import Instrument
from trimtab.exchange.market import DepthUpdate, Level, MarketEvent, Quote, Snapshot, Trade
from trimtab.exchange.scale import Scale

Sizes = Mapping[Decimal, Decimal]
"""Quantity by price: one side of a book."""
Bend = Callable[[Book], tuple[Sizes, Sizes]]
"""From a book to the bids and asks to be shown in its place."""


class Mirror:
    """Stands before one symbol's market. `newest_id` is the highest number that an update or a quote has had."""

    def __init__(self, symbol: str, book: Book, newest_id: int) -> None:
        self._symbol = symbol
        self._truth = book.copied()
        self._bend: Bend = _straight
        self._still = False
        self._shown: tuple[Sizes, Sizes] | None = None  # bids and asks, while they may differ from the truth
        self._shown_id = book.last_id
        self._newest_id = newest_id
        self._ahead = 0  # by how much what is shown is numbered higher than the truth
        self._resumed = False  # whether the next update follows upon something else than the one before it

    def bend(self, bend: Bend, time_us: int) -> list[MarketEvent]:
        """Show the book so from now on; what there is to tell of it."""
        self._part()
        self._bend, self._still = bend, False
        return self._reflected(time_us)

    def stand_still(self) -> None:
        """Show nothing new from now on: no update, no quote, no trade."""
        self._part()
        self._still = True

    def straighten(self, time_us: int) -> list[MarketEvent]:
        """Show the market as it is again; what there is to tell of it."""
        self._part()
        self._bend, self._still = _straight, False
        events = self._reflected(time_us)
        self._shown, self._resumed = None, True
        return events

    def rescale(self, scale: Scale, time_us: int) -> list[MarketEvent]:
        """Show the book in other units from now on; what there is to tell of it."""
        bids, asks = (tuple(side.sizes.items()) for side in (self._truth.bids, self._truth.asks))
        return self.passed(Snapshot(self._symbol, time_us, self._truth.last_id, scale.levels(bids), scale.levels(asks)))

    def passed(self, event: MarketEvent) -> list[MarketEvent]:
        """What is shown of an event of the market behind."""
        match event:
            case Trade():
                return [] if self._still else [event]
            case Quote():
                return [] if self._shown is not None else [self._quote(event)]
            case Snapshot():  # a jump of the recording: those who listen learn of it by an update
                straight = self._shown is None
                self._part()
                self._truth.reset(event)
                return self.straighten(event.time_us) if straight else self._reflected(event.time_us)
            case DepthUpdate():
                if event.last_id <= self._truth.last_id:
                    return []
                self._truth.apply(event)
                return [self._update(event)] if self._shown is None else self._reflected(event.time_us)

    def _part(self) -> None:
        """From here on what is shown may differ from the truth."""
        if self._shown is None:
            self._shown = dict(self._truth.bids.sizes), dict(self._truth.asks.sizes)

    def _quote(self, quote: Quote) -> Quote:
        self._newest_id = max(self._newest_id, quote.update_id + self._ahead)
        return replace(quote, update_id=quote.update_id + self._ahead, raw=None)

    def _update(self, update: DepthUpdate) -> DepthUpdate:
        first_id = self._shown_id + 1 if self._resumed else update.first_id + self._ahead
        self._shown_id, self._resumed = update.last_id + self._ahead, False
        self._newest_id = max(self._newest_id, self._shown_id)
        return replace(update, first_id=first_id, last_id=self._shown_id, raw=None)

    def _reflected(self, time_us: int) -> list[MarketEvent]:
        """The update from what was shown last to what is to be shown now, if they differ."""
        if self._still or self._shown is None:
            return []
        bids, asks = self._bend(self._truth)
        changes = _changes(self._shown[0], bids), _changes(self._shown[1], asks)
        if not any(changes):
            return []
        first_id = self._shown_id + 1
        # An older quote rules over the top of the book until an update is newer than it.
        self._shown_id = max(self._truth.last_id + self._ahead, first_id, self._newest_id)
        self._ahead, self._newest_id = self._shown_id - self._truth.last_id, self._shown_id
        self._shown = dict(bids), dict(asks)
        return [DepthUpdate(self._symbol, time_us, time_us, first_id, self._shown_id, *changes)]


def thin(rules: Instrument, share: Decimal) -> Bend:
    """Every level has this share of its quantity, in whole steps, and at least one."""

    def bent(book: Book) -> tuple[Sizes, Sizes]:
        sides = (book.bids.sizes, book.asks.sizes)
        bids, asks = ({price: _share(size, share, rules.step) for price, size in side.items()} for side in sides)
        return bids, asks

    return bent


def empty(*, bids: bool, asks: bool) -> Bend:
    """Nothing on one side, or on both."""
    return lambda book: ({} if bids else book.bids.sizes, {} if asks else book.asks.sizes)


def crossed(rules: Instrument) -> Bend:
    """The best bid stands once more a tick above the best ask."""

    def bent(book: Book) -> tuple[Sizes, Sizes]:
        bid, ask = book.bids.best(), book.asks.best()
        if bid is None or ask is None:
            return book.bids.sizes, book.asks.sizes
        return {**book.bids.sizes, ask + rules.tick: book.bids.sizes[bid]}, book.asks.sizes

    return bent


def _straight(book: Book) -> tuple[Sizes, Sizes]:
    return book.bids.sizes, book.asks.sizes


def _share(size: Decimal, share: Decimal, step: Decimal) -> Decimal:
    return min(size, max(step, size * share // step * step))


def _changes(shown: Sizes, wanted: Sizes) -> tuple[Level, ...]:
    """The levels that change: those that are gone with quantity zero."""
    gone = [(price, Decimal(0)) for price in shown if price not in wanted]
    return (*gone, *((price, size) for price, size in wanted.items() if shown.get(price) != size))
