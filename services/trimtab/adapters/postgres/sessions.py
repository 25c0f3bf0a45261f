"""Transactions on a pool's sessions, with trimtab's errors and nothing of a failed one left behind."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from psycopg.errors import InvalidSqlStatementName
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, args_row

from trimtab.adapters.postgres.connections import Connections, Session
from trimtab.adapters.postgres.failures import translated
from trimtab.adapters.postgres.queries import SQL
from trimtab.adapters.postgres.statements import Statements, Values
from trimtab.domain.errors import UnreachableError

T = TypeVar("T")


class Sessions:
    """One database, reached through `connections`; `address` names it in errors."""

    def __init__(self, connections: Connections, address: str) -> None:
        self._connections = connections
        self._address = address

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Statements]:
        """Run one transaction in pipeline mode: it commits when the block ends, and not at all if it raises.

        Raises the errors of `failures.translated`. After UnreachableError at the end of the block the commit may or may
        not have taken place; ids that are hashes of their causes make a second try safe.
        """
        try:
            with translated(self._address):
                async with (
                    self._session() as session,
                    _rolled_back(session),
                    session.pipeline() as pipeline,
                ):
                    await session.execute("BEGIN")
                    yield Statements(session, pipeline)
                    await session.execute("COMMIT")
        except UnreachableError:
            # The other idle sessions are likely to be lost too: let each be tried now, not by the next callers.
            await self._connections.check()
            raise

    async def rows(self, name: str, values: Values | None = None) -> Sequence[DictRow]:
        """Run one query by itself and return its rows."""
        async with self._alone() as session:
            return await Statements(session).rows(name, values)

    async def made(self, name: str, values: Values, make: Callable[..., T]) -> Sequence[T]:
        """Run one query by itself and return what `make` makes of each row's columns: for thousands of rows."""
        async with self._alone() as session:
            cursor = session.cursor(row_factory=args_row(make))
            return await (await cursor.execute(SQL[name].encode(), values)).fetchall()

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[Session]:
        """Give a session for one query without a transaction around it. Raises the errors of `failures.translated`."""
        try:
            with translated(self._address):
                async with self._session() as session:
                    yield session
        except UnreachableError:
            await self._connections.check()
            raise

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Session]:
        """Give a session for a block; a cancellation while one is waited for always gets through.

        psycopg's pool waits with asyncio.wait_for, which in Python 3.11 loses a cancellation that comes together with
        the session: nobody would repeat it, and a loop would go on for good.
        """
        before = _cancellations()
        async with self._connections.connection() as session:
            if _cancellations() > before:
                raise asyncio.CancelledError
            yield session


def _cancellations() -> int:
    """Return how often the running task was asked to end; 0 without an event loop (a simulated world's)."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return 0
    return 0 if task is None else task.cancelling()


@asynccontextmanager
async def _rolled_back(session: Session) -> AsyncIterator[None]:
    """Leave no transaction open on the session, whatever happened inside; a session in doubt is closed."""
    try:
        yield
    except InvalidSqlStatementName:  # the client believes in a statement that the server never took: it would for good
        await session.close()
        raise
    finally:
        match session.info.transaction_status:
            case TransactionStatus.IDLE | TransactionStatus.UNKNOWN:
                pass
            case TransactionStatus.INTRANS | TransactionStatus.INERROR:
                await session.execute("ROLLBACK")
            case _:
                await session.close()
