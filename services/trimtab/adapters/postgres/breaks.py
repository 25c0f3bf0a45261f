"""Breaks and watermarks inside a transaction: where ledger and venue differ, and how far they were compared."""

from collections.abc import Sequence

from trimtab.adapters.postgres.rows import break_of, break_values
from trimtab.adapters.postgres.statements import Statements
from trimtab.messages import Break


class Breaks:
    """One break of a kind is open at a time per portfolio, account and asset."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def open(self, found: Break) -> bool:
        """Keep a break; False if it is there already or the same one is open. One with a resolution is kept closed."""
        return await self._statements.row("add_break", break_values(found)) is not None

    async def close(self, found: Break) -> bool:
        """Write the resolution of the open break of this portfolio, account, kind and asset; False if none is open."""
        return await self._statements.row("close_break", break_values(found)) is not None

    async def open_ones(self, account: str | None) -> Sequence[Break]:
        return [break_of(row) for row in await self._statements.rows("open_breaks", {"account": account})]

    async def note(self, found: Break) -> bool:
        """Write the detail of the open break of this portfolio, account, kind and asset; False if none is open."""
        return await self._statements.row("note_break", break_values(found)) is not None

    async def explain(self, account: str, asset: str, portfolio_id: str) -> Break | None:
        """Mark the open unexplained break of an account and asset; None if there is none.

        Raises LedgerRefusedError if the portfolio does not use the account.
        """
        values = {"account": account, "asset": asset, "portfolio_id": portfolio_id}
        row = await self._statements.row("explain_break", values)
        return None if row is None else break_of(row)

    async def explanations(self, account: str) -> dict[str, str]:
        rows = await self._statements.rows("explanations", {"account": account})
        return {row["asset"]: row["explained_by"] for row in rows}

    async def say_unfilled(self, client_order_id: str, portfolio_id: str) -> Break | None:
        """Mark the open break of an order that the venue denies; None if there is none.

        Raises LedgerRefusedError if the venue itself told of more than is recorded.
        """
        values = {"client_order_id": client_order_id, "portfolio_id": portfolio_id}
        row = await self._statements.row("say_unfilled", values)
        return None if row is None else break_of(row)

    async def unfilled(self, account: str) -> set[str]:
        return {row["client_order_id"] for row in await self._statements.rows("unfilled", {"account": account})}

    async def raise_watermark(self, account: str, instrument: str, since_us: int) -> None:
        values = {"account": account, "instrument": instrument, "since_us": since_us}
        await self._statements.send("raise_watermark", values)
