"""What can be taken from a published book here and now.

Three things lie between the published book and that:

- a **quote** newer than the book's last update hides better levels and sets the size at the best price;
- what the accounts here have **taken** stays gone while its level stands: a level that grows offers its growth, one
  that shrinks has lost the taken part last, one that vanishes and comes back is whole;
- nothing else: own resting orders are not in the published book (the engine keeps them).
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

from trimtab.exchange.book import ZERO, Book, Ladder
from trimtab.exchange.market import DepthUpdate, Level, Quote, Snapshot

Side = Literal["BUY", "SELL"]


class Liquidity:
    """One symbol's published book less what has been taken from it.

    `side` is the resting side throughout: "BUY" for bids, "SELL" for asks.
    """

    __slots__ = ("_quote", "_taken", "book")

    def __init__(self) -> None:
        self.book = Book()
        self._quote: Quote | None = None
        self._taken: dict[Side, dict[Decimal, Decimal]] = {"BUY": {}, "SELL": {}}

    def reset(self, snapshot: Snapshot) -> None:
        """Begin anew: nothing is taken from the new book."""
        self.book.reset(snapshot)
        self._quote = None
        self._taken = {"BUY": {}, "SELL": {}}

    def update(self, update: DepthUpdate) -> None:
        """Apply a depth update; it ends an older quote's rule over the top."""
        self.book.apply(update)
        if self._quote is not None and self._quote.update_id <= update.last_id:
            self._quote = None
        self._observe()

    def quote(self, quote: Quote) -> None:
        """Apply a best bid and ask, unless the book already holds it."""
        if quote.update_id > self.book.last_id:
            self._quote = quote
            self._observe()

    @property
    def newest_id(self) -> int:
        """The highest number that an update or a quote has had."""
        return max(self.book.last_id, self._quote.update_id if self._quote is not None else 0)

    def published(self, side: Side, price: Decimal) -> Decimal:
        """The published size at a price, under the newest quote."""
        if self._quote is not None:
            best, size = self._best_quoted(side, self._quote)
            if price == best:
                return size
            if (price > best) == (side == "BUY"):
                return ZERO
        return self._ladder(side).sizes.get(price, ZERO)

    def size(self, side: Side, price: Decimal) -> Decimal:
        """What is left to take at a price."""
        return self.published(side, price) - self._taken[side].get(price, ZERO)

    def levels(self, side: Side) -> Iterator[Level]:
        """What can be taken, best price first. Levels taken empty are left out."""
        taken = self._taken[side]
        for price, size in self._published_levels(side):
            left = size - taken[price] if price in taken else size
            if left > 0:
                yield price, left

    def best(self, side: Side) -> Decimal | None:
        """The best price at which anything is left."""
        return next((price for price, _ in self.levels(side)), None)

    def take(self, side: Side, price: Decimal, quantity: Decimal) -> None:
        """Note that `quantity` at `price` is gone; no more than `size` says may be taken."""
        self._taken[side][price] = self._taken[side].get(price, ZERO) + quantity

    def _ladder(self, side: Side) -> Ladder:
        return self.book.bids if side == "BUY" else self.book.asks

    @staticmethod
    def _best_quoted(side: Side, quote: Quote) -> Level:
        return (quote.bid, quote.bid_size) if side == "BUY" else (quote.ask, quote.ask_size)

    def _published_levels(self, side: Side) -> Iterator[Level]:
        levels = self._ladder(side).levels()
        if self._quote is None:
            return levels
        best, size = self._best_quoted(side, self._quote)
        worse = ((p, s) for p, s in levels if (p < best if side == "BUY" else p > best))
        return _chain((best, size), worse)

    def _observe(self) -> None:
        """No more can be gone from a level than stands there."""
        for side, taken in self._taken.items():
            for price in list(taken):
                taken[price] = min(taken[price], self.published(side, price))
                if not taken[price]:
                    del taken[price]


def _chain(first: Level, rest: Iterator[Level]) -> Iterator[Level]:
    yield first
    yield from rest
