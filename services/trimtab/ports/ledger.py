"""The shadow ledger as the services see it: one transaction at a time, fenced, with an outbox."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from trimtab.domain.orders import ChildOrder, ParentOrder, ParentState, Side
from trimtab.messages import Break, Message, Signal
from trimtab.ports.venue import Execution

# Holder of what an account has that no portfolio was given yet.
UNALLOCATED = "~unallocated"


@dataclass(frozen=True, slots=True)
class Fence:
    """Proof of ownership that every write checks: the epoch this process took for a resource ("signals/3")."""

    resource: str
    epoch: int


@dataclass(frozen=True, slots=True)
class PortfolioRow:
    """A portfolio under lock, inside a transaction."""

    portfolio_id: str
    ledger_version: int
    document_version: int
    document: str
    halted: bool
    dry_run: bool


@dataclass(frozen=True, slots=True)
class FillRow:
    """A recorded fill that may or may not be settled yet."""

    venue: str
    account: str
    trade_id: str
    portfolio_id: str
    parent_id: str
    client_order_id: str
    side: Side
    base: str
    quote: str
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    event_time_us: int
    settled: bool


@dataclass(frozen=True, slots=True)
class WorkItem:
    """A parent that is not released, with its latest child (None before the first) and the number of children."""

    parent: ParentOrder
    child: ChildOrder | None
    attempts: int
    dry_run: bool
    halted: bool = False


class TradingBook(Protocol):
    """What trading needs of the ledger inside one transaction. Everything commits together or not at all.

    Lock order: portfolio first, then its balances in sorted order. Messages given to `emit` leave through the outbox.
    """

    async def fence(self, fence: Fence) -> None:
        """Raise FencedError unless this epoch is still the resource's newest, at the latest at the commit."""

    async def portfolio(self, portfolio_id: str) -> PortfolioRow | None:
        """Lock and return a portfolio."""

    async def record_signal(self, signal: Signal, outcome: str, reason: str) -> None:
        """Keep a settled signal (accepted or refused); at most one per (portfolio, ledger_version)."""

    async def reserve(self, parent: ParentOrder, asset: str, amount: Decimal) -> None:
        """Set funds aside for a parent. Raise InsufficientFundsError if less is available."""

    async def available(self, portfolio_id: str, account: str, asset: str) -> Decimal: ...

    async def add_parent(self, parent: ParentOrder, *, dry_run: bool) -> None: ...

    async def change_parent(
        self, parent_id: str, *, state: ParentState, quantity: Decimal | None = None, reason: str = ""
    ) -> None: ...

    async def add_child(self, child: ChildOrder) -> None: ...

    async def work_item(self, parent_id: str) -> WorkItem | None: ...

    async def work_items(self, portfolio_id: str) -> Sequence[WorkItem]:
        """Return every parent of a portfolio that is not released, in the order they were written."""

    async def child(self, client_order_id: str) -> tuple[ParentOrder, ChildOrder] | None: ...

    async def change_child(self, child: ChildOrder, reason: str) -> None:
        """Write a child's new state; `recorded` is not written, it is the sum of the fills."""

    async def add_fill(self, parent: ParentOrder, child: ChildOrder, execution: Execution) -> FillRow | None:
        """Record an execution once; None if it was there already. What is recorded of child and parent rises with it.

        Raises LedgerRefusedError if another execution has its trade id.
        """

    async def fill(self, venue: str, account: str, trade_id: str) -> FillRow | None: ...

    async def post_fill(self, fill: FillRow) -> None:
        """Book a fill: postings that sum to zero, its reservation consumed, the fill marked settled.

        The portfolio pays the fee, or what nobody holds yet in the account. Nothing is written when this raises
        UncoveredFeeError (neither has it) or InsufficientFundsError (too little for the trade itself).
        """

    async def releasable(self, parent_id: str) -> bool:
        """Tell whether a parent is closed and nothing of it can still change a balance.

        That is: every child final, every child's fills recorded as far as the venue reports it filled, all settled.
        """

    async def release(self, parent_id: str) -> None:
        """Void what is left of a parent's reservation and mark it released."""

    async def transfer(
        self,
        entry_id: str,
        kind: str,
        holder: str,
        account: str,
        asset: str,
        amount: Decimal,
        event_time_us: int,
    ) -> bool:
        """Book a deposit (positive) or withdrawal (negative) of a holder, once per entry_id.

        Raises InsufficientFundsError if less is available than goes out.
        """

    async def add_account(self, account: str, venue: str) -> None:
        """Register a venue account; one that is there stays as it is."""

    async def apply_portfolio(self, portfolio_id: str, document: str, accounts: Sequence[str], *, dry_run: bool) -> int:
        """Write a new version of a portfolio's document (or its first) and return its number; `bump` publishes it."""

    async def bump(self, portfolio_id: str, reason: str, event_time_us: int, not_before_us: int | None = None) -> int:
        """Raise the ledger version, put the new portfolio.state into the outbox, and return the version."""

    async def halt(self, portfolio_id: str, reason: str) -> None:
        """Stop a portfolio, raise its version and publish that; one that is halted keeps its first reason."""

    async def emit(self, message: Message) -> None:
        """Put a message into the outbox; one whose event id its topic has already is dropped.

        Events of orders, parents and fills are numbered here: `ledger_sequence` counts a portfolio's from 1 and leaves
        none out, whatever was dropped.
        """


class LedgerBook(TradingBook, Protocol):
    """The whole ledger inside one transaction: what comparing with venues and people's commands need as well."""

    async def child_by_venue_order(
        self, account: str, instrument: str, venue_order_id: str
    ) -> tuple[ParentOrder, ChildOrder] | None:
        """Return the order that the venue knows by its own id, which may be unique per instrument only."""

    async def allocate(
        self, entry_id: str, portfolio_id: str, account: str, asset: str, amount: Decimal, event_time_us: int
    ) -> bool:
        """Give a portfolio what nobody holds yet in an account (negative: take it back), once per entry_id.

        Raises InsufficientFundsError if the giver has less available.
        """

    async def resume(self, portfolio_id: str) -> bool:
        """Lift a portfolio's own halt and publish that; False if it has none. Kill switches stay as they are."""

    async def throw_switch(self, scope: str, name: str, reason: str, event_time_us: int) -> Sequence[str]:
        """Halt everything ("all", "") or a venue ("venue", its name), publish that, return the portfolios concerned."""

    async def clear_switch(self, scope: str, name: str, event_time_us: int) -> Sequence[str]:
        """Lift a kill switch; portfolios halted for a reason of their own stay halted."""

    async def open_break(self, found: Break) -> bool:
        """Keep a break and emit it; False if the same one (account, portfolio, kind, asset) is already open."""

    async def close_break(self, found: Break) -> bool:
        """Resolve the open break of this account, portfolio, kind and asset, and emit it; False if none is open."""

    async def open_breaks(self, account: str | None = None) -> Sequence[Break]:
        """Return the breaks that are open, of one account or of all, oldest first."""

    async def note_break(self, found: Break) -> bool:
        """Write what is to be said (`detail`) of the open break of this account, portfolio, kind and asset; emit it."""

    async def explain_break(self, account: str, asset: str, portfolio_id: str) -> Break | None:
        """Say that what an account lacks was taken out of a portfolio; None if no such unexplained break is open.

        Only says so: the reconciler books it if it still stands. Saying it again replaces what was said.
        """

    async def explanations(self, account: str) -> dict[str, str]:
        """Return, by asset, the portfolio that each open break was explained by; it stays so until the commit."""

    async def say_unfilled(self, client_order_id: str, portfolio_id: str) -> Break | None:
        """Say that no more of an order was executed than is recorded; None if no break of it is open as denied.

        Only says so: the reconciler ends the order if its venue goes on denying it. Raises LedgerRefusedError if the
        venue itself told of more.
        """

    async def unfilled(self, account: str) -> set[str]:
        """Return the denied orders that somebody said so of; it stays so until the commit."""

    async def raise_watermark(self, account: str, instrument: str, since_us: int) -> None:
        """Move the venue time up to which own trades were compared forward; it never goes back."""


class TradingLedger(Protocol):
    """What trading needs of the shadow ledger: what may be spent, and what became of every order."""

    def transaction(self) -> AbstractAsyncContextManager[TradingBook]: ...

    async def own(self, resource: str, owner: str) -> Fence:
        """Take a resource: its epoch rises, and every earlier owner is fenced off."""

    async def work(self, shards: Sequence[int]) -> Sequence[WorkItem]:
        """Return every parent of these shards that is not released."""

    async def work_of(self, portfolio_id: str) -> Sequence[WorkItem]:
        """Return every parent of one portfolio that is not released."""

    async def open_children(self, account: str) -> Sequence[tuple[ParentOrder, ChildOrder]]:
        """Return children of an account that are not final, or are filled beyond what is recorded."""

    async def lease(self, resource: str, owner: str, seconds: float) -> Fence | None:
        """Take a resource that is free or whose lease ran out, or renew one's own; None while another holds it."""


class Ledger(TradingLedger, Protocol):
    """The whole shadow ledger."""

    def transaction(self) -> AbstractAsyncContextManager[LedgerBook]: ...

    async def unsettled_fills(self) -> Sequence[FillRow]:
        """Return recorded fills that are not booked yet, oldest first."""

    async def closed_parents(self) -> Sequence[ParentOrder]:
        """Return parents that are closed but not released."""

    async def holders(self, account: str) -> Sequence[str]:
        """Return the portfolios that use an account, sorted."""

    async def sums(self, account: str) -> dict[str, Decimal]:
        """Return what the ledger has of an account, by asset, over all holders; zeros left out."""

    async def open_breaks(self, account: str | None = None) -> Sequence[Break]:
        """Return the breaks that are open, of one account or of all, oldest first."""

    async def explanations(self, account: str) -> dict[str, str]:
        """Return, by asset, the portfolio that each open break of an account was explained by."""

    async def unfilled(self, account: str) -> set[str]:
        """Return the denied orders of an account of which somebody said that no more of them was executed."""

    async def traded(self, account: str) -> dict[str, int]:
        """Return every instrument that our orders were for, and from which venue time its trades are to be compared.

        That is the watermark, or before the first comparison the time of the first decision.
        """

    async def unrecorded(self, venue: str, account: str, trade_ids: Sequence[str]) -> set[str]:
        """Return those of these trade ids that no fill is recorded for."""

    async def quiet(self, account: str) -> bool:
        """Tell whether nothing of an account is in flight: no order that is not final, no fill that is not booked."""

    async def renew(self, fence: Fence, seconds: float) -> bool:
        """Keep a lease for that long from now; False if another owner has taken it."""

    async def give_back(self, fence: Fence) -> None:
        """End a lease early, so that another process need not wait it out."""
