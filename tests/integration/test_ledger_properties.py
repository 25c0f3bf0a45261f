"""Random lives of two portfolios on one account, against the real database: money is neither made nor lost.

The ledger runs synchronously here, over sessions whose `wait` blocks, as in a simulated world.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, TypeVar

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import AsyncConnection, waiting
from psycopg.rows import DictRow

from ledger_fixtures import named
from ledger_worlds import (
    ACCOUNT,
    NOW_US,
    PORTFOLIO,
    ROLES,
    LedgerWorld,
    Tape,
    child_of,
    execution_of,
    parent_of,
)
from trimtab.adapters.postgres.connections import SESSION
from trimtab.adapters.postgres.ledger import PostgresLedger
from trimtab.adapters.postgres.outbox import Desk
from trimtab.adapters.postgres.sessions import Sessions
from trimtab.domain.errors import (
    IllegalTransitionError,
    InsufficientFundsError,
    LedgerRefusedError,
)
from trimtab.domain.orders import OrderState, ParentOrder, Side
from trimtab.ports.ledger import UNALLOCATED

T = TypeVar("T")
PORTFOLIOS = (PORTFOLIO, "other")
ASSETS = ("BTC", "USDT", "BNB")
EXPECTED = (InsufficientFundsError, IllegalTransitionError, LedgerRefusedError)


class SynchronousSession(AsyncConnection[DictRow]):
    """A session that never gives control away: what it waits for has come when `wait` returns."""

    async def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:  # noqa: ASYNC109 - psycopg's
        return waiting.wait(gen, self.pgconn.socket, interval, timeout)


class OneSession:
    """Connections of a world in which nothing happens at once."""

    def __init__(self, session: SynchronousSession) -> None:
        self._session = session

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[SynchronousSession]:
        yield self._session

    async def check(self) -> None:
        """There is nothing to replace."""


def finish(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits."""
    try:
        work.send(None)
    except StopIteration as end:
        value: T = end.value
        return value
    raise AssertionError("the ledger gave control away")


@pytest.fixture(scope="module")
def synchronous_world(postgres_admin: str, migrated_template: str) -> Iterator[LedgerWorld]:
    name = "ledger_properties"
    with psycopg.connect(postgres_admin, autocommit=True) as owner:
        owner.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        owner.execute(f"CREATE DATABASE {name} TEMPLATE {migrated_template}")
    dsn = named(postgres_admin, name)
    tape, sessions = Tape(), {}
    for role in ROLES:
        connected = asyncio.run(SynchronousSession.connect(named(dsn, name, f"trimtab_{role}"), **SESSION))
        sessions[role] = Sessions(OneSession(connected), name)
    ledgers = {role: PostgresLedger(sessions[role], Desk(f"{role}-1", tape)) for role in ROLES}
    yield LedgerWorld(dsn, tape, sessions, **ledgers)
    with psycopg.connect(postgres_admin, autocommit=True) as owner:
        owner.execute(f"DROP DATABASE {name} WITH (FORCE)")


def empty(world: LedgerWorld) -> None:
    tables = world.ask(
        "SELECT string_agg(format('ledger.%I', relname), ', ') AS names FROM pg_class c"
        " WHERE relnamespace = 'ledger'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition"
        " AND relname NOT IN ('child_step', 'parent_step')"
    )
    world.ask(f"TRUNCATE {tables[0]['names']}")


amounts = st.decimals("0.000000000000000001", "3", places=18) | st.sampled_from([Decimal(1), Decimal("0.5")])
portfolios = st.sampled_from(PORTFOLIOS)
assets = st.sampled_from(ASSETS)
numbers = st.integers(0, 3)
steps = st.one_of(
    st.tuples(st.just("transfer"), st.sampled_from([*PORTFOLIOS, UNALLOCATED]), assets, amounts, st.booleans()),
    st.tuples(st.just("allocate"), portfolios, assets, amounts, st.booleans()),
    st.tuples(st.just("accept"), portfolios, st.sampled_from(list(Side)), amounts),
    st.tuples(st.just("fill"), numbers, amounts, st.sampled_from(["0", "0.001", "-0.0001"]), assets),
    st.tuples(st.just("settle"), numbers),
    st.tuples(st.just("end"), numbers, st.sampled_from([OrderState.CANCELED, OrderState.FILLED])),
    st.tuples(st.just("release"), numbers),
)


class Life:
    """Carries steps out; each may be refused, none may break the books."""

    def __init__(self, world: LedgerWorld) -> None:
        self.world = world
        self.parents: list[ParentOrder] = []
        self.count = 0

    def begin(self) -> None:
        empty(self.world)
        for portfolio_id in PORTFOLIOS:
            finish(self.world.add_portfolio(portfolio_id))
            finish(self.world.deposit("USDT", "500", portfolio_id))
            finish(self.world.deposit("BTC", "2", portfolio_id))
        finish(self.world.deposit("BNB", "0.01"))

    def take(self, step: tuple[Any, ...]) -> None:
        self.count += 1
        with contextlib.suppress(*EXPECTED):
            finish(getattr(self, step[0])(*step[1:]))

    def parent(self, number: int) -> ParentOrder | None:
        return self.parents[-1 - number] if number < len(self.parents) else None

    async def transfer(self, holder: str, asset: str, amount: Decimal, incoming: bool) -> None:  # noqa: FBT001 - drawn
        async with self.world.reconciler.transaction() as book:
            signed = amount if incoming else -amount
            await book.transfer(f"t{self.count}", "external_transfer", holder, ACCOUNT, asset, signed, NOW_US)

    async def allocate(self, holder: str, asset: str, amount: Decimal, give: bool) -> None:  # noqa: FBT001 - drawn
        async with self.world.cli.transaction() as book:
            await book.allocate(f"a{self.count}", holder, ACCOUNT, asset, amount if give else -amount, NOW_US)

    async def accept(self, portfolio_id: str, side: Side, quantity: Decimal) -> None:
        name = f"p{self.count}"
        parent = parent_of(name, side, str(quantity), signal_id=f"s{self.count}", portfolio_id=portfolio_id)
        await self.world.accept(parent)
        await self.world.submit(child_of(parent))
        self.parents.append(parent)

    async def fill(self, number: int, quantity: Decimal, fee: str, fee_asset: str) -> None:
        parent = self.parent(number)
        if parent is not None:
            execution = execution_of(f"x{self.count}", str(quantity), "99.99", fee, fee_asset)
            await self.world.record(parent, child_of(parent), execution, state=OrderState.PARTIALLY_FILLED)

    async def settle(self, number: int) -> None:
        fills = await self.world.reconciler.unsettled_fills()
        if number < len(fills):
            await self.world.settle(fills[number].trade_id)

    async def end(self, number: int, state: OrderState) -> None:
        parent = self.parent(number)
        if parent is not None:
            await self.world.record(parent, child_of(parent), state=state)
            await self.world.close(parent)

    async def release(self, number: int) -> None:
        parent = self.parent(number)
        if parent is not None:
            await self.world.release(parent)

    def check(self) -> None:
        ask = self.world.ask
        assert ask("SELECT account, asset FROM ledger.posting GROUP BY account, asset HAVING sum(amount) <> 0") == []
        assert ask("SELECT entry_id FROM ledger.posting GROUP BY entry_id HAVING sum(amount) <> 0") == []
        assert ask("SELECT * FROM ledger.balance WHERE posted < reserved OR reserved < 0") == []
        assert (
            ask(
                "SELECT * FROM ledger.balance b WHERE posted <> (SELECT coalesce(sum(amount), 0) FROM ledger.posting p"
                " WHERE (p.holder, p.account, p.asset) = (b.holder, b.account, b.asset))"
                " OR reserved <> (SELECT coalesce(sum(remaining), 0) FROM ledger.reservation r"
                " WHERE (r.holder, r.account, r.asset) = (b.holder, b.account, b.asset))"
            )
            == []
        )
        assert (
            ask(
                "SELECT * FROM ledger.fill f WHERE entry_id IS NOT NULL AND NOT EXISTS"
                " (SELECT FROM ledger.posting p WHERE p.entry_id = f.entry_id)"
            )
            == []
        )
        assert (
            ask(
                "SELECT * FROM ledger.parent_order p WHERE filled <>"
                " (SELECT coalesce(sum(quantity), 0) FROM ledger.fill f WHERE f.parent_id = p.parent_id)"
            )
            == []
        )
        assert (
            ask(
                "SELECT * FROM ledger.parent_order p JOIN ledger.reservation r USING (parent_id)"
                " WHERE p.state = 'released' AND r.remaining <> 0"
            )
            == []
        )


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(life=st.lists(steps, min_size=5, max_size=25))
def test_money_is_neither_made_nor_lost(synchronous_world: LedgerWorld, life: list[tuple[Any, ...]]) -> None:
    lived = Life(synchronous_world)
    lived.begin()
    for step in life:
        lived.take(step)
    lived.check()


def test_the_ledger_runs_without_an_event_loop(synchronous_world: LedgerWorld) -> None:
    lived = Life(synchronous_world)
    lived.begin()
    finish(lived.accept(PORTFOLIO, Side.BUY, Decimal(1)))
    finish(lived.fill(0, Decimal("0.5"), "0.001", "USDT"))
    finish(lived.settle(0))
    finish(lived.end(0, OrderState.CANCELED))
    finish(lived.release(0))
    assert synchronous_world.balances()[PORTFOLIO, ACCOUNT, "BTC"] == (Decimal("2.5"), Decimal(0))
    lived.check()
