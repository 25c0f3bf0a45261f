"""Runs the named queries on one session."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import AsyncCursor
from psycopg.rows import DictRow

from trimtab.adapters.postgres.connections import Session
from trimtab.adapters.postgres.queries import SQL

Values = Mapping[str, Any]  # Any: what psycopg can send


class Statements:
    """One session in pipeline mode: `send` does not wait for the answer, `rows` does and so hears of earlier errors."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def send(self, name: str, values: Values | None = None) -> AsyncCursor[DictRow]:
        """Send a query; read its cursor later, or never."""
        return await self._session.execute(SQL[name].encode(), values)

    async def rows(self, name: str, values: Values | None = None) -> Sequence[DictRow]:
        """Send a query and return its rows."""
        return await (await self.send(name, values)).fetchall()

    async def row(self, name: str, values: Values | None = None) -> DictRow | None:
        """Send a query and return its first row."""
        return await (await self.send(name, values)).fetchone()
