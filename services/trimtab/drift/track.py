"""One asset's log price on the grid of event time: what is believed of it, and the averaged returns it gives.

A grid point takes the book that stood before it (previous tick, Dacorogna et al. 2001). A mid that is far from the last
one is not believed before the next book confirms it, so that a bad print never enters, and a real jump one book later
(cf. the neighbours that Brownlees & Gallo 2006 hold a price against). When three in a row are far from each other, the
middle one is believed: a market that moves so fast is followed all the same.

The averaged return is the mean log price of the last `half` points less that of the `half` points before: the
pre-averaged return with the triangular weight of Jacod et al. (2009). Noise of single points is averaged away, and an
asset that is quoted later than another by a small part of the span loses little of their common move.
"""

from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal

from trimtab.domain.amounts import ONE, ZERO
from trimtab.domain.market import Level, Quote

# Per root of a second, of which it is fifty times what a liquid asset moves; smaller misprints drown in the average.
_DOUBT = Decimal("0.005")
# Sums of logs on this scale are exact for centuries, so a return does not depend on when its sum began.
_LOG_SCALE = Decimal("1e-20")
_DOUBTED_MAX = 3
# A first book that has not changed for so many points is believed as it is.
_STANDING = 10

Book = tuple[tuple[Level, ...], tuple[Level, ...]]


@dataclass(frozen=True, slots=True)
class Leap:
    """The log return over a silence of so many grid points."""

    change: Decimal
    points: int


@dataclass(slots=True)
class Track:
    """Remembers as many grid points as `patience`, the longest span. Runs under the caller's decimal context.

    `doubt` is the log return from which on a price waits for the next book to confirm it.

    An asset whose book has not changed for more than `patience` points is silent: it gives no returns, and when it is
    heard of again, one return over the whole silence; then its averages begin anew.
    """

    patience: int
    doubt: Decimal
    _book: Book | None = None
    _believed: Decimal | None = None
    _doubted: list[Decimal] = field(default_factory=list)
    _still: int = 0
    _sums: deque[Decimal] = field(init=False)  # cumulated logs of the points without a silence, from zero

    def __post_init__(self) -> None:
        self._sums = deque(maxlen=self.patience + 1)

    def sample(self, quote: Quote | None, *, moving: bool) -> Leap | None:
        """Take the next grid point; return what a silence that ends here has brought.

        `quote` is the book before the point, None without a usable one. An asset that is not `moving`, that is, never
        has moved, is never silent: it stands still in earnest.
        """
        before, silent = self._believed, not self._sums
        self._still += 1
        heard = quote is not None and self._believe(quote)
        if self._believed is None:
            return None
        if not heard and moving and self._still > self.patience:
            self._sums.clear()
            return None
        points = self._still
        self._still = 0 if heard else points
        if silent:
            self._sums.append(ZERO)
        self._sums.append(self._sums[-1] + self._believed)
        return Leap(self._believed - before, points) if silent and before is not None else None

    def rest(self, points: int) -> None:
        """Pass so many grid points at once, of which nothing was heard of any asset: silence, whatever the patience."""
        if points:
            self._still += points
            self._sums.clear()

    def averaged(self, half: int) -> Decimal | None:
        """Return the averaged log return over the last 2 `half` points; None if there are not as many."""
        sums = self._sums
        if len(sums) <= 2 * half:
            return None
        return (sums[-1] - 2 * sums[-1 - half] + sums[-1 - 2 * half]) / half

    def change(self, points: int) -> Decimal:
        """Return the log return over the last so many points; zero while there are not as many since a silence."""
        sums = self._sums
        if len(sums) <= points + 1:
            return ZERO
        return (sums[-1] - sums[-2]) - (sums[-1 - points] - sums[-2 - points])

    def _believe(self, quote: Quote) -> bool:
        """Take a book's mid into account; tell whether a new price is believed."""
        book = (quote.bids, quote.asks)
        if book == self._book:
            if self._believed is not None or self._still <= _STANDING:
                return False
            log = self._doubted[-1]  # the only book there is for now
        else:
            self._book = book
            log = quote.mid.ln().quantize(_LOG_SCALE)
            near = [known for known in (self._believed, *self._doubted[-1:]) if known is not None]
            if all(abs(log - known) > self.doubt for known in near):
                self._doubted.append(log)
                if len(self._doubted) < _DOUBTED_MAX:
                    return False
                log = sorted(self._doubted)[_DOUBTED_MAX // 2]
        self._believed = log
        self._doubted.clear()
        return True


def doubt_of(seconds: Decimal) -> Decimal:
    """Return how large a log return between grid points so far apart is not believed at once."""
    return _DOUBT * max(seconds, ONE).sqrt()


def variance_of(half: int) -> Decimal:
    """Return the variance of an averaged return in variances of a step: (2 half^2 + 1) / (3 half)."""
    return Decimal(2 * half * half + 1) / (3 * half)
