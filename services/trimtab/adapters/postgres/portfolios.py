"""Portfolios inside a transaction: their lock, their version, what they publish, and what stops them."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.rows import DictRow

from trimtab.adapters.postgres.balances import Balances
from trimtab.adapters.postgres.outbox import Outbox
from trimtab.adapters.postgres.statements import Statements
from trimtab.domain.errors import LedgerRefusedError
from trimtab.domain.ids import derive
from trimtab.domain.orders import Side
from trimtab.messages import OpenOrder, PortfolioState, Position
from trimtab.ports.ledger import PortfolioRow

_HOUR_US = 3_600_000_000


@dataclass(slots=True)
class _Locked:
    """A portfolio under lock. Its counters are written once, before the commit."""

    portfolio_id: str
    ledger_version: int
    ledger_sequence: int
    document_version: int
    document: str
    dry_run: bool
    event_time_us: int
    not_before_us: int
    halt_reason: str
    own_halt: bool
    reason: str = ""
    changed: bool = False

    @property
    def halted(self) -> bool:
        return self.halt_reason != ""

    @classmethod
    def of(cls, row: DictRow, switch: DictRow | None) -> "_Locked":
        values = dict(row)
        own_halt = values.pop("halted")
        if not own_halt:
            values["halt_reason"] = switch["reason"] if switch is not None else ""
        return cls(own_halt=own_halt, **values)


class Portfolios:
    """The portfolios that one transaction has locked."""

    def __init__(self, statements: Statements, balances: Balances, outbox: Outbox) -> None:
        self._statements = statements
        self._balances = balances
        self._outbox = outbox
        self._locked: dict[str, _Locked] = {}

    async def lock(self, portfolio_id: str) -> PortfolioRow | None:
        """Lock a portfolio and load its balances: one round trip, none if it is locked already."""
        found = self._locked.get(portfolio_id) or await self._take(portfolio_id)
        if found is None:
            return None
        return PortfolioRow(
            portfolio_id=portfolio_id,
            ledger_version=found.ledger_version,
            document_version=found.document_version,
            document=found.document,
            halted=found.halted,
            dry_run=found.dry_run,
        )

    async def _take(self, portfolio_id: str) -> _Locked | None:
        values = {"portfolio_id": portfolio_id}
        # Separate statements: each sees what was committed while the first one waited for the lock.
        locking = await self._statements.send("lock_portfolio", values)
        switching = await self._statements.send("kill_switch_over", values)
        balances = await self._statements.rows("balances_of", {"holder": portfolio_id})
        row = await locking.fetchone()
        if row is None:
            return None
        self._balances.load(balances)
        found = self._locked[portfolio_id] = _Locked.of(row, await switching.fetchone())
        return found

    async def require(self, portfolio_id: str) -> _Locked:
        """Lock a portfolio that has to be there. Raise LedgerRefusedError if it is not."""
        found = self._locked.get(portfolio_id) or await self._take(portfolio_id)
        if found is None:
            raise LedgerRefusedError(f"ledger: there is no portfolio {portfolio_id}")
        return found

    def next_sequence(self, portfolio_id: str) -> int:
        """Count a portfolio's event; it has to be locked."""
        found = self._locked[portfolio_id]
        found.ledger_sequence += 1
        found.changed = True
        return found.ledger_sequence

    async def bump(self, portfolio_id: str, reason: str, event_time_us: int, not_before_us: int | None) -> int:
        """Raise the version and publish the state as this transaction's rows have it. Event time never goes back."""
        found = await self.require(portfolio_id)
        found.ledger_version += 1
        found.event_time_us = max(found.event_time_us, event_time_us)
        found.not_before_us = found.not_before_us if not_before_us is None else not_before_us
        found.reason, found.changed = reason, True
        self._outbox.put(await self._state(found))
        return found.ledger_version

    async def _state(self, found: _Locked) -> PortfolioState:
        values = {"portfolio_id": found.portfolio_id, "since_us": found.event_time_us - _HOUR_US}
        await self._outbox.ask()  # the answer comes with what is read here: no round trip of its own
        reading = await self._statements.send("positions_of", values)
        ordering = await self._statements.send("open_orders_of", values)
        signals = await self._statements.rows("recent_signals_of", values)
        return PortfolioState(
            event_id=derive("portfolio.state", found.portfolio_id, found.ledger_version),
            portfolio_id=found.portfolio_id,
            ledger_version=found.ledger_version,
            event_time_us=found.event_time_us,
            document_version=found.document_version,
            document=found.document,
            halted=found.halted,
            reason=found.reason,
            not_before_us=found.not_before_us,
            positions=tuple(Position(**row) for row in await reading.fetchall()),
            open_orders=tuple(_open_order(row) for row in await ordering.fetchall()),
            recent_signals_us=tuple(row["event_time_us"] for row in signals),
        )

    async def halt(self, portfolio_id: str, reason: str) -> None:
        """Stop a portfolio and publish that; a halted one keeps its first reason."""
        found = await self.require(portfolio_id)
        if found.own_halt:
            return
        found.own_halt, found.halt_reason = True, reason or "halted"
        await self._write_halt(found)
        await self.bump(portfolio_id, f"halted: {reason}", found.event_time_us, None)

    async def resume(self, portfolio_id: str) -> bool:
        """Lift a portfolio's own halt and publish that; False if it has none. Kill switches stay as they are."""
        found = await self.require(portfolio_id)
        if not found.own_halt:
            return False
        found.own_halt, found.halt_reason = False, ""
        await self._write_halt(found)
        await self.refresh_switch(portfolio_id)
        await self.bump(portfolio_id, "resumed", found.event_time_us, None)
        return True

    async def _write_halt(self, found: _Locked) -> None:
        values = {
            "portfolio_id": found.portfolio_id,
            "halted": found.own_halt,
            "reason": found.halt_reason,
        }
        await self._statements.send("halt_portfolio", values)

    async def refresh_switch(self, portfolio_id: str) -> None:
        """Read again which kill switch holds for a portfolio that has no halt of its own."""
        found = await self.require(portfolio_id)
        if not found.own_halt:
            switch = await self._statements.row("kill_switch_over", {"portfolio_id": portfolio_id})
            found.halt_reason = switch["reason"] if switch is not None else ""

    async def apply(self, portfolio_id: str, document: str, accounts: Sequence[str], *, dry_run: bool) -> int:
        """Write a new version of a portfolio's document (or its first) and return its number.

        Raises:
            LedgerRefusedError: if an account is not registered.

        """
        row = {"portfolio_id": portfolio_id, "document": document, "dry_run": dry_run, "document_version": 1}
        if await self.lock(portfolio_id) is None:
            await self._statements.send("add_portfolio", row)
        found = await self.require(portfolio_id)
        kept = await self._statements.row("newest_document", {"portfolio_id": portfolio_id})
        version = row["document_version"] = (kept["document_version"] if kept is not None else 0) + 1
        await self._statements.send("change_document", row)
        await self._statements.send("keep_document", row)
        for preference, account in enumerate(accounts):
            values = {"portfolio_id": portfolio_id, "account": account, "preference": preference}
            await self._statements.send("add_portfolio_account", values)
        found.document, found.document_version, found.dry_run = document, version, dry_run
        await self.refresh_switch(portfolio_id)
        return version

    async def flush(self) -> None:
        """Write the counters of every portfolio that changed."""
        for found in self._locked.values():
            if found.changed:
                values = {
                    "portfolio_id": found.portfolio_id,
                    "ledger_version": found.ledger_version,
                    "ledger_sequence": found.ledger_sequence,
                    "event_time_us": found.event_time_us,
                    "not_before_us": found.not_before_us,
                    "reason": found.reason,
                }
                await self._statements.send("advance_portfolio", values)
                found.changed = False


def _open_order(row: DictRow) -> OpenOrder:
    return OpenOrder(
        parent_id=row["parent_id"],
        account=row["account"],
        instrument=row["instrument"],
        base=row["base"],
        quote=row["quote"],
        side=Side(row["side"]),
        leaves=row["leaves"],
        limit_price=row["limit_price"],
    )
