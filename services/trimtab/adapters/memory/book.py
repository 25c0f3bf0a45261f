"""The ledger in memory inside one transaction."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from trimtab.adapters.memory.postings import Postings
from trimtab.adapters.memory.rows import ParentEntry, PortfolioEntry, Undo
from trimtab.adapters.memory.store import Store
from trimtab.domain.amounts import quantise
from trimtab.domain.errors import FencedError, IllegalTransitionError, LedgerRefusedError
from trimtab.domain.orders import TRANSITIONS, ChildOrder, ParentOrder, ParentState
from trimtab.messages import Fill, Message, OrderEvent, ParentEvent, Signal
from trimtab.ports.ledger import Fence, FillRow, PortfolioRow, WorkItem
from trimtab.ports.venue import Execution

_HOUR_US = 3_600_000_000
_STEPS = (ParentState.WAITING, ParentState.WORKING, ParentState.CLOSED, ParentState.RELEASED)


class MemoryBook:
    """Implements ports.ledger.TradingBook; `outbox` takes what is to be told once the transaction is committed.

    With `newest_only` a portfolio's states are not among that: that it has a new one is noted in the store.
    """

    def __init__(self, store: Store, undo: Undo, outbox: list[Message], *, newest_only: bool) -> None:
        self._store = store
        self._newest_only = newest_only
        self._undo = undo
        self._outbox = outbox
        self._postings = Postings(store, undo)

    async def fence(self, fence: Fence) -> None:
        """Raise FencedError unless this epoch is still the resource's newest."""
        if self._store.epochs.get(fence.resource) != fence.epoch:
            raise FencedError(f"{fence.resource}: epoch {fence.epoch} is not the newest")

    # Portfolios

    async def add_account(self, account: str, venue: str) -> None:
        """Register a venue account; one that is there stays as it is."""
        self._undo.put(self._store.accounts, account, self._store.accounts.get(account, venue))

    async def apply_portfolio(self, portfolio_id: str, document: str, accounts: Sequence[str], *, dry_run: bool) -> int:
        """Write a new version of a portfolio's document (or its first) and return its number.

        Raises LedgerRefusedError if an account is not registered.
        """
        missing = [account for account in accounts if account not in self._store.accounts]
        if missing:
            raise LedgerRefusedError(f"ledger: there is no account {missing[0]}")
        known = self._store.portfolios.get(portfolio_id)
        entry = PortfolioEntry(portfolio_id, document, tuple(accounts), dry_run)
        if known is not None:
            entry = replace(known, document=document, dry_run=dry_run, document_version=known.document_version + 1)
        self._undo.put(self._store.portfolios, portfolio_id, entry)
        return entry.document_version

    async def portfolio(self, portfolio_id: str) -> PortfolioRow | None:
        """Return a portfolio."""
        found = self._store.portfolios.get(portfolio_id)
        if found is None:
            return None
        versions = found.ledger_version, found.document_version
        return PortfolioRow(portfolio_id, *versions, found.document, bool(found.halt_reason), found.dry_run)

    async def record_signal(self, signal: Signal, outcome: str, reason: str) -> None:
        """Keep that a signal was settled, and for an hour when an accepted one was decided; one per version."""
        del reason
        found = self._require(signal.portfolio_id)
        if signal.ledger_version <= found.settled_version:
            raise LedgerRefusedError(f"signal_one_per_version: {signal.portfolio_id}, {signal.ledger_version}")
        accepted = found.accepted_us
        if outcome == "accepted":
            recent = (at for at in accepted if at > signal.event_time_us - _HOUR_US)
            accepted = (*recent, signal.event_time_us)
        self._write(replace(found, settled_version=signal.ledger_version, accepted_us=accepted))

    async def bump(self, portfolio_id: str, reason: str, event_time_us: int, not_before_us: int | None = None) -> int:
        """Raise the ledger version and tell the new state. Event time never goes back."""
        found = self._require(portfolio_id)
        found = replace(
            found,
            ledger_version=found.ledger_version + 1,
            event_time_us=max(found.event_time_us, event_time_us),
            not_before_us=found.not_before_us if not_before_us is None else not_before_us,
        )
        self._write(found)
        if self._newest_only:
            self._undo.put(self._store.stirred, portfolio_id, reason)
        else:
            self._outbox.append(self._store.state(found, reason))
        return found.ledger_version

    async def halt(self, portfolio_id: str, reason: str) -> None:
        """Stop a portfolio, raise its version and tell that; one that is halted keeps its first reason."""
        found = self._require(portfolio_id)
        if not found.halt_reason:
            self._write(replace(found, halt_reason=reason or "halted"))
            await self.bump(portfolio_id, f"halted: {reason}", found.event_time_us)

    async def resume(self, portfolio_id: str) -> bool:
        """Lift a portfolio's halt, raise its version and tell that; False if it has none."""
        found = self._require(portfolio_id)
        if not found.halt_reason:
            return False
        self._write(replace(found, halt_reason=""))
        await self.bump(portfolio_id, "resumed", found.event_time_us)
        return True

    async def emit(self, message: Message) -> None:
        """Tell a message after the commit; of an order's events each only once, numbered by portfolio."""
        if isinstance(message, OrderEvent | ParentEvent | Fill):
            found, entry = self._require(message.portfolio_id), self._store.parents.get(message.parent_id)
            if entry is not None:
                if message.event_id in entry.told:
                    return
                self._change(replace(entry, told=entry.told | {message.event_id}))
            self._write(replace(found, ledger_sequence=found.ledger_sequence + 1))
            message = replace(message, ledger_sequence=found.ledger_sequence + 1)
        self._outbox.append(message)

    # Orders

    async def add_parent(self, parent: ParentOrder, *, dry_run: bool) -> None:
        """Write a new parent. Raise LedgerRefusedError if its id is taken."""
        if parent.parent_id in self._store.parents:
            raise LedgerRefusedError(f"parent order {parent.parent_id} stands already")
        self._undo.put(self._store.parents, parent.parent_id, ParentEntry(parent, dry_run))
        names = (*self._store.parents_of.get(parent.portfolio_id, ()), parent.parent_id)
        self._undo.put(self._store.parents_of, parent.portfolio_id, names)

    async def change_parent(
        self, parent_id: str, *, state: ParentState, quantity: Decimal | None = None, reason: str = ""
    ) -> None:
        """Write a parent's state. Raises IllegalTransitionError for a step back, LedgerRefusedError if it grows."""
        entry = self._store.parents[parent_id]
        if _STEPS.index(state) < _STEPS.index(entry.order.state):
            raise IllegalTransitionError(f"parent order {parent_id} is {entry.order.state} and cannot become {state}")
        size = entry.order.quantity if quantity is None else quantity
        if size > entry.order.quantity:
            raise LedgerRefusedError(f"parent order {parent_id}: its quantity only shrinks")
        self._change(replace(entry, order=replace(entry.order, state=state, quantity=size), reason=reason))

    async def add_child(self, child: ChildOrder) -> None:
        """Write a new child of a parent that has no live one (else LedgerRefusedError)."""
        entry = self._store.parents[child.parent_id]
        if entry.children and not self._store.children[entry.children[-1]].state.terminal:
            raise LedgerRefusedError(f"parent order {child.parent_id} has a live child (child_order_one_live)")
        self._undo.put(self._store.children, child.client_order_id, child)
        self._change(replace(entry, children=(*entry.children, child.client_order_id)))

    async def change_child(self, child: ChildOrder, reason: str) -> None:
        """Write a child's new state; `recorded` is not written, it is the sum of the fills.

        Raises IllegalTransitionError for a step that is none.
        """
        del reason
        before = self._store.children[child.client_order_id]
        if child.state is not before.state and child.state not in TRANSITIONS[before.state]:
            raise IllegalTransitionError(
                f"order {child.client_order_id} is {before.state} and cannot become {child.state}"
            )
        self._undo.put(self._store.children, child.client_order_id, replace(child, recorded=before.recorded))

    async def child(self, client_order_id: str) -> tuple[ParentOrder, ChildOrder] | None:
        """Return an order that is not released, with its parent."""
        found = self._store.children.get(client_order_id)
        return None if found is None else (self._store.parents[found.parent_id].order, found)

    async def work_item(self, parent_id: str) -> WorkItem | None:
        """Return a parent that is not released."""
        return self._store.item(parent_id) if parent_id in self._store.parents else None

    async def work_items(self, portfolio_id: str) -> Sequence[WorkItem]:
        """Return every parent of a portfolio that is not released, in the order they were written."""
        return [self._store.item(name) for name in self._store.parents_of.get(portfolio_id, ())]

    # Fills and funds

    async def add_fill(self, parent: ParentOrder, child: ChildOrder, execution: Execution) -> FillRow | None:
        """Record an execution once; None if it was there already. Raises LedgerRefusedError if its id means another."""
        key = parent.venue, parent.account, execution.trade_id
        row = FillRow(
            *key, parent.portfolio_id, parent.parent_id, child.client_order_id, parent.side, parent.base, parent.quote,
            quantise(execution.price), quantise(execution.quantity), quantise(execution.fee), execution.fee_asset,
            execution.event_time_us, settled=False,
        )  # fmt: skip
        known = self._store.fills.get(key)
        if known is not None:
            if (known.client_order_id, known.price, known.quantity) != (row.client_order_id, row.price, row.quantity):
                account = f"{parent.venue}/{parent.account}"
                raise LedgerRefusedError(f"trade {execution.trade_id} of {account} is recorded for another order")
            return None
        self._undo.put(self._store.fills, key, row)
        entry = self._store.parents[parent.parent_id]
        order = replace(entry.order, filled=entry.order.filled + row.quantity)
        self._change(replace(entry, order=order, fills=(*entry.fills, key)))
        kept = self._store.children[child.client_order_id]
        recorded = kept.recorded + row.quantity
        changed = replace(kept, recorded=recorded, filled=max(kept.filled, recorded))
        self._undo.put(self._store.children, child.client_order_id, changed)
        return row

    async def fill(self, venue: str, account: str, trade_id: str) -> FillRow | None:
        """Return a recorded fill of an order that is not released."""
        return self._store.fills.get((venue, account, trade_id))

    async def post_fill(self, fill: FillRow) -> None:
        """Book a fill. Raises as the port says, and LedgerRefusedError if it is booked already."""
        if self._store.fills[fill.venue, fill.account, fill.trade_id].settled:
            raise LedgerRefusedError(f"trade {fill.trade_id} is booked already")
        self._postings.fill(fill)

    async def releasable(self, parent_id: str) -> bool:
        """Tell whether a parent is closed and nothing of it can still change a balance."""
        entry = self._store.parents.get(parent_id)
        if entry is None:
            return False
        children = [self._store.children[name] for name in entry.children]
        ended = all(child.state.terminal and child.recorded == child.filled for child in children)
        return entry.order.state is ParentState.CLOSED and ended and not self._store.unbooked(entry)

    async def release(self, parent_id: str) -> None:
        """Void what is left of a parent's reservation, and forget it. Raises IllegalTransitionError if it is open."""
        if not await self.releasable(parent_id):
            raise IllegalTransitionError(f"parent order {parent_id} cannot be released: something of it is open")
        entry = self._store.parents[parent_id]
        self._postings.void(entry)
        for name in entry.children:
            self._undo.drop(self._store.children, name)
        for key in entry.fills:
            self._undo.drop(self._store.fills, key)
        self._undo.drop(self._store.parents, parent_id)
        self._store.forget(parent_id)
        portfolio_id = entry.order.portfolio_id
        names = tuple(name for name in self._store.parents_of[portfolio_id] if name != parent_id)
        self._undo.put(self._store.parents_of, portfolio_id, names)

    async def available(self, portfolio_id: str, account: str, asset: str) -> Decimal:
        """Return posted less reserved."""
        return self._store.balance(portfolio_id, account, asset).available

    async def reserve(self, parent: ParentOrder, asset: str, amount: Decimal) -> None:
        """Set funds aside for a parent. Raise InsufficientFundsError if less is available."""
        self._postings.reserve(parent, asset, amount)

    async def transfer(
        self, entry_id: str, kind: str, holder: str, account: str, asset: str, amount: Decimal, event_time_us: int
    ) -> bool:
        """Book a deposit (positive) or withdrawal (negative), once per entry_id. Raises as the port says."""
        del kind, event_time_us
        if entry_id in self._store.transfers:
            return False
        self._postings.transfer(holder, account, asset, quantise(amount))
        self._undo.put(self._store.transfers, entry_id, None)
        return True

    def _require(self, portfolio_id: str) -> PortfolioEntry:
        found = self._store.portfolios.get(portfolio_id)
        if found is None:
            raise LedgerRefusedError(f"ledger: there is no portfolio {portfolio_id}")
        return found

    def _write(self, entry: PortfolioEntry) -> None:
        self._undo.put(self._store.portfolios, entry.portfolio_id, entry)

    def _change(self, entry: ParentEntry) -> None:
        self._undo.put(self._store.parents, entry.order.parent_id, entry)
