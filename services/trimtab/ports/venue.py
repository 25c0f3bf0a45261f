"""A venue account as the executor and the reconciler see it, and the market feed as ingest sees it."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from trimtab.domain.instruments import Instrument
from trimtab.domain.orders import ChildOrder, Liquidity, OrderState, ParentOrder, Side


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution as the venue reports it, with the fee it charged for it."""

    trade_id: str
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    liquidity: Liquidity
    event_time_us: int


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    """What the venue says of one order: its state, what is filled so far, and the executions this report carries."""

    venue: str
    account: str
    instrument: str
    client_order_id: str
    venue_order_id: str
    state: OrderState
    filled: Decimal
    event_time_us: int
    reason: str = ""
    executions: tuple[Execution, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """The venue's own evidence that the order was not and will not be placed. `code` is stable, `reason` for people."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class NotPlaced:
    """The request did not reach the order book (rate limit, no connection): the same request may be tried again."""

    reason: str
    retry_after_ms: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """No answer that can be believed: the order may or may not be live."""

    reason: str


@dataclass(frozen=True, slots=True)
class Absent:
    """A look-up that found nothing; of an order that proves nothing before its receive window has passed."""


@dataclass(frozen=True, slots=True)
class Reconnected:
    """The user stream was interrupted: what happened meanwhile has to be fetched."""

    account: str


@dataclass(frozen=True, slots=True)
class VenueTrade:
    """An own trade as the venue's history has it."""

    instrument: str
    venue_order_id: str
    side: Side
    execution: Execution


class Venue(Protocol):
    """One account at one venue. No method raises for what a venue can answer: the answer is the value."""

    name: str
    account: str

    @property
    def absence_window_ms(self) -> int:
        """Time after a request's own stamp at which it can no longer arrive: receive window plus clock skew.

        The venue refuses a request older than its receive window. Only after that does "not found" say anything, and
        as reads may lag it is asked more than once. To be read after such an answer: it is as of the last one, as the
        venue's clock may be further behind than was to be reckoned with.
        """

    async def place(
        self, parent: ParentOrder, child: ChildOrder
    ) -> ExecutionReport | Refused | NotPlaced | Unknown: ...

    async def cancel(self, parent: ParentOrder, child: ChildOrder) -> ExecutionReport | Absent | Unknown:
        """Cancel by client id; `Absent` when the venue's book has no such open order.

        It may have been filled, where the venue does not tell that apart; where it does, a filled one is `Unknown`.
        """

    async def find(self, parent: ParentOrder, child: ChildOrder) -> ExecutionReport | Absent | Unknown:
        """Look an order up by its client id, with all its executions."""

    async def trades(self, instrument: str, since_us: int) -> Sequence[VenueTrade] | Absent | Unknown:
        """Return own trades at or after this venue time, oldest first; `Absent` if there is no such instrument."""

    async def open_orders(self) -> Sequence[ExecutionReport] | Unknown: ...

    async def balances(self) -> dict[str, Decimal] | Unknown:
        """Return free plus locked, by asset, zeros left out."""

    def reports(self) -> AsyncGenerator[ExecutionReport | Reconnected, None]:
        """Yield what the user stream brings; a `Reconnected` after every interruption, and first of all.

        Whoever stops reading before the end closes it (`aclosing`): an account has one reader at a time.
        """


@dataclass(frozen=True, slots=True)
class BookUpdate:
    """The top of one book after a venue update: exact (price, quantity) pairs, best first on both sides."""

    instrument: Instrument
    update_id: int
    event_time_us: int
    received_us: int
    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]


@dataclass(frozen=True, slots=True)
class PublicTrade:
    """One public trade."""

    instrument: Instrument
    trade_id: str
    event_time_us: int
    received_us: int
    price: Decimal
    quantity: Decimal
    aggressor: Side


@dataclass(frozen=True, slots=True)
class Stale:
    """The feed lost sync of an instrument: its last book must not be traded on until the next update."""

    instrument: Instrument
    reason: str


class MarketFeed(Protocol):
    """A venue's public market data, resynchronised by itself after gaps and drops."""

    async def instruments(self) -> Sequence[Instrument]:
        """Return the rules of every configured instrument. Raise UnreachableError if the venue does not answer."""

    def updates(self) -> AsyncIterator[BookUpdate | PublicTrade | Stale]: ...
