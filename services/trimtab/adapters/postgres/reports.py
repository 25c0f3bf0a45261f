"""What the command line shows of the ledger. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from trimtab.adapters.postgres.rows import fill_of
from trimtab.adapters.postgres.sessions import Sessions
from trimtab.ports.ledger import FillRow


@dataclass(frozen=True, slots=True)
class PortfolioStatus:
    """One portfolio as it stands. `halt_reason` is its own, `kill_reason` a kill switch's; empty means none."""

    portfolio_id: str
    ledger_version: int
    document_version: int
    document: str
    dry_run: bool
    event_time_us: int
    not_before_us: int
    reason: str
    halted: bool
    halt_reason: str
    kill_reason: str
    open_parents: int


@dataclass(frozen=True, slots=True)
class Holding:
    """What a portfolio (or "~unallocated") has of one asset in one account."""

    holder: str
    account: str
    venue: str
    asset: str
    posted: Decimal
    reserved: Decimal


class JournalLine(NamedTuple):
    """One posting of a holder, with what its entry says; a plain tuple, as there are thousands in a month."""

    recorded_at: datetime
    kind: str
    entry_id: str
    account: str
    asset: str
    amount: Decimal
    event_time_us: int


@dataclass(frozen=True, slots=True)
class OpenBreak:
    """A difference between ledger and venue that stands.

    `explained_by`: who a person said it was taken out of; of an `unknown_order` its portfolio, once a person has said
    that no more of it was executed. `client_order_id` is empty for other kinds.
    """

    portfolio_id: str
    account: str
    kind: str
    asset: str
    difference: Decimal
    first_seen_us: int
    detail: str
    explained_by: str
    client_order_id: str


@dataclass(frozen=True, slots=True)
class Lapsed:
    """An order that a person said was not executed further, and the venue (at `event_time_us`) told of after all.

    `resolution`: seen (the venue shows it, or it is over) or changed (more of it was executed, and it is still denied).
    """

    portfolio_id: str
    account: str
    client_order_id: str
    resolution: str
    event_time_us: int


class Reports:
    """Questions about the whole ledger."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def status(self, portfolio_id: str | None = None) -> Sequence[PortfolioStatus]:
        """Return one portfolio, or all, by id."""
        rows = await self._sessions.rows("status", {"portfolio_id": portfolio_id})
        return [PortfolioStatus(**row) for row in rows]

    async def positions(self, holder: str | None = None) -> Sequence[Holding]:
        """Return the balances of one holder, or of all, zeros left out."""
        return [Holding(**row) for row in await self._sessions.rows("positions", {"holder": holder})]

    async def breaks(self, portfolio_id: str | None = None) -> Sequence[OpenBreak]:
        """Return the breaks that are open, of one portfolio and its accounts or of all, oldest first."""
        return [OpenBreak(**row) for row in await self._sessions.rows("breaks", {"portfolio_id": portfolio_id})]

    async def lapsed(self, portfolio_id: str | None = None) -> Sequence[Lapsed]:
        """Return what people said in vain of orders not settled yet or of portfolios still halted, oldest first."""
        return [Lapsed(**row) for row in await self._sessions.rows("lapsed", {"portfolio_id": portfolio_id})]

    async def halted_by_difference(self) -> dict[str, str]:
        """Return the reasons of portfolios that are halted because ledger and venue differed, whether they still do."""
        return {row["portfolio_id"]: row["halt_reason"] for row in await self._sessions.rows("halted_by_difference")}

    async def fills(self, portfolio_id: str, since_us: int = 0, fills_max: int = 100) -> Sequence[FillRow]:
        """Return a portfolio's fills from an event time on, newest first."""
        values = {"portfolio_id": portfolio_id, "since_us": since_us, "limit": fills_max}
        return [fill_of(row) for row in await self._sessions.rows("fills_of_portfolio", values)]

    async def journal(self, holder: str, start: datetime, end: datetime) -> Sequence[JournalLine]:
        """Return a holder's postings recorded in [start, end), oldest first."""
        values = {"holder": holder, "start": start, "end": end}
        return await self._sessions.made("postings_of_month", values, JournalLine)

    async def accounts(self) -> dict[str, str]:
        """Return the venue of every registered account."""
        return {row["account"]: row["venue"] for row in await self._sessions.rows("accounts")}

    async def outbox_lag_seconds(self) -> float:
        """Return the age of the oldest message that has not left yet, 0 if all have."""
        (row,) = await self._sessions.rows("outbox_lag", {"writer": ""})
        return float(row["seconds"])
