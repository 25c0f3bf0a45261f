"""Runs the named queries on one session."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import AsyncCursor, AsyncPipeline
from psycopg.rows import DictRow

from trimtab.adapters.postgres.connections import Session
from trimtab.adapters.postgres.queries import SQL

Values = Mapping[str, Any]  # Any: what psycopg can send


class Statements:
    """One session. In pipeline mode `send` does not wait for an answer; `rows` does, and hears of earlier errors."""

    def __init__(self, session: Session, pipeline: AsyncPipeline | None = None) -> None:
        self._session = session
        self._pipeline = pipeline

    async def send(self, name: str, values: Values | None = None) -> AsyncCursor[DictRow]:
        """Send a query; read its cursor later, or never."""
        return await self._session.execute(SQL[name].encode(), values)

    async def rows(self, name: str, values: Values | None = None) -> Sequence[DictRow]:
        """Send a query and return its rows."""
        return await (await self._answered(name, values)).fetchall()

    async def row(self, name: str, values: Values | None = None) -> DictRow | None:
        """Send a query and return its first row."""
        return await (await self._answered(name, values)).fetchone()

    async def _answered(self, name: str, values: Values | None) -> AsyncCursor[DictRow]:
        cursor = await self.send(name, values)
        if self._pipeline is not None:
            # A sync costs the same round trip as waiting for the rows alone, and the server counts the session as idle
            # from here on: if this process stops now, its locks do not outlive the idle limit.
            await self._pipeline.sync()
        return cursor
