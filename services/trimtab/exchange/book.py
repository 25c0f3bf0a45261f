"""The order book as the venue publishes it: absolute quantities by price, kept from a snapshot and updates."""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import islice

from trimtab.exchange.market import DepthUpdate, Level, Snapshot

ZERO = Decimal(0)


class Ladder:
    """One side of a book: quantity by price, and the prices in order."""

    __slots__ = ("_bids", "_prices", "sizes")

    def __init__(self, *, bids: bool, levels: Iterable[Level] = ()) -> None:
        self._bids = bids
        self.sizes: dict[Decimal, Decimal] = {price: size for price, size in levels if size}
        self._prices = sorted(self.sizes)

    def __len__(self) -> int:
        return len(self._prices)

    def put(self, price: Decimal, size: Decimal) -> None:
        """Set a level. Zero removes it; removing a level that is not there is normal and ignored."""
        if size:
            if price not in self.sizes:
                insort(self._prices, price)
            self.sizes[price] = size
        elif self.sizes.pop(price, None) is not None:
            del self._prices[bisect_left(self._prices, price)]

    def best(self) -> Decimal | None:
        """The best price, or None on an empty side."""
        if not self._prices:
            return None
        return self._prices[-1] if self._bids else self._prices[0]

    def levels(self) -> Iterator[Level]:
        """Levels, best first."""
        prices = reversed(self._prices) if self._bids else iter(self._prices)
        return ((price, self.sizes[price]) for price in prices)

    def top(self, count: int) -> list[Level]:
        """The best `count` levels."""
        return list(islice(self.levels(), count))


class Book:
    """Both sides of one symbol's published book and the id of its last update."""

    __slots__ = ("asks", "bids", "last_id")

    def __init__(self) -> None:
        self.bids = Ladder(bids=True)
        self.asks = Ladder(bids=False)
        self.last_id = 0

    def reset(self, snapshot: Snapshot) -> None:
        """Begin anew from a snapshot."""
        self.bids = Ladder(bids=True, levels=snapshot.bids)
        self.asks = Ladder(bids=False, levels=snapshot.asks)
        self.last_id = snapshot.last_id

    def copied(self) -> "Book":
        """It as it is now."""
        other = Book()
        other.bids = Ladder(bids=True, levels=self.bids.sizes.items())
        other.asks = Ladder(bids=False, levels=self.asks.sizes.items())
        other.last_id = self.last_id
        return other

    def apply(self, update: DepthUpdate) -> None:
        """Apply an update; one that ends at or before the book's last id is old and ignored."""
        if update.last_id <= self.last_id:
            return
        for price, size in update.bids:
            self.bids.put(price, size)
        for price, size in update.asks:
            self.asks.put(price, size)
        self.last_id = update.last_id
