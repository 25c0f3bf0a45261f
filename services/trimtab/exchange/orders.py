"""Orders, executions and what the engine reports about them."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from trimtab.exchange.book import ZERO
from trimtab.exchange.instruments import Prevention
from trimtab.exchange.liquidity import Side

OrderType = Literal["LIMIT", "LIMIT_MAKER", "MARKET"]
TimeInForce = Literal["GTC", "IOC", "FOK"]
Status = Literal["NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH"]
ReportKind = Literal["NEW", "TRADE", "CANCELED", "EXPIRED", "TRADE_PREVENTION"]

OPEN: frozenset[Status] = frozenset({"NEW", "PARTIALLY_FILLED"})


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What a client asks for. Exactly one of `quantity` (base) and `quote_quantity` (MARKET only) is positive.

    `prevention` None is the symbol's own.
    """

    symbol: str
    side: Side
    type: OrderType
    client_order_id: str
    quantity: Decimal = ZERO
    quote_quantity: Decimal = ZERO
    price: Decimal = ZERO
    time_in_force: TimeInForce = "GTC"
    prevention: Prevention | None = None


@dataclass(slots=True)
class Order:
    """An accepted order. `ahead` is the published quantity at its price that stands before it; `locked` is what is
    still held for it (quote units for a buy, base for a sell); ids count per symbol, as on the real exchange.
    `prevented` is the quantity that expired because it would have met the account's own order, in the match of
    `prevented_match_id`.
    """

    account: str
    symbol: str
    order_id: int
    client_order_id: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    price: Decimal
    quantity: Decimal
    quote_quantity: Decimal
    created_us: int
    updated_us: int
    status: Status = "NEW"
    executed: Decimal = ZERO
    executed_quote: Decimal = ZERO
    locked: Decimal = ZERO
    ahead: Decimal = ZERO
    prevention: Prevention = "EXPIRE_MAKER"
    prevented: Decimal = ZERO
    prevented_match_id: int | None = None

    @property
    def leaves(self) -> Decimal:
        """Quantity not executed yet, base units."""
        return self.quantity - self.executed

    @property
    def is_open(self) -> bool:
        """Whether it rests in the book."""
        return self.status in OPEN


@dataclass(frozen=True, slots=True)
class Execution:
    """One fill of one order. `trade_id` counts per symbol; both sides of a trade between accounts here share it."""

    account: str
    symbol: str
    trade_id: int
    order_id: int
    client_order_id: str
    side: Side
    price: Decimal
    quantity: Decimal
    quote_quantity: Decimal
    fee: Decimal
    fee_asset: str
    maker: bool
    time_us: int


@dataclass(frozen=True, slots=True)
class PreventedMatch:
    """A trade of an account with itself that did not happen; ids count per symbol, from 0.

    `quantity` (base units) would have traded at `price`; `taker_prevented` and `maker_prevented` expired instead, zero
    for the order that stays.
    """

    account: str
    symbol: str
    match_id: int
    taker_order_id: int
    maker_order_id: int
    prevention: Prevention
    price: Decimal
    quantity: Decimal
    taker_prevented: Decimal
    maker_prevented: Decimal
    time_us: int


@dataclass(frozen=True, slots=True)
class Report:
    """An order's state after something happened to it; `order` is a copy of that moment.

    `client_order_id` is the id of the request that caused it (a cancellation has one of its own).
    """

    kind: ReportKind
    order: Order
    time_us: int
    client_order_id: str
    execution: Execution | None = None
    prevented: PreventedMatch | None = None

    @property
    def is_first_fill(self) -> bool:
        """Whether the order had traded nothing before."""
        return self.execution is not None and self.order.executed == self.execution.quantity


@dataclass(frozen=True, slots=True)
class BalanceChange:
    """One account's balance of one asset after a change, the change itself, and why."""

    account: str
    asset: str
    free: Decimal
    locked: Decimal
    delta_free: Decimal
    delta_locked: Decimal
    reason: str
    time_us: int


EngineEvent = Report | BalanceChange
