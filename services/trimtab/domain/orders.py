"""Orders: sides, kinds, states and the one table of legal steps between states."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from trimtab.domain.amounts import ZERO
from trimtab.domain.errors import IllegalTransitionError


class Side(StrEnum):
    """Which way the base currency goes."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        return 1 if self is Side.BUY else -1


class OrderKind(StrEnum):
    """How a child order meets the book."""

    LIMIT = "limit"
    LIMIT_MAKER = "limit_maker"  # refused by the venue rather than taking
    MARKET = "market"


class TimeInForce(StrEnum):
    """How long a child order lives at the venue."""

    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"


class Liquidity(StrEnum):
    """Which side of a trade we were."""

    MAKER = "maker"
    TAKER = "taker"


class OrderState(StrEnum):
    """Life of a child order.

    `SUBMITTED` is committed before the request leaves; `UNKNOWN` means that the venue's answer is missing or cannot be
    believed, and holds the funds until the venue's own evidence settles it.
    """

    INITIALIZED = "initialized"
    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    UNKNOWN = "unknown"

    @property
    def terminal(self) -> bool:
        return not TRANSITIONS[self]

    @property
    def unsettled(self) -> bool:
        """Whether only a look-up at the venue can tell what happened."""
        return self in {OrderState.SUBMITTED, OrderState.UNKNOWN}


_S = OrderState
_AT_VENUE = frozenset({_S.ACCEPTED, _S.PARTIALLY_FILLED, _S.FILLED, _S.CANCELED, _S.EXPIRED})

# A fill can overtake the answer that accepts its order, so every state the venue can be in is reachable from each
# state in which we wait for word of it.
TRANSITIONS: Mapping[OrderState, frozenset[OrderState]] = MappingProxyType(
    {
        _S.INITIALIZED: frozenset({_S.SUBMITTED, _S.CANCELED}),
        _S.SUBMITTED: _AT_VENUE | {_S.REJECTED, _S.UNKNOWN},
        _S.UNKNOWN: _AT_VENUE | {_S.REJECTED},
        _S.ACCEPTED: frozenset({_S.PARTIALLY_FILLED, _S.FILLED, _S.CANCELED, _S.EXPIRED}),
        _S.PARTIALLY_FILLED: frozenset({_S.FILLED, _S.CANCELED, _S.EXPIRED}),
        _S.FILLED: frozenset(),
        _S.CANCELED: frozenset(),
        _S.REJECTED: frozenset(),
        _S.EXPIRED: frozenset(),
    }
)


def step(current: OrderState, reported: OrderState) -> OrderState:
    """Return the state after the venue (or a look-up) reports `reported`.

    Reports may be repeated and may arrive late: one that says less than is already known changes nothing.

    Raises:
        IllegalTransitionError: if the report contradicts a final state, such as filled after rejected.

    """
    if reported is current or reported in TRANSITIONS[current]:
        return reported
    if reported in _REACHES[current]:
        return current
    raise IllegalTransitionError(f"an order that is {current} cannot become {reported}")


def _ancestors(state: OrderState) -> frozenset[OrderState]:
    found: set[OrderState] = set()
    frontier = {state}
    while frontier:
        frontier = {s for s, nexts in TRANSITIONS.items() if nexts & frontier} - found
        found |= frontier
    return frozenset(found)


# Which states lie before each state: a report of one of them is old news.
_REACHES: Mapping[OrderState, frozenset[OrderState]] = MappingProxyType({s: _ancestors(s) for s in OrderState})


class ParentState(StrEnum):
    """Life of a parent order (one trade of a signal)."""

    WAITING = "waiting"  # for the fills of the sells that fund it
    WORKING = "working"  # reserved; children may be placed
    CLOSED = "closed"  # no further child will be placed; fills may still be settling
    RELEASED = "released"  # settled: what was not spent is available again


@dataclass(frozen=True, slots=True)
class ParentOrder:
    """One trade of a signal, worked by one child order after another.

    Attributes:
        quantity: base to trade; may shrink when funds come out smaller, never grow.
        decision_price: mid at the decision, against which its cost is measured.
        limit_price: the worst price any child may have (the slippage budget).
        depends_on: parents whose proceeds fund this one.
        deadline_us: event time past which nothing of it may rest at the venue.
        volatility: of the instrument's log price, per square root of a year.
        shard: partition of rebalance.signals its portfolio lives in; whoever owns that partition works the order.

    """

    parent_id: str
    signal_id: str
    portfolio_id: str
    venue: str
    account: str
    instrument: str
    base: str
    quote: str
    side: Side
    quantity: Decimal
    decision_price: Decimal
    limit_price: Decimal
    urgency: Decimal
    volatility: Decimal
    depends_on: tuple[str, ...]
    deadline_us: int
    decided_us: int
    shard: int
    state: ParentState
    filled: Decimal = ZERO  # sum of its recorded fills, base

    @property
    def leaves(self) -> Decimal:
        return max(self.quantity - self.filled, ZERO)


@dataclass(frozen=True, slots=True)
class ChildOrder:
    """One order at the venue.

    `request_time_ms` (wall clock) is pinned before sending: the venue refuses the request when it arrives later than
    its receive window, which is what makes absence provable. `filled` is what the venue reports, `recorded` what the
    ledger has fills for; an order is settled when they agree.
    """

    client_order_id: str
    parent_id: str
    attempt: int
    kind: OrderKind
    time_in_force: TimeInForce
    quantity: Decimal
    price: Decimal
    state: OrderState
    request_time_ms: int
    placed_us: int  # event time of the frame it was placed on
    venue_order_id: str = ""
    filled: Decimal = ZERO
    recorded: Decimal = ZERO
    cancel_requested: bool = False

    @property
    def leaves(self) -> Decimal:
        return self.quantity - self.filled
