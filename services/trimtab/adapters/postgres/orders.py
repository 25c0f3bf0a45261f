"""Signals, orders and fills inside a transaction."""

from collections.abc import Sequence
from decimal import Decimal

from trimtab.adapters.postgres.rows import (
    child_of,
    child_values,
    fill_of,
    parent_of,
    parent_values,
    work_item_of,
)
from trimtab.adapters.postgres.statements import Statements
from trimtab.domain.amounts import quantise
from trimtab.domain.errors import LedgerRefusedError
from trimtab.domain.orders import ChildOrder, ParentOrder, ParentState
from trimtab.messages import Signal
from trimtab.ports.ledger import FillRow, WorkItem
from trimtab.ports.venue import Execution


class Orders:
    """Writes are sent and not waited for; what the database refuses is heard of at the next read or the commit."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def record_signal(self, signal: Signal, outcome: str, reason: str) -> None:
        values = {
            "signal_id": signal.signal_id,
            "portfolio_id": signal.portfolio_id,
            "ledger_version": signal.ledger_version,
            "document_version": signal.document_version,
            "outcome": outcome,
            "reason": reason,
            "event_time_us": signal.event_time_us,
        }
        await self._statements.send("add_signal", values)

    async def add_parent(self, parent: ParentOrder, *, dry_run: bool) -> None:
        await self._statements.send("add_parent", parent_values(parent) | {"dry_run": dry_run})

    async def change_parent(self, parent_id: str, state: ParentState, quantity: Decimal | None, reason: str) -> None:
        values = {"parent_id": parent_id, "state": state.value, "quantity": quantity, "reason": reason}
        await self._statements.send("change_parent", values)

    async def add_child(self, child: ChildOrder) -> None:
        await self._statements.send("add_child", child_values(child))

    async def change_child(self, child: ChildOrder, reason: str) -> None:
        await self._statements.send("change_child", child_values(child) | {"reason": reason})

    async def work_item(self, parent_id: str) -> WorkItem | None:
        row = await self._statements.row("work_item", {"parent_id": parent_id})
        return None if row is None else work_item_of(row)

    async def work_items(self, portfolio_id: str) -> Sequence[WorkItem]:
        rows = await self._statements.rows("work_of_portfolio", {"portfolio_id": portfolio_id})
        return [work_item_of(row) for row in rows]

    async def child(self, client_order_id: str) -> tuple[ParentOrder, ChildOrder] | None:
        row = await self._statements.row("child", {"client_order_id": client_order_id})
        return None if row is None else (parent_of(row), child_of(row))

    async def child_by_venue_order(
        self, account: str, instrument: str, venue_order_id: str
    ) -> tuple[ParentOrder, ChildOrder] | None:
        values = {"account": account, "instrument": instrument, "venue_order_id": venue_order_id}
        row = await self._statements.row("child_by_venue_order", values)
        return None if row is None else (parent_of(row), child_of(row))

    async def add_fill(self, parent: ParentOrder, child: ChildOrder, execution: Execution) -> FillRow | None:
        """Record an execution once; None if it is there already.

        Raises LedgerRefusedError if another execution has its trade id: then one of the two would be lost.
        """
        row = FillRow(
            venue=parent.venue,
            account=parent.account,
            trade_id=execution.trade_id,
            portfolio_id=parent.portfolio_id,
            parent_id=parent.parent_id,
            client_order_id=child.client_order_id,
            side=parent.side,
            base=parent.base,
            quote=parent.quote,
            price=quantise(execution.price),
            quantity=quantise(execution.quantity),
            fee=quantise(execution.fee),
            fee_asset=execution.fee_asset,
            event_time_us=execution.event_time_us,
            settled=False,
        )
        values = {name: getattr(row, name) for name in FillRow.__slots__} | {
            "side": row.side.value,
            "instrument": parent.instrument,
            "liquidity": execution.liquidity.value,
        }
        if await self._statements.row("add_fill", values) is not None:
            return row
        there = await self.fill(row.venue, row.account, row.trade_id)
        if there is None or (there.client_order_id, there.price, there.quantity) != (
            row.client_order_id,
            row.price,
            row.quantity,
        ):
            raise LedgerRefusedError(
                f"trade {row.trade_id} of {row.venue}/{row.account} is recorded for another order or amount than"
                f" {row.quantity} at {row.price} of order {row.client_order_id}"
            )
        return None

    async def fill(self, venue: str, account: str, trade_id: str) -> FillRow | None:
        row = await self._statements.row("fill", {"venue": venue, "account": account, "trade_id": trade_id})
        return None if row is None else fill_of(row)

    async def releasable(self, parent_id: str) -> bool:
        row = await self._statements.row("releasable", {"parent_id": parent_id})
        return row is not None and bool(row["releasable"])
