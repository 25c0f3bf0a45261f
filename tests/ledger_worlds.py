"""A ledger with its three roles, a funded portfolio, and short words for the orders that tests need."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from decimal import Decimal

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from ledger_fixtures import named
from trimtab.adapters.postgres.connections import pool_of
from trimtab.adapters.postgres.failures import address_of
from trimtab.adapters.postgres.ledger import PostgresLedger
from trimtab.adapters.postgres.outbox import Desk
from trimtab.adapters.postgres.sessions import Sessions
from trimtab.domain.ids import client_order_id
from trimtab.domain.orders import (
    ChildOrder,
    Liquidity,
    OrderKind,
    OrderState,
    ParentOrder,
    ParentState,
    Side,
    TimeInForce,
)
from trimtab.messages import Message, PortfolioState, Signal
from trimtab.ports.ledger import UNALLOCATED, FillRow
from trimtab.ports.venue import Execution

VENUE, ACCOUNT, PORTFOLIO = "binance", "main", "core"
NOW_US = 1_700_000_000_000_000
ROLES = ("executor", "reconciler", "cli")


@dataclass
class Tape:
    """An encoder that keeps what it encoded: the payload is the message's own id."""

    messages: dict[str, Message] = field(default_factory=dict)

    def encode(self, message: Message) -> bytes:
        self.messages[message.event_id] = message  # type: ignore[union-attr]  # only such messages are emitted
        return message.event_id.encode()  # type: ignore[union-attr]  # as above


@dataclass
class LedgerWorld:
    """The ledger as each role has it, and the database as its owner has it."""

    dsn: str
    tape: Tape
    sessions: Mapping[str, Sessions]
    executor: PostgresLedger
    reconciler: PostgresLedger
    cli: PostgresLedger

    def ask(self, query: str, *values: object) -> list[dict[str, object]]:
        """Ask the database as its owner."""
        with psycopg.connect(self.dsn, autocommit=True, row_factory=dict_row) as session:
            cursor = session.execute(query.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def emitted(self) -> list[Message]:
        """Return what stands in the outbox, in its order."""
        return [
            self.tape.messages[str(row["event_id"])]
            for row in self.ask("SELECT event_id FROM ledger.outbox ORDER BY id")
        ]

    def states(self) -> list[PortfolioState]:
        return [message for message in self.emitted() if isinstance(message, PortfolioState)]

    def balances(self) -> dict[tuple[str, str, str], tuple[Decimal, Decimal]]:
        rows = self.ask("SELECT holder, account, asset, posted, reserved FROM ledger.balance")
        return {(r["holder"], r["account"], r["asset"]): (r["posted"], r["reserved"]) for r in rows}  # type: ignore[misc]  # text and numeric

    async def add_portfolio(
        self, portfolio_id: str = PORTFOLIO, *, dry_run: bool = False, account: str = ACCOUNT
    ) -> None:
        async with self.cli.transaction() as book:
            await book.add_account(account, VENUE)
            await book.apply_portfolio(portfolio_id, f'{{"portfolio":"{portfolio_id}"}}', [account], dry_run=dry_run)
            await book.bump(portfolio_id, "applied", NOW_US)

    async def deposit(self, asset: str, amount: str, holder: str = UNALLOCATED, account: str = ACCOUNT) -> None:
        async with self.reconciler.transaction() as book:
            entry_id = f"deposit-{holder}-{account}-{asset}-{amount}-{len(self.tape.messages)}"
            assert await book.transfer(entry_id, "deposit", holder, account, asset, Decimal(amount), NOW_US)

    async def accept(self, *parents: ParentOrder, version: int | None = None, reserve: bool = True) -> Signal:
        """Settle a signal with these parents as the executor does, and reserve what each may spend."""
        async with self.executor.transaction() as book:
            row = await book.portfolio(parents[0].portfolio_id)
            assert row is not None
            signal = signal_of(parents[0].portfolio_id, version or row.ledger_version, parents[0].signal_id)
            for parent in parents:
                await book.add_parent(parent, dry_run=False)
                if reserve and parent.state is ParentState.WORKING:
                    await book.reserve(parent, *spending(parent))
            await book.record_signal(signal, "accepted", "drift")
            await book.bump(signal.portfolio_id, "signal", signal.event_time_us)
        return signal

    async def submit(self, child: ChildOrder) -> None:
        async with self.executor.transaction() as book:
            await book.add_child(child)

    async def record(self, parent: ParentOrder, child: ChildOrder, *executions: Execution, state: OrderState) -> None:
        """Record what the venue says of a child, as the executor does."""
        async with self.executor.transaction() as book:
            await book.portfolio(parent.portfolio_id)
            for execution in executions:
                await book.add_fill(parent, child, execution)
            found = await book.child(child.client_order_id)
            assert found is not None
            await book.change_child(replace(found[1], state=state), "")

    async def settle(self, trade_id: str) -> FillRow:
        async with self.reconciler.transaction() as book:
            fill = await book.fill(VENUE, ACCOUNT, trade_id)
            assert fill is not None
            await book.portfolio(fill.portfolio_id)
            await book.post_fill(fill)
            return fill

    async def close(self, parent: ParentOrder, reason: str = "filled") -> None:
        async with self.executor.transaction() as book:
            await book.portfolio(parent.portfolio_id)
            await book.change_parent(parent.parent_id, state=ParentState.CLOSED, reason=reason)

    async def release(self, parent: ParentOrder) -> None:
        async with self.reconciler.transaction() as book:
            await book.portfolio(parent.portfolio_id)
            await book.release(parent.parent_id)


def parent_of(
    name: str = "p1",
    side: Side = Side.BUY,
    quantity: str = "2",
    limit_price: str = "100",
    *,
    signal_id: str = "s1",
    portfolio_id: str = PORTFOLIO,
    state: ParentState = ParentState.WORKING,
    depends_on: tuple[str, ...] = (),
    shard: int = 3,
) -> ParentOrder:
    return ParentOrder(
        parent_id=name,
        signal_id=signal_id,
        portfolio_id=portfolio_id,
        venue=VENUE,
        account=ACCOUNT,
        instrument="BTC/USDT",
        base="BTC",
        quote="USDT",
        side=side,
        quantity=Decimal(quantity),
        decision_price=Decimal(limit_price),
        limit_price=Decimal(limit_price),
        urgency=Decimal("0.5"),
        volatility=Decimal("0.6"),
        depends_on=depends_on,
        deadline_us=NOW_US + 60_000_000,
        decided_us=NOW_US,
        shard=shard,
        state=state,
    )


def child_of(parent: ParentOrder, attempt: int = 0, state: OrderState = OrderState.SUBMITTED) -> ChildOrder:
    return ChildOrder(
        client_order_id=client_order_id(parent.parent_id, attempt),
        parent_id=parent.parent_id,
        attempt=attempt,
        kind=OrderKind.LIMIT,
        time_in_force=TimeInForce.GTC,
        quantity=parent.quantity,
        price=parent.limit_price,
        state=state,
        request_time_ms=NOW_US // 1_000,
        placed_us=NOW_US,
    )


def execution_of(
    trade_id: str = "t1", quantity: str = "1", price: str = "100", fee: str = "0.1", fee_asset: str = "USDT"
) -> Execution:
    return Execution(
        trade_id=trade_id,
        price=Decimal(price),
        quantity=Decimal(quantity),
        fee=Decimal(fee),
        fee_asset=fee_asset,
        liquidity=Liquidity.TAKER,
        event_time_us=NOW_US + 1_000,
    )


def signal_of(portfolio_id: str, version: int, signal_id: str = "s1", event_time_us: int = NOW_US) -> Signal:
    return Signal(
        signal_id=signal_id,
        portfolio_id=portfolio_id,
        ledger_version=version,
        document_version=1,
        frame_offset=0,
        risk_offset=0,
        event_time_us=event_time_us,
        deadline_us=event_time_us + 60_000_000,
        policy="no_trade_region",
        reason="drift",
        urgency=Decimal("0.5"),
        equity=Decimal(1_000),
        trades=(),
        terms=(),
    )


def spending(parent: ParentOrder) -> tuple[str, Decimal]:
    """Return what a parent reserves: base for a sell, the quote at its worst price and one percent for a buy."""
    if parent.side is Side.SELL:
        return parent.base, parent.quantity
    return parent.quote, parent.quantity * parent.limit_price * Decimal("1.01")


@pytest.fixture
async def ledger_world(ledger_database: str) -> AsyncIterator[LedgerWorld]:
    """An empty ledger; one account is registered by `add_portfolio`."""
    tape, sessions = Tape(), {}
    database = str(conninfo_to_dict(ledger_database)["dbname"])
    async with AsyncExitStack() as stack:
        for role in ROLES:
            dsn = named(ledger_database, database, f"trimtab_{role}")
            sessions[role] = Sessions(await stack.enter_async_context(pool_of(dsn, 4)), address_of(dsn))
        ledgers = {role: PostgresLedger(sessions[role], Desk(f"{role}-1", tape)) for role in ROLES}
        yield LedgerWorld(ledger_database, tape, sessions, **ledgers)


@pytest.fixture
async def funded(ledger_world: LedgerWorld) -> LedgerWorld:
    """A portfolio "core" that has 1000 USDT and 5 BTC in its only account."""
    await ledger_world.add_portfolio()
    await ledger_world.deposit("USDT", "1000", PORTFOLIO)
    await ledger_world.deposit("BTC", "5", PORTFOLIO)
    return ledger_world
