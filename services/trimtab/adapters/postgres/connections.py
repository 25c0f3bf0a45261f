"""Connections to the ledger's database."""

from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

Session = AsyncConnection[DictRow]

# A process that is stopped in the middle of a transaction must not hold its locks for ever, nor one whose machine is
# gone; a query that takes this long waits for such a lock.
_SERVER_SETTINGS = {
    "idle_in_transaction_session_timeout": "5s",
    "statement_timeout": "15s",
    "lock_timeout": "10s",
    "tcp_user_timeout": "10s",
    "timezone": "UTC",
}
# Between two statements of a pipeline PostgreSQL does not count as idle, so the whole transaction has a limit as well.
_TRANSACTION_TIMEOUT = "20s"
_TRANSACTION_TIMEOUT_SINCE = 170_000

SESSION: dict[str, Any] = {  # Any: psycopg's connection arguments have no common type
    "autocommit": True,  # the ledger says itself where a transaction begins and ends
    "row_factory": dict_row,
    "prepare_threshold": 1,  # every statement is used again and again
    "options": " ".join(f"-c {name}={value}" for name, value in _SERVER_SETTINGS.items()),
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,
    "application_name": "trimtab",
}


class Connections(Protocol):
    """Where sessions come from: a pool, or one connection that a simulated world drives."""

    def connection(self) -> AbstractAsyncContextManager[Session]: ...

    async def check(self) -> None:
        """Try the idle sessions and replace those that are lost."""


def pool_of(dsn: str, sessions_max: int = 8) -> AsyncConnectionPool[Session]:
    """Sessions for one process, not open yet (`async with`); lost ones are replaced without being asked for.

    A call waits at most 5 s for a session.
    """
    return AsyncConnectionPool(
        dsn,
        connection_class=AsyncConnection[DictRow],
        kwargs=SESSION,
        min_size=min(2, sessions_max),
        max_size=sessions_max,
        timeout=5.0,
        reconnect_timeout=30.0,
        open=False,
        configure=_limit_transactions,
    )


async def _limit_transactions(session: Session) -> None:
    if session.info.server_version >= _TRANSACTION_TIMEOUT_SINCE:
        await session.execute(f"SET transaction_timeout = '{_TRANSACTION_TIMEOUT}'".encode())
