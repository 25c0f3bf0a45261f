"""The ledger inside one transaction: the port's `LedgerBook` over PostgreSQL."""

from collections.abc import Sequence
from decimal import Decimal

from trimtab.adapters.postgres.balances import Balances
from trimtab.adapters.postgres.breaks import Breaks
from trimtab.adapters.postgres.journal import Journal
from trimtab.adapters.postgres.orders import Orders
from trimtab.adapters.postgres.outbox import Desk, Numbered, Outbox
from trimtab.adapters.postgres.portfolios import Portfolios
from trimtab.adapters.postgres.statements import Statements
from trimtab.domain.orders import ChildOrder, ParentOrder, ParentState
from trimtab.messages import Break, Message, Signal
from trimtab.ports.ledger import Fence, FillRow, PortfolioRow, WorkItem
from trimtab.ports.venue import Execution


class PostgresBook:
    """One transaction. Writes are sent without waiting: what the database refuses is raised by the next read or commit.

    Reads see what was written before them.
    """

    def __init__(self, statements: Statements, desk: Desk) -> None:
        balances = Balances()
        self._statements = statements
        self._outbox = Outbox(statements, desk)
        self._portfolios = Portfolios(statements, balances, self._outbox)
        self._journal = Journal(statements, balances, self._portfolios)
        self._orders = Orders(statements)
        self._breaks = Breaks(statements)

    @property
    def messages_written(self) -> int:
        return self._outbox.written

    async def flush(self) -> None:
        """Send what is still held back; the last thing before the commit."""
        await self._outbox.flush(self._portfolios.next_sequence)
        await self._portfolios.flush()

    async def fence(self, fence: Fence) -> None:
        values = {"resource": fence.resource, "epoch": fence.epoch}
        await self._statements.send("check_fence", values)

    async def portfolio(self, portfolio_id: str) -> PortfolioRow | None:
        return await self._portfolios.lock(portfolio_id)

    async def bump(self, portfolio_id: str, reason: str, event_time_us: int, not_before_us: int | None = None) -> int:
        return await self._portfolios.bump(portfolio_id, reason, event_time_us, not_before_us)

    async def halt(self, portfolio_id: str, reason: str) -> None:
        await self._portfolios.halt(portfolio_id, reason)

    async def resume(self, portfolio_id: str) -> bool:
        return await self._portfolios.resume(portfolio_id)

    async def apply_portfolio(self, portfolio_id: str, document: str, accounts: Sequence[str], *, dry_run: bool) -> int:
        return await self._portfolios.apply(portfolio_id, document, accounts, dry_run=dry_run)

    async def add_account(self, account: str, venue: str) -> None:
        await self._statements.send("add_account", {"account": account, "venue": venue})

    async def throw_switch(self, scope: str, name: str, reason: str, event_time_us: int) -> Sequence[str]:
        """Halt everything ("all", "") or everything at a venue ("venue", its name); return the portfolios concerned."""
        await self._statements.send("throw_switch", {"scope": scope, "name": name, "reason": reason})
        return await self._switched(scope, name, f"halted: {reason}", event_time_us)

    async def clear_switch(self, scope: str, name: str, event_time_us: int) -> Sequence[str]:
        """Lift a kill switch; portfolios halted for a reason of their own stay halted."""
        await self._statements.send("clear_switch", {"scope": scope, "name": name})
        return await self._switched(scope, name, "resumed", event_time_us)

    async def _switched(self, scope: str, name: str, reason: str, event_time_us: int) -> Sequence[str]:
        rows = await self._statements.rows("portfolios_under", {"scope": scope, "name": name})
        concerned = [row["portfolio_id"] for row in rows]
        for portfolio_id in concerned:
            await self._portfolios.refresh_switch(portfolio_id)
            await self._portfolios.bump(portfolio_id, reason, event_time_us, None)
        return concerned

    async def available(self, portfolio_id: str, account: str, asset: str) -> Decimal:
        return await self._journal.available(portfolio_id, account, asset)

    async def reserve(self, parent: ParentOrder, asset: str, amount: Decimal) -> None:
        await self._journal.reserve(parent, asset, amount)

    async def release(self, parent_id: str) -> None:
        await self._journal.release(parent_id)

    async def post_fill(self, fill: FillRow) -> None:
        await self._journal.post_fill(fill)

    async def transfer(
        self,
        entry_id: str,
        kind: str,
        holder: str,
        account: str,
        asset: str,
        amount: Decimal,
        event_time_us: int,
    ) -> bool:
        return await self._journal.transfer(entry_id, kind, holder, account, asset, amount, event_time_us)

    async def allocate(
        self, entry_id: str, portfolio_id: str, account: str, asset: str, amount: Decimal, event_time_us: int
    ) -> bool:
        return await self._journal.allocate(entry_id, portfolio_id, account, asset, amount, event_time_us)

    async def record_signal(self, signal: Signal, outcome: str, reason: str) -> None:
        await self._orders.record_signal(signal, outcome, reason)

    async def add_parent(self, parent: ParentOrder, *, dry_run: bool) -> None:
        await self._orders.add_parent(parent, dry_run=dry_run)

    async def change_parent(
        self, parent_id: str, *, state: ParentState, quantity: Decimal | None = None, reason: str = ""
    ) -> None:
        await self._orders.change_parent(parent_id, state, quantity, reason)

    async def add_child(self, child: ChildOrder) -> None:
        await self._orders.add_child(child)

    async def change_child(self, child: ChildOrder, reason: str) -> None:
        await self._orders.change_child(child, reason)

    async def work_item(self, parent_id: str) -> WorkItem | None:
        return await self._orders.work_item(parent_id)

    async def work_items(self, portfolio_id: str) -> Sequence[WorkItem]:
        return await self._orders.work_items(portfolio_id)

    async def child(self, client_order_id: str) -> tuple[ParentOrder, ChildOrder] | None:
        return await self._orders.child(client_order_id)

    async def child_by_venue_order(
        self, account: str, instrument: str, venue_order_id: str
    ) -> tuple[ParentOrder, ChildOrder] | None:
        return await self._orders.child_by_venue_order(account, instrument, venue_order_id)

    async def add_fill(self, parent: ParentOrder, child: ChildOrder, execution: Execution) -> FillRow | None:
        return await self._orders.add_fill(parent, child, execution)

    async def fill(self, venue: str, account: str, trade_id: str) -> FillRow | None:
        return await self._orders.fill(venue, account, trade_id)

    async def releasable(self, parent_id: str) -> bool:
        return await self._orders.releasable(parent_id)

    async def emit(self, message: Message) -> None:
        if isinstance(message, Numbered):
            await self._portfolios.require(message.portfolio_id)  # its number is given under the portfolio's lock
        self._outbox.put(message)

    async def open_break(self, found: Break) -> bool:
        opened = await self._breaks.open(found)
        if opened:
            self._outbox.put(found)
        return opened

    async def close_break(self, found: Break) -> bool:
        """Resolve the open break of this portfolio, account, kind and asset, and emit it; False if none is open."""
        closed = await self._breaks.close(found)
        if closed:
            self._outbox.put(found)
        return closed

    async def open_breaks(self, account: str | None = None) -> Sequence[Break]:
        return await self._breaks.open_ones(account)

    async def note_break(self, found: Break) -> bool:
        noted = await self._breaks.note(found)
        if noted:
            self._outbox.put(found)
        return noted

    async def explain_break(self, account: str, asset: str, portfolio_id: str) -> Break | None:
        return await self._breaks.explain(account, asset, portfolio_id)

    async def explanations(self, account: str) -> dict[str, str]:
        return await self._breaks.explanations(account)

    async def say_unfilled(self, client_order_id: str, portfolio_id: str) -> Break | None:
        return await self._breaks.say_unfilled(client_order_id, portfolio_id)

    async def unfilled(self, account: str) -> set[str]:
        return await self._breaks.unfilled(account)

    async def raise_watermark(self, account: str, instrument: str, since_us: int) -> None:
        await self._breaks.raise_watermark(account, instrument, since_us)
