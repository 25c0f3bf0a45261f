"""What was decided and traded along a tape, in the terms that pipeline and engine share."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from trimtab.domain.amounts import ZERO
from trimtab.domain.market import Market
from trimtab.domain.orders import Side
from trimtab.messages import PortfolioState, Risk, Signal, Trade
from trimtab.ports.topics import Record


@dataclass(frozen=True, slots=True)
class Inputs:
    """What one decision stood on, or would have: the market at a frame, the estimate, the portfolio's state."""

    market: Market
    risk: Record[Risk] | None
    state: PortfolioState


@dataclass(frozen=True, slots=True)
class Done:
    """One fill: quote per base, base; `time_us` is the market's, UTC microseconds."""

    price: Decimal
    quantity: Decimal
    maker: bool
    time_us: int

    @property
    def terms(self) -> tuple[Decimal, Decimal, bool]:
        """What has to be the same for two fills to be equal; when it came about may differ."""
        return self.price, self.quantity, self.maker


@dataclass(frozen=True, slots=True)
class Order:
    """One order as it arrived at the venue, and what was filled of it. Times are the market's."""

    order_id: str
    parent_id: str
    instrument: str
    side: Side
    time_in_force: str
    quantity: Decimal
    price: Decimal
    arrived_us: int
    fills: tuple[Done, ...] = ()

    @property
    def terms(self) -> tuple[str, Decimal, Decimal]:
        """What has to be the same for two orders of a trade to be equal, but for when they arrived."""
        return self.time_in_force, self.quantity, self.price

    @property
    def filled(self) -> Decimal:
        """The sum of its fills, base."""
        return sum((each.quantity for each in self.fills), ZERO)


@dataclass(frozen=True, slots=True)
class Given:
    """A signal, the market's time of the newest book in its frame, and the orders it led to, as they arrived.

    `dropped` says why the executor did not take it up; it is empty if it did.
    """

    signal: Signal
    market_us: int
    orders: tuple[Order, ...]
    dropped: str = ""

    @property
    def legs(self) -> tuple["Leg", ...]:
        """What it advises, in an order of its own."""
        return legs_of(self.signal.trades)

    def orders_of(self, leg: tuple[str, Side]) -> list[Order]:
        """The orders of one of its trades, by instrument and side."""
        return [order for order in self.orders if (order.instrument, order.side) == leg]


@dataclass(frozen=True, slots=True)
class Leg:
    """One trade of a signal, as far as pipeline and engine have to agree on it."""

    instrument: str
    side: Side
    quantity: Decimal
    decision_price: Decimal
    limit_price: Decimal

    @property
    def key(self) -> tuple[str, Side]:
        """What tells it from the other trades of its signal."""
        return self.instrument, self.side

    def __str__(self) -> str:
        return f"{self.side} {self.quantity.normalize():f} {self.instrument} at {self.decision_price.normalize():f}"


def legs_of(trades: Sequence[Trade]) -> tuple[Leg, ...]:
    """Return what these trades come to, sorted by instrument and side."""
    found = [Leg(each.instrument, each.side, each.quantity, each.decision_price, each.limit_price) for each in trades]
    return tuple(sorted(found, key=lambda leg: leg.key))
