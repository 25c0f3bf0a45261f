"""The ledger in memory keeps the promises of the trading port: the same suite as PostgreSQL's, as far as it goes."""

from dataclasses import dataclass, replace
from decimal import Decimal

import pytest
from test_ledger_contract import (  # noqa: F401 - pytest runs them here once more, on this module's fixtures
    test_a_fee_that_nobody_covers_is_told_and_can_be_settled_later,
    test_a_halt_is_told_and_lifted,
    test_a_parent_has_one_live_child,
    test_a_parent_shrinks_and_never_grows,
    test_a_refused_signal_rests_the_portfolio,
    test_a_trade_id_that_means_another_trade_is_an_error,
    test_a_transaction_that_leaves_nothing_leaves_no_gap,
    test_a_transaction_that_raises_leaves_nothing,
    test_an_accepted_signal_reserves_and_is_told,
    test_an_event_of_a_portfolio_that_is_not_there_is_refused,
    test_an_older_epoch_writes_nothing,
    test_an_unknown_portfolio_is_none,
    test_event_time_only_rises,
    test_fees_are_paid_in_their_own_asset,
    test_nothing_is_reserved_beyond_what_is_available,
    test_one_signal_is_settled_per_version,
    test_open_orders_tell_what_balances_will_still_change_by,
    test_orders_take_legal_steps_only,
    test_recent_signals_are_those_of_the_last_hour,
    test_two_reservations_at_once_cannot_both_have_the_last_funds,
    test_work_is_found_by_shard_with_the_latest_child,
)

from ledger_worlds import ACCOUNT, PORTFOLIO, LedgerWorld, child_of, execution_of, parent_of
from trimtab.adapters.memory.ledger import MemoryLedger
from trimtab.domain.errors import IllegalTransitionError
from trimtab.domain.orders import OrderState, Side
from trimtab.messages import Message


@dataclass
class MemoryWorld(LedgerWorld):
    """One ledger for every role."""

    def __init__(self) -> None:
        self.executor = self.reconciler = self.cli = self.ledger = MemoryLedger()  # type: ignore[assignment]  # as far as it goes
        self.tape = type("Tape", (), {"messages": {}})()
        self._told: list[Message] = []

    def emitted(self) -> list[Message]:
        self._told += self.ledger.told()
        return self._told

    def balances(self) -> dict[tuple[str, str, str], tuple[Decimal, Decimal]]:
        return {
            (holder, *key): (row.posted, row.reserved)
            for holder, rows in self.ledger._store.balances.items()
            for key, row in rows.items()
            if holder == "~unallocated" or not holder.startswith("~")
        }

    async def deposit(self, asset: str, amount: str, holder: str = "~unallocated", account: str = ACCOUNT) -> None:
        self.tape.messages[f"{asset}{len(self.tape.messages)}"] = None  # another deposit, another entry id
        await super().deposit(asset, amount, holder, account)


@pytest.fixture
def ledger_world() -> LedgerWorld:
    return MemoryWorld()


async def test_a_round_trip_sums_to_zero_and_leaves_nothing_behind(funded: MemoryWorld) -> None:
    buy, sell = parent_of(), parent_of("p2", side=Side.SELL, signal_id="s2")
    for parent, trade in ((buy, "t1"), (sell, "t2")):
        child = child_of(parent)
        await funded.accept(parent)
        await funded.submit(child)
        await funded.record(parent, child, execution_of(trade, "2"), state=OrderState.FILLED)
        await funded.settle(trade)
        await funded.close(parent)
        await funded.release(parent)
    assert funded.ledger.balances(PORTFOLIO) == {(ACCOUNT, "BTC"): Decimal(5), (ACCOUNT, "USDT"): Decimal("999.8")}
    assert [funded.ledger.total(asset) for asset in ("BTC", "USDT")] == [0, 0]
    store = funded.ledger._store
    assert not {**store.parents, **store.children, **store.fills}
    assert not any(store.parents_of.values())


async def test_what_is_open_is_not_released(funded: MemoryWorld) -> None:
    parent = parent_of()
    child = child_of(parent)
    await funded.accept(parent)
    await funded.submit(child)
    await funded.record(parent, child, execution_of(), state=OrderState.PARTIALLY_FILLED)
    await funded.close(parent)
    with pytest.raises(IllegalTransitionError, match="cannot be released"):
        await funded.release(parent)
    await funded.record(parent, child, state=OrderState.CANCELED)
    with pytest.raises(IllegalTransitionError, match="cannot be released"):
        await funded.release(parent)
    await funded.settle("t1")
    await funded.release(parent)
    assert funded.balances()[PORTFOLIO, ACCOUNT, "USDT"] == (Decimal("899.9"), Decimal(0))


async def test_reported_but_unrecorded_fills_hold_the_release(funded: MemoryWorld) -> None:
    parent = parent_of()
    child = child_of(parent)
    await funded.accept(parent)
    await funded.submit(child)
    async with funded.executor.transaction() as book:
        await book.change_child(replace(child, state=OrderState.FILLED, filled=Decimal(2)), "")
    await funded.close(parent)
    async with funded.executor.transaction() as book:
        assert not await book.releasable("p1")
    ((_, found),) = await funded.executor.open_children(ACCOUNT)
    assert (found.filled, found.recorded) == (2, 0)
