"""The shadow ledger over PostgreSQL: the port's `Ledger`."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import TypeVar

from trimtab.adapters.postgres.book import PostgresBook
from trimtab.adapters.postgres.outbox import Desk
from trimtab.adapters.postgres.rows import break_of, child_of, fill_of, parent_of, work_item_of
from trimtab.adapters.postgres.sessions import Sessions
from trimtab.domain.errors import LedgerConflictError
from trimtab.domain.orders import ChildOrder, ParentOrder
from trimtab.messages import Break
from trimtab.ports.ledger import Fence, FillRow, LedgerBook, WorkItem

T = TypeVar("T")


class PostgresLedger:
    """What may be spent, and what became of every order.

    `after_commit` is called after each commit that wrote messages: the relay's wake-up.
    """

    def __init__(self, sessions: Sessions, desk: Desk, after_commit: Callable[[], None] | None = None) -> None:
        self._sessions = sessions
        self._desk = desk
        self._after_commit = after_commit

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[PostgresBook]:
        """One transaction. Raises what `Sessions.transaction` raises."""
        async with self._sessions.transaction() as statements:
            book = PostgresBook(statements, self._desk)
            yield book
            await book.flush()
        if book.messages_written and self._after_commit is not None:
            self._after_commit()

    async def run(self, body: Callable[[LedgerBook], Awaitable[T]], tries_max: int = 3) -> T:
        """Run a body that touches nothing but the book in a transaction, again after a conflict.

        Raises:
            LedgerConflictError: after that many tries.

        """
        for _ in range(tries_max - 1):
            try:
                async with self.transaction() as book:
                    return await body(book)
            except LedgerConflictError:
                continue
        async with self.transaction() as book:
            return await body(book)

    async def own(self, resource: str, owner: str) -> Fence:
        (row,) = await self._sessions.rows("own", {"resource": resource, "owner": owner})
        return Fence(resource, row["epoch"])

    async def lease(self, resource: str, owner: str, seconds: float) -> Fence | None:
        values = {"resource": resource, "owner": owner, "seconds": seconds}
        rows = await self._sessions.rows("lease", values)
        return Fence(resource, rows[0]["epoch"]) if rows else None

    async def renew(self, fence: Fence, seconds: float) -> bool:
        """Keep a lease for that long from now; False if another owner has taken it."""
        values = {"resource": fence.resource, "epoch": fence.epoch, "seconds": seconds}
        return bool(await self._sessions.rows("renew", values))

    async def give_back(self, fence: Fence) -> None:
        """End a lease early, so that another process need not wait it out."""
        await self._sessions.rows("give_back", {"resource": fence.resource, "epoch": fence.epoch})

    async def work(self, shards: Sequence[int]) -> Sequence[WorkItem]:
        return [work_item_of(row) for row in await self._sessions.rows("work_of_shards", {"shards": list(shards)})]

    async def work_of(self, portfolio_id: str) -> Sequence[WorkItem]:
        rows = await self._sessions.rows("work_of_portfolio", {"portfolio_id": portfolio_id})
        return [work_item_of(row) for row in rows]

    async def open_children(self, account: str) -> Sequence[tuple[ParentOrder, ChildOrder]]:
        rows = await self._sessions.rows("open_children", {"account": account})
        return [(parent_of(row), child_of(row)) for row in rows]

    async def unsettled_fills(self) -> Sequence[FillRow]:
        return [fill_of(row) for row in await self._sessions.rows("unsettled_fills")]

    async def closed_parents(self) -> Sequence[ParentOrder]:
        return [parent_of(row) for row in await self._sessions.rows("closed_parents")]

    async def holders(self, account: str) -> Sequence[str]:
        return [row["portfolio_id"] for row in await self._sessions.rows("holders_of", {"account": account})]

    async def sums(self, account: str) -> dict[str, Decimal]:
        rows = await self._sessions.rows("account_sums", {"account": account})
        return {row["asset"]: row["posted"] for row in rows if row["posted"]}

    async def explanations(self, account: str) -> dict[str, str]:
        rows = await self._sessions.rows("explanations", {"account": account})
        return {row["asset"]: row["explained_by"] for row in rows}

    async def unfilled(self, account: str) -> set[str]:
        return {row["client_order_id"] for row in await self._sessions.rows("unfilled", {"account": account})}

    async def traded(self, account: str) -> dict[str, int]:
        rows = await self._sessions.rows("traded", {"account": account})
        return {row["instrument"]: row["since_us"] for row in rows}

    async def unrecorded(self, venue: str, account: str, trade_ids: Sequence[str]) -> set[str]:
        values = {"venue": venue, "account": account, "trade_ids": list(trade_ids)}
        return {row["trade_id"] for row in await self._sessions.rows("unrecorded", values)}

    async def quiet(self, account: str) -> bool:
        (row,) = await self._sessions.rows("is_quiet", {"account": account})
        return bool(row["quiet"])

    async def open_breaks(self, account: str | None = None) -> Sequence[Break]:
        """Return the breaks that are open, of one account or of all, oldest first."""
        return [break_of(row) for row in await self._sessions.rows("open_breaks", {"account": account})]
