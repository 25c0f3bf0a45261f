"""What happens on a market, as values: the one form in which recorded and synthetic markets reach the engine."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from trimtab.exchange.instruments import Instrument

Level = tuple[Decimal, Decimal]
"""Price and absolute quantity; quantity zero removes the level."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A whole book, best level first on both sides. It replaces whatever was known of the symbol."""

    symbol: str
    time_us: int
    last_id: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


@dataclass(frozen=True, slots=True)
class DepthUpdate:
    """Absolute quantities of the levels that changed. `first_id` follows the previous update's `last_id`.

    `time_us` is when it is due on the market clock, `event_us` the venue's own stamp. `raw` is the stream's data as
    recorded (bytes of JSON), None for a market made here.
    """

    symbol: str
    time_us: int
    event_us: int
    first_id: int
    last_id: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    raw: bytes | None = None


@dataclass(frozen=True, slots=True)
class Quote:
    """Best bid and ask with their quantities after update `update_id`."""

    symbol: str
    time_us: int
    update_id: int
    bid: Decimal
    bid_size: Decimal
    ask: Decimal
    ask_size: Decimal
    raw: bytes | None = None


@dataclass(frozen=True, slots=True)
class Trade:
    """One public trade; `buyer_is_maker` means that the seller came to the bid."""

    symbol: str
    time_us: int
    event_us: int
    trade_id: int
    price: Decimal
    quantity: Decimal
    buyer_is_maker: bool
    raw: bytes | None = None


MarketEvent = Snapshot | DepthUpdate | Quote | Trade


class Market(Protocol):
    """A source of events in the order of their times, starting with a snapshot of every symbol it lists."""

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """Trading rules by symbol."""
        ...

    @property
    def start_us(self) -> int:
        """Market time before the first event."""
        ...

    def events(self) -> Iterator[MarketEvent]:
        """All events, `time_us` never going back; finite for a recording."""
        ...


def until(events: Iterable[MarketEvent], end_us: int) -> Iterator[MarketEvent]:
    """The events before `end_us`, of a market that may have no end."""
    for event in events:
        if event.time_us >= end_us:
            return
        yield event
