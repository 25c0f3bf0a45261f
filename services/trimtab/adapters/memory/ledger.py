"""The shadow ledger in memory: what trading needs of it, one transaction after another, forgetting what is released.

Nothing here waits, so no other task runs inside a transaction: there is nothing to lock. What is released, with its
orders and fills, is gone, so that years of trading take no more room than what is open.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal

from trimtab.adapters.memory.book import MemoryBook
from trimtab.adapters.memory.rows import Undo
from trimtab.adapters.memory.store import Store
from trimtab.domain.orders import ChildOrder, ParentOrder
from trimtab.messages import Message, PortfolioState, Signal
from trimtab.ports.ledger import Fence, WorkItem


class MemoryLedger:
    """Implements ports.ledger.TradingLedger. What transactions leave in the outbox is handed out by `told`.

    With `newest_only` portfolios' states are not: `states` hands out the newest of each, which is all that whoever
    decides between transactions needs, and much less to make.
    """

    def __init__(self, *, newest_only: bool = False) -> None:
        self._newest_only = newest_only
        self._store = Store()
        self._outbox: list[Message] = []

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[MemoryBook]:
        """Everything that the block writes commits together; if it raises, nothing of it happened."""
        undo, outbox = Undo(), list[Message]()
        try:
            yield MemoryBook(self._store, undo, outbox, newest_only=self._newest_only)
        except BaseException:
            undo.roll_back()
            raise
        self._outbox += outbox

    @property
    def busy(self) -> bool:
        """Whether any parent is not released."""
        return bool(self._store.parents)

    def told(self) -> list[Message]:
        """Return what was committed since the last call, in that order."""
        told, self._outbox = self._outbox, []
        return told

    def states(self) -> list[PortfolioState]:
        """Return the newest state of every portfolio that has changed since the last call, in order of their names."""
        stirred, self._store.stirred = sorted(self._store.stirred.items()), {}
        return [self._store.state(self._store.portfolios[name], reason) for name, reason in stirred]

    def accepted(self, signal: Signal) -> bool:
        """Tell whether this was the portfolio's last signal that was accepted."""
        entry = self._store.portfolios[signal.portfolio_id]
        return entry.settled_version == signal.ledger_version and entry.accepted_us[-1:] == (signal.event_time_us,)

    def balances(self, portfolio_id: str) -> dict[tuple[str, str], Decimal]:
        """Return what a portfolio has, by account and asset; zeros left out."""
        rows = self._store.balances.get(portfolio_id, {})
        return {key: row.posted for key, row in sorted(rows.items()) if row.posted}

    def total(self, asset: str) -> Decimal:
        """Return the sum of an asset over all holders, the world outside included: zero, always."""
        held = (rows.items() for rows in self._store.balances.values())
        return sum((row.posted for rows in held for (_, name), row in rows if name == asset), Decimal(0))

    async def own(self, resource: str, owner: str) -> Fence:
        """Take a resource: its epoch rises, and every earlier owner is fenced off."""
        del owner
        epoch = self._store.epochs[resource] = self._store.epochs.get(resource, 0) + 1
        return Fence(resource, epoch)

    async def lease(self, resource: str, owner: str, seconds: float) -> Fence | None:
        """Take a resource: there is nobody else who could hold it."""
        del seconds
        return await self.own(resource, owner)

    async def work(self, shards: Sequence[int]) -> Sequence[WorkItem]:
        """Return every parent of these shards that is not released."""
        return [item for item in self._items() if item.parent.shard in shards]

    async def work_of(self, portfolio_id: str) -> Sequence[WorkItem]:
        """Return every parent of one portfolio that is not released."""
        return [self._store.item(name) for name in self._store.parents_of.get(portfolio_id, ())]

    async def open_children(self, account: str) -> Sequence[tuple[ParentOrder, ChildOrder]]:
        """Return children of an account that are not final, or are filled beyond what is recorded."""
        return [
            (entry.order, child)
            for entry in self._store.parents.values()
            for child in map(self._store.children.__getitem__, entry.children)
            if entry.order.account == account and (not child.state.terminal or child.recorded < child.filled)
        ]

    def _items(self) -> Iterator[WorkItem]:
        return (self._store.item(name) for name in self._store.parents)
