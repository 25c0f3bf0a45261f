"""What the market looks like at one frame: a ladder per instrument, exact."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import MappingProxyType

from trimtab.domain.amounts import ZERO
from trimtab.domain.instruments import Instrument
from trimtab.domain.orders import Side


@dataclass(frozen=True, slots=True)
class Level:
    """One price level: price in quote per base, quantity in base."""

    price: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Quote:
    """The visible top of one instrument's book, best level first on both sides."""

    instrument: Instrument
    event_time_us: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]

    @property
    def bid(self) -> Decimal:
        return self.bids[0].price

    @property
    def ask(self) -> Decimal:
        return self.asks[0].price

    @property
    def mid(self) -> Decimal:
        return (self.bid + self.ask) / 2

    @property
    def spread(self) -> Decimal:
        return self.ask - self.bid

    def fault(self) -> str | None:
        """Return why this book cannot be traded on ("empty_book", "crossed_book"), or None."""
        if not self.bids or not self.asks:
            return "empty_book"
        return "crossed_book" if self.bid >= self.ask else None

    def opposite(self, side: Side) -> tuple[Level, ...]:
        """Return the levels an order of this side would take."""
        return self.asks if side is Side.BUY else self.bids

    def depth(self, side: Side) -> Decimal:
        """Return the visible quantity (base) an order of this side could take."""
        return sum((level.quantity for level in self.opposite(side)), ZERO)

    def walk(self, side: Side, quantity: Decimal) -> tuple[Decimal, Decimal]:
        """Take `quantity` (base) from the visible book; return (quantity taken, its notional in quote)."""
        left, notional = quantity, ZERO
        for level in self.opposite(side):
            taken = min(left, level.quantity)
            notional += taken * level.price
            left -= taken
            if left == 0:
                break
        return quantity - left, notional


@dataclass(frozen=True, slots=True)
class Market:
    """Every instrument's latest quote as of one frame: the only market a decision may look at.

    Attributes:
        offset: offset of the latest applied frame in market.frames; -1 before the first.
        event_time_us: that frame's event time; the clock of every decision.
        complete: whether a full frame has been applied, so that nothing is missing.
        quotes: by instrument key.
        costs_offset: offset in market.costs of the record that the instruments' charged fees are from; -1 is none.
        impact_coefficient: Y of the square-root law as that record has it; None if it has none.

    """

    offset: int = -1
    event_time_us: int = 0
    complete: bool = False
    instruments: Mapping[str, Instrument] = field(default_factory=lambda: MappingProxyType({}))
    quotes: Mapping[str, Quote] = field(default_factory=lambda: MappingProxyType({}))
    costs_offset: int = -1
    impact_coefficient: Decimal | None = None

    def advance(
        self,
        offset: int,
        event_time_us: int,
        *,
        full: bool,
        instruments: Iterable[Instrument],
        quotes: Iterable[Quote],
    ) -> "Market":
        """Return the market after one more frame; a full frame replaces everything, another only what it names."""
        rules = {item.key: item for item in instruments}
        latest = {quote.instrument.key: quote for quote in quotes}
        return replace(
            self,
            offset=offset,
            event_time_us=event_time_us,
            complete=self.complete or full,
            instruments=MappingProxyType(rules if full else {**self.instruments, **rules}),
            quotes=MappingProxyType(latest if full else {**self.quotes, **latest}),
        )
