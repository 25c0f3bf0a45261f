"""One full order book kept from a venue's depth stream, exact. Pure: no I/O, no clock.

Binance's rules (https://developers.binance.com, "How to manage a local order book correctly"): updates are kept until a
snapshot is there; those it already holds are dropped; the first one applied spans it; from then on each begins right
after the one before. ccxt's own book does the same in floats and cut to 1,000 levels; this one has the venue's decimals
and every level it named.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, auto

Pair = tuple[Decimal, Decimal]

# A venue that sends updates for so long without a snapshot being had is not worth the memory; the oldest go first.
_KEPT_UPDATES_MAX = 20_000


class Outcome(Enum):
    """What became of one update."""

    APPLIED = auto()
    KEPT = auto()  # until the snapshot is there
    OLD = auto()  # the snapshot, or an earlier update, holds it already
    GAP = auto()  # updates before it are missing: the book is void, the update is kept for the next snapshot


@dataclass(frozen=True, slots=True)
class DepthUpdate:
    """One message of the depth stream. Quantities are absolute; zero removes a level."""

    first_id: int
    last_id: int
    event_time_us: int
    received_us: int
    bids: Sequence[Sequence[str]]
    asks: Sequence[Sequence[str]]


class DepthBook:
    """All known levels of one instrument, in sync with the venue or waiting for a snapshot."""

    def __init__(self) -> None:
        self._bids = _Levels()
        self._asks = _Levels()
        self._last_id: int | None = None
        self._spanned = False  # whether an update has been applied since the snapshot
        self._kept: list[DepthUpdate] = []

    @property
    def in_sync(self) -> bool:
        return self._last_id is not None

    @property
    def last_id(self) -> int:
        """The last update that the book holds; 0 while it waits for a snapshot."""
        return self._last_id or 0

    @property
    def levels(self) -> tuple[int, int]:
        """How many bid and ask levels are known."""
        return len(self._bids), len(self._asks)

    def update(self, update: DepthUpdate) -> Outcome:
        """Apply one message of the stream, or keep it while there is no snapshot."""
        if self._last_id is None:
            self._keep(update)
            return Outcome.KEPT
        if update.last_id <= self._last_id:
            return Outcome.OLD
        follows = update.first_id == self._last_id + 1
        if not follows and (self._spanned or update.first_id > self._last_id):
            self.void()
            self._keep(update)
            return Outcome.GAP
        self._bids.apply(update.bids)
        self._asks.apply(update.asks)
        self._last_id = update.last_id
        self._spanned = True
        return Outcome.APPLIED

    def load(self, last_id: int, bids: Iterable[Sequence[str]], asks: Iterable[Sequence[str]]) -> bool:
        """Start from a snapshot; the kept updates are to be fed again (`take_kept`).

        Returns False, changing nothing, when the snapshot is too old for the updates kept.
        """
        if self._kept and self._kept[0].first_id > last_id + 1:
            return False
        self._bids = _Levels(bids)
        self._asks = _Levels(asks)
        self._last_id = last_id
        self._spanned = False
        return True

    def take_kept(self) -> list[DepthUpdate]:
        """Hand over the updates kept while there was no snapshot, oldest first."""
        kept, self._kept = self._kept, []
        return kept

    def void(self) -> None:
        """Forget everything: the book waits for a snapshot."""
        self._bids = _Levels()
        self._asks = _Levels()
        self._last_id = None
        self._kept = []

    def top(self, levels: int) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
        """Return the best levels of both sides as (price, quantity), best first."""
        return self._bids.highest(levels), self._asks.lowest(levels)

    def _keep(self, update: DepthUpdate) -> None:
        self._kept.append(update)
        if len(self._kept) > _KEPT_UPDATES_MAX:
            del self._kept[0]


class _Levels:
    """Levels of one side, sorted by price, lowest first."""

    def __init__(self, levels: Iterable[Sequence[str]] = ()) -> None:
        self._pairs = {price: (price, quantity) for price, quantity in map(_pair, levels) if quantity}
        self._prices = sorted(self._pairs)

    def __len__(self) -> int:
        return len(self._prices)

    def apply(self, changes: Iterable[Sequence[str]]) -> None:
        pairs, prices = self._pairs, self._prices
        for change in changes:
            pair = _pair(change)
            price, quantity = pair
            if quantity:
                if price not in pairs:
                    prices.insert(bisect_left(prices, price), price)
                pairs[price] = pair
            elif pairs.pop(price, None) is not None:  # most removals of far levels name one never seen
                del prices[bisect_left(prices, price)]

    def lowest(self, count: int) -> tuple[Pair, ...]:
        return tuple([self._pairs[price] for price in self._prices[:count]])

    def highest(self, count: int) -> tuple[Pair, ...]:
        return tuple([self._pairs[price] for price in self._prices[: -count - 1 : -1]])


def _pair(level: Sequence[str]) -> Pair:
    return Decimal(level[0]), Decimal(level[1])
