"""What any ledger owes its services: the port's promises, kept by PostgreSQL."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from ledger_worlds import (
    ACCOUNT,
    NOW_US,
    PORTFOLIO,
    VENUE,
    LedgerWorld,
    child_of,
    execution_of,
    parent_of,
    signal_of,
)
from trimtab.domain.errors import (
    FencedError,
    IllegalTransitionError,
    InsufficientFundsError,
    InvalidValueError,
    LedgerRefusedError,
    UncoveredFeeError,
)
from trimtab.domain.orders import OrderState, ParentState, Side
from trimtab.ledger.events import order_event
from trimtab.messages import OpenOrder, OrderEvent, PortfolioState, Position
from trimtab.ports.ledger import UNALLOCATED, Fence

S = OrderState


async def test_a_transaction_that_raises_leaves_nothing(funded: LedgerWorld) -> None:
    before = funded.balances()

    async def fail() -> None:
        async with funded.executor.transaction() as book:
            await book.add_parent(parent_of(), dry_run=False)
            await book.reserve(parent_of(), "USDT", Decimal(10))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert funded.balances() == before
    assert await funded.executor.work_of(PORTFOLIO) == []


async def test_an_accepted_signal_reserves_and_is_told(funded: LedgerWorld) -> None:
    await funded.accept(parent_of())
    assert funded.balances()[PORTFOLIO, ACCOUNT, "USDT"] == (Decimal(1_000), Decimal(202))
    state = funded.states()[-1]
    assert (state.ledger_version, state.reason, state.recent_signals_us) == (2, "signal", (NOW_US,))
    assert state.positions == (
        Position(ACCOUNT, VENUE, "BTC", Decimal(5), Decimal(0)),
        Position(ACCOUNT, VENUE, "USDT", Decimal(1_000), Decimal(202)),
    )
    assert state.open_orders == (
        OpenOrder("p1", ACCOUNT, "BTC/USDT", "BTC", "USDT", Side.BUY, Decimal(2), Decimal(100)),
    )


async def test_one_signal_is_settled_per_version(funded: LedgerWorld) -> None:
    await funded.accept(parent_of())
    with pytest.raises(LedgerRefusedError, match="signal_one_per_version"):
        await funded.accept(parent_of("p2", signal_id="s2"), version=1)
    assert len(await funded.executor.work_of(PORTFOLIO)) == 1


async def test_a_refused_signal_rests_the_portfolio(funded: LedgerWorld) -> None:
    async with funded.executor.transaction() as book:
        await book.portfolio(PORTFOLIO)
        await book.record_signal(signal_of(PORTFOLIO, 1), "refused", "deadline")
        await book.bump(PORTFOLIO, "deadline", NOW_US, NOW_US + 5)
    state = funded.states()[-1]
    assert (state.not_before_us, state.recent_signals_us, state.reason) == (NOW_US + 5, (), "deadline")


async def test_an_unknown_portfolio_is_none(ledger_world: LedgerWorld) -> None:
    async with ledger_world.executor.transaction() as book:
        assert await book.portfolio("nobody") is None


async def test_nothing_is_reserved_beyond_what_is_available(funded: LedgerWorld) -> None:
    async with funded.executor.transaction() as book:
        assert await book.available(PORTFOLIO, ACCOUNT, "USDT") == 1_000
        with pytest.raises(InsufficientFundsError, match="core has 1000 USDT available in main"):
            await book.reserve(parent_of(), "USDT", Decimal("1000.000000000000000001"))
        with pytest.raises(InvalidValueError):
            await book.reserve(parent_of(), "USDT", Decimal(0))
        # The transaction is still good: the caller may go on without the funds.
        assert await book.available(PORTFOLIO, ACCOUNT, "USDT") == 1_000


async def test_two_reservations_at_once_cannot_both_have_the_last_funds(funded: LedgerWorld) -> None:
    async def take(name: str) -> bool:
        parent = parent_of(name, quantity="6")
        try:
            async with funded.executor.transaction() as book:
                await book.add_parent(parent, dry_run=False)
                await book.reserve(parent, "USDT", Decimal(600))
                await book.record_signal(signal_of(PORTFOLIO, 50 + int(name), name), "accepted", "")
        except InsufficientFundsError:
            return False
        return True

    async with funded.executor.transaction() as book:  # the parents name a signal
        await book.record_signal(signal_of(PORTFOLIO, 1), "accepted", "")
    assert sorted(await asyncio.gather(take("1"), take("2"))) == [False, True]
    assert funded.balances()[PORTFOLIO, ACCOUNT, "USDT"] == (Decimal(1_000), Decimal(600))


async def test_an_older_epoch_writes_nothing(funded: LedgerWorld) -> None:
    old = await funded.executor.own("signals/3", "first")
    new = await funded.executor.own("signals/3", "second")
    assert new.epoch == old.epoch + 1

    async def write(fence: Fence) -> None:
        async with funded.executor.transaction() as book:
            await book.fence(fence)
            await book.portfolio(PORTFOLIO)
            await book.add_parent(parent_of(), dry_run=False)

    for fence in (old, Fence("signals/4", 1)):
        with pytest.raises(FencedError):
            await write(fence)
    with pytest.raises(FencedError):  # also without a read in between
        async with funded.executor.transaction() as book:
            await book.fence(old)
    async with funded.executor.transaction() as book:
        await book.fence(new)
        assert await book.portfolio(PORTFOLIO) is not None
    assert await funded.executor.work_of(PORTFOLIO) == []


async def test_a_new_owner_waits_for_what_the_old_one_has_begun(funded: LedgerWorld) -> None:
    fence = await funded.executor.own("signals/3", "first")
    async with funded.executor.transaction() as book:
        await book.fence(fence)
        await book.portfolio(PORTFOLIO)
        taking = asyncio.create_task(funded.executor.own("signals/3", "second"))
        await asyncio.sleep(0.1)
        assert not taking.done()
    assert (await taking).epoch == fence.epoch + 1


async def test_a_lease_is_held_renewed_and_passes_on(funded: LedgerWorld) -> None:
    ledger = funded.executor
    first = await ledger.lease("account/main", "a", 30)
    assert first is not None
    assert await ledger.lease("account/main", "b", 30) is None
    assert await ledger.lease("account/main", "a", 30) == first
    assert await ledger.renew(first, 0.05)
    await asyncio.sleep(0.1)
    second = await ledger.lease("account/main", "b", 30)
    assert second == Fence("account/main", first.epoch + 1)
    assert not await ledger.renew(first, 30)
    await ledger.give_back(first)  # no longer its to give
    assert await ledger.lease("account/main", "a", 30) is None
    await ledger.give_back(second)
    assert await ledger.lease("account/main", "a", 30) is not None


async def test_work_is_found_by_shard_with_the_latest_child(funded: LedgerWorld) -> None:
    parent = parent_of()
    waiting = parent_of("p2", state=ParentState.WAITING, depends_on=("p1",), shard=4)
    await funded.accept(parent, waiting)
    first, second = child_of(parent), child_of(parent, 1)
    await funded.submit(first)
    await funded.record(parent, first, state=S.REJECTED)
    await funded.submit(second)
    (item,) = await funded.executor.work([3])
    assert (item.parent, item.child, item.attempts, item.dry_run, item.halted) == (parent, second, 2, False, False)
    (other,) = await funded.executor.work([4])
    assert (other.parent, other.child, other.attempts) == (waiting, None, 0)
    assert [i.parent.parent_id for i in await funded.executor.work_of(PORTFOLIO)] == ["p1", "p2"]
    assert await funded.executor.work([]) == []
    async with funded.executor.transaction() as book:
        assert await book.work_item("p1") == item
        assert await book.work_items(PORTFOLIO) == [item, other]
        assert await book.work_item("nobody") is None


async def test_orders_take_legal_steps_only(funded: LedgerWorld) -> None:
    parent, child = parent_of(), child_of(parent_of())
    await funded.accept(parent)
    await funded.submit(child)
    await funded.record(parent, child, state=S.UNKNOWN)
    assert await funded.executor.open_children(ACCOUNT) == [(parent, replace(child, state=S.UNKNOWN))]
    await funded.record(parent, child, state=S.REJECTED)
    with pytest.raises(IllegalTransitionError, match="is rejected and cannot become filled"):
        await funded.record(parent, child, state=S.FILLED)
    assert await funded.executor.open_children(ACCOUNT) == []


async def test_what_was_sent_is_fixed(funded: LedgerWorld) -> None:
    parent, child = parent_of(), child_of(parent_of())
    await funded.accept(parent)
    await funded.submit(child)
    for changed in (
        replace(child, price=child.price + 1),
        replace(child, quantity=child.quantity + 1),
        replace(child, request_time_ms=child.request_time_ms + 1),
    ):
        with pytest.raises(LedgerRefusedError, match="what was sent is fixed"):
            async with funded.executor.transaction() as book:
                await book.change_child(changed, "")


async def test_a_parent_has_one_live_child(funded: LedgerWorld) -> None:
    parent = parent_of()
    await funded.accept(parent)
    await funded.submit(child_of(parent))
    with pytest.raises(LedgerRefusedError, match="child_order_one_live"):
        await funded.submit(child_of(parent, 1))


async def test_a_parent_shrinks_and_never_grows(funded: LedgerWorld) -> None:
    parent = parent_of(state=ParentState.WAITING)
    await funded.accept(parent)
    async with funded.executor.transaction() as book:
        await book.change_parent("p1", state=ParentState.WORKING, quantity=Decimal(1), reason="funded")
    (item,) = await funded.executor.work_of(PORTFOLIO)
    assert (item.parent.quantity, item.parent.state) == (Decimal(1), ParentState.WORKING)
    with pytest.raises(LedgerRefusedError, match="only shrinks"):
        async with funded.executor.transaction() as book:
            await book.change_parent("p1", state=ParentState.WORKING, quantity=Decimal(2))
    with pytest.raises(IllegalTransitionError):
        async with funded.executor.transaction() as book:
            await book.change_parent("p1", state=ParentState.WAITING)


async def test_a_fill_is_recorded_once_and_counts_at_once(funded: LedgerWorld) -> None:
    parent, child = parent_of(), child_of(parent_of())
    await funded.accept(parent)
    await funded.submit(child)
    async with funded.executor.transaction() as book:
        row = await book.add_fill(parent, child, execution_of())
        assert row is not None
        assert await book.add_fill(parent, child, execution_of()) is None
        assert await book.fill(VENUE, ACCOUNT, "t1") == row
    async with funded.executor.transaction() as book:
        assert await book.add_fill(parent, child, execution_of()) is None
        found = await book.child(child.client_order_id)
    assert found is not None
    assert (found[0].filled, found[1].recorded, found[1].filled) == (Decimal(1), Decimal(1), Decimal(1))
    assert [fill.trade_id for fill in await funded.reconciler.unsettled_fills()] == ["t1"]


async def test_a_trade_id_that_means_another_trade_is_an_error(funded: LedgerWorld) -> None:
    parent, child = parent_of(), child_of(parent_of())
    await funded.accept(parent)
    await funded.submit(child)
    await funded.record(parent, child, execution_of(), state=S.PARTIALLY_FILLED)
    with pytest.raises(LedgerRefusedError, match="trade t1 of binance/main is recorded for another"):
        await funded.record(parent, child, execution_of(quantity="0.5"), state=S.PARTIALLY_FILLED)


async def test_a_bought_fill_changes_hands(funded: LedgerWorld) -> None:
    parent, child = parent_of(), child_of(parent_of())
    await funded.accept(parent)
    await funded.submit(child)
    await funded.record(parent, child, execution_of(price="99"), state=S.PARTIALLY_FILLED)
    fill = await funded.settle("t1")
    assert funded.balances() == {
        (PORTFOLIO, ACCOUNT, "BTC"): (Decimal(6), Decimal(0)),
        (PORTFOLIO, ACCOUNT, "USDT"): (Decimal("900.9"), Decimal("102.9")),
    }
    assert await funded.reconciler.unsettled_fills() == []
    with pytest.raises(LedgerRefusedError):
        await funded.settle("t1")
    assert (await funded.executor.work_of(PORTFOLIO))[0].parent.filled == fill.quantity


async def test_a_sold_fill_changes_hands(funded: LedgerWorld) -> None:
    parent = parent_of(side=Side.SELL)
    child = child_of(parent)
    await funded.accept(parent)
    await funded.submit(child)
    await funded.record(parent, child, execution_of(quantity="2"), state=S.FILLED)
    await funded.settle("t1")
    assert funded.balances() == {
        (PORTFOLIO, ACCOUNT, "BTC"): (Decimal(3), Decimal(0)),
        (PORTFOLIO, ACCOUNT, "USDT"): (Decimal("1199.9"), Decimal(0)),
    }
    assert funded.ask("SELECT state FROM ledger.reservation") == [{"state": "posted"}]


@pytest.mark.parametrize(
    ("fee", "asset", "core", "spare"),
    [
        ("0.001", "BTC", ("BTC", "5.999"), None),
        ("0.02", "BNB", ("BNB", "0.98"), ("BNB", "3")),
        ("2", "BNB", ("BNB", "1"), ("BNB", "1")),
        ("-0.02", "BNB", ("BNB", "1.02"), ("BNB", "3")),
        ("0", "BNB", ("BNB", "1"), ("BNB", "3")),
    ],
)
async def test_fees_are_paid_in_their_own_asset(
    funded: LedgerWorld, fee: str, asset: str, core: tuple[str, str], spare: tuple[str, str] | None
) -> None:
    await funded.deposit("BNB", "1", PORTFOLIO)
    await funded.deposit("BNB", "3")
    parent, child = parent_of(), child_of(parent_of())
    await funded.accept(parent)
    await funded.submit(child)
    await funded.record(parent, child, execution_of(fee=fee, fee_asset=asset), state=S.PARTIALLY_FILLED)
    await funded.settle("t1")
    assert funded.balances()[PORTFOLIO, ACCOUNT, core[0]][0] == Decimal(core[1])
    if spare is not None:
        assert funded.balances()[UNALLOCATED, ACCOUNT, spare[0]][0] == Decimal(spare[1])


async def test_a_fee_that_nobody_covers_is_told_and_can_be_settled_later(funded: LedgerWorld) -> None:
    parent, child = parent_of(), child_of(parent_of())
    await funded.accept(parent)
    await funded.submit(child)
    await funded.record(parent, child, execution_of(fee="0.02", fee_asset="BNB"), state=S.PARTIALLY_FILLED)
    before = funded.balances()
    with pytest.raises(UncoveredFeeError, match=r"fee of 0.02 BNB: neither core \(0\) nor"):
        await funded.settle("t1")
    assert funded.balances() == before
    await funded.deposit("BNB", "1")
    await funded.settle("t1")
    assert funded.balances()[UNALLOCATED, ACCOUNT, "BNB"][0] == Decimal("0.98")


async def test_release_waits_for_everything_and_frees_the_rest(funded: LedgerWorld) -> None:
    parent, child = parent_of(), child_of(parent_of())
    await funded.accept(parent)
    await funded.submit(child)

    async def releasable() -> bool:
        async with funded.reconciler.transaction() as book:
            return await book.releasable("p1")

    await funded.record(parent, child, execution_of(), state=S.PARTIALLY_FILLED)
    assert not await releasable()
    with pytest.raises(IllegalTransitionError):
        await funded.release(parent)  # not closed
    await funded.close(parent)
    assert not await releasable()
    await funded.record(parent, child, state=S.CANCELED)
    assert not await releasable()
    with pytest.raises(IllegalTransitionError, match="cannot be released"):
        await funded.release(parent)  # its fill is not settled
    await funded.settle("t1")
    assert await releasable()
    assert [p.parent_id for p in await funded.reconciler.closed_parents()] == ["p1"]
    await funded.release(parent)
    assert funded.balances()[PORTFOLIO, ACCOUNT, "USDT"] == (Decimal("899.9"), Decimal(0))
    assert await funded.executor.work_of(PORTFOLIO) == []
    assert not await releasable()
    assert funded.ask("SELECT state FROM ledger.reservation") == [{"state": "voided"}]


async def test_a_parent_past_its_deadline_has_its_reservation_expired(funded: LedgerWorld) -> None:
    parent = parent_of()
    await funded.accept(parent)
    await funded.close(parent, "deadline")
    await funded.release(parent)
    assert funded.ask("SELECT state FROM ledger.reservation") == [{"state": "expired"}]


async def test_reported_but_unrecorded_fills_hold_the_release(funded: LedgerWorld) -> None:
    parent, child = parent_of(), child_of(parent_of())
    await funded.accept(parent)
    await funded.submit(child)
    async with funded.executor.transaction() as book:
        await book.change_child(replace(child, state=S.FILLED, filled=Decimal(2)), "")
    await funded.close(parent)
    async with funded.reconciler.transaction() as book:
        assert not await book.releasable("p1")
    ((_, open_child),) = await funded.executor.open_children(ACCOUNT)
    assert (open_child.filled, open_child.recorded) == (Decimal(2), Decimal(0))
    assert not await funded.reconciler.quiet(ACCOUNT)


async def test_open_orders_tell_what_balances_will_still_change_by(funded: LedgerWorld) -> None:
    parent, child = parent_of(), child_of(parent_of())
    await funded.accept(parent)
    await funded.submit(child)

    async def leaves() -> list[Decimal]:
        async with funded.reconciler.transaction() as book:
            await book.bump(PORTFOLIO, "test", NOW_US)
        return [order.leaves for order in funded.states()[-1].open_orders]

    await funded.record(parent, child, execution_of(), state=S.PARTIALLY_FILLED)
    assert await leaves() == [Decimal(2)]  # recorded, not booked: both are still to come
    await funded.settle("t1")
    assert await leaves() == [Decimal(1)]
    await funded.close(parent, "deadline")
    assert await leaves() == [Decimal(1)]  # its child is still live
    await funded.record(parent, child, execution_of("t2", "0.25"), state=S.CANCELED)
    assert await leaves() == [Decimal("0.25")]
    await funded.settle("t2")
    assert await leaves() == []


async def test_event_time_only_rises(funded: LedgerWorld) -> None:
    async with funded.executor.transaction() as book:
        await book.bump(PORTFOLIO, "late", NOW_US - 1_000_000)
    assert funded.states()[-1].event_time_us == NOW_US


def told(name: str, portfolio_id: str = PORTFOLIO) -> OrderEvent:
    parent = parent_of(name, portfolio_id=portfolio_id)
    return order_event(parent, child_of(parent), "", NOW_US, dry_run=False)


def numbers(world: LedgerWorld, portfolio_id: str = PORTFOLIO) -> list[tuple[str, int]]:
    """Return whose orders others are told of, in the outbox's order, and by which number."""
    events = [message for message in world.emitted() if isinstance(message, OrderEvent)]
    return [(event.parent_id, event.ledger_sequence) for event in events if event.portfolio_id == portfolio_id]


async def test_events_are_numbered_without_gaps_whatever_is_repeated(funded: LedgerWorld) -> None:
    async with funded.executor.transaction() as book:
        await book.emit(told("a"))
        await book.emit(told("a"))  # twice in one transaction
        await book.bump(PORTFOLIO, "between", NOW_US)
        await book.emit(told("b"))
    async with funded.reconciler.transaction() as book:  # by another process, old and new mixed
        await book.emit(told("b"))
        await book.emit(told("c"))
        await book.emit(told("a"))
        await book.emit(told("d"))
        await book.bump(PORTFOLIO, "then", NOW_US)
    async with funded.executor.transaction() as book:
        await book.emit(told("d"))  # nothing but a repeat
    async with funded.executor.transaction() as book:
        await book.emit(told("e"))
    assert numbers(funded) == [("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 5)]
    assert funded.ask("SELECT ledger_sequence AS n FROM ledger.portfolio") == [{"n": 5}]
    assert [state.reason for state in funded.states()] == ["applied", "between", "then"]


async def test_a_transaction_that_leaves_nothing_leaves_no_gap(funded: LedgerWorld) -> None:
    async def fail() -> None:
        async with funded.executor.transaction() as book:
            await book.emit(told("lost"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with funded.executor.transaction() as book:
        await book.emit(told("kept"))
    assert numbers(funded) == [("kept", 1)]


async def test_portfolios_are_numbered_by_themselves_and_rivals_in_turn(funded: LedgerWorld) -> None:
    await funded.add_portfolio("other")

    async def tell(number: int, portfolio_id: str) -> None:
        async with funded.executor.transaction() as book:
            await book.emit(told(f"{portfolio_id}-{number // 2}", portfolio_id))  # each is told twice

    await asyncio.gather(*(tell(number, portfolio_id) for number in range(10) for portfolio_id in (PORTFOLIO, "other")))
    for portfolio_id in (PORTFOLIO, "other"):
        found = numbers(funded, portfolio_id)
        assert [number for _, number in found] == [1, 2, 3, 4, 5]
        assert len({parent_id for parent_id, _ in found}) == 5


async def test_an_event_of_a_portfolio_that_is_not_there_is_refused(ledger_world: LedgerWorld) -> None:
    with pytest.raises(LedgerRefusedError, match="there is no portfolio nobody"):
        async with ledger_world.executor.transaction() as book:
            await book.emit(told("a", "nobody"))


async def test_recent_signals_are_those_of_the_last_hour(funded: LedgerWorld) -> None:
    hour_us = 3_600_000_000
    async with funded.executor.transaction() as book:
        for version, time_us, outcome in (
            (1, NOW_US, "accepted"),
            (2, NOW_US + 5, "refused"),
            (3, NOW_US + 9, "accepted"),
        ):
            await book.record_signal(signal_of(PORTFOLIO, version, f"s{version}", time_us), outcome, "")
        await book.bump(PORTFOLIO, "test", NOW_US + 9)
        await book.bump(PORTFOLIO, "test", NOW_US + hour_us)
    assert [state.recent_signals_us for state in funded.states()[-2:]] == [(NOW_US, NOW_US + 9), (NOW_US + 9,)]


async def test_a_transfer_is_booked_once_and_within_what_is_there(funded: LedgerWorld) -> None:
    async def transfer(amount: str) -> bool:
        async with funded.reconciler.transaction() as book:
            return await book.transfer("e1", "external_transfer", PORTFOLIO, ACCOUNT, "BTC", Decimal(amount), NOW_US)

    with pytest.raises(InsufficientFundsError):
        await transfer("-6")
    assert await transfer("-1")
    assert not await transfer("-1")
    assert await funded.reconciler.sums(ACCOUNT) == {"BTC": Decimal(4), "USDT": Decimal(1_000)}


async def test_allocations_move_between_the_account_and_its_portfolios(funded: LedgerWorld) -> None:
    await funded.add_portfolio("other")
    await funded.deposit("ETH", "3")

    async def allocate(entry_id: str, portfolio_id: str, amount: str) -> bool:
        async with funded.cli.transaction() as book:
            return await book.allocate(entry_id, portfolio_id, ACCOUNT, "ETH", Decimal(amount), NOW_US)

    assert await allocate("a1", "other", "2")
    assert not await allocate("a1", "other", "2")
    with pytest.raises(InsufficientFundsError):
        await allocate("a2", PORTFOLIO, "2")
    assert await allocate("a3", "other", "-0.5")
    assert funded.balances()[UNALLOCATED, ACCOUNT, "ETH"][0] == Decimal("1.5")
    assert await funded.reconciler.sums(ACCOUNT) == {"BTC": Decimal(5), "ETH": Decimal(3), "USDT": Decimal(1_000)}
    assert await funded.reconciler.holders(ACCOUNT) == ["core", "other"]


async def test_a_halt_is_told_and_lifted(funded: LedgerWorld) -> None:
    await funded.accept(parent_of())
    async with funded.reconciler.transaction() as book:
        await book.halt(PORTFOLIO, "lacks 1 BTC")
        await book.halt(PORTFOLIO, "again")
        row = await book.portfolio(PORTFOLIO)
        assert row is not None
        assert row.halted
    (item,) = await funded.executor.work([3])
    assert item.halted
    halted = [state for state in funded.states() if state.halted]
    assert [state.reason for state in halted] == ["halted: lacks 1 BTC"]
    async with funded.cli.transaction() as book:
        assert await book.resume(PORTFOLIO)
        assert not await book.resume(PORTFOLIO)
    assert not funded.states()[-1].halted


@pytest.mark.parametrize(("scope", "name"), [("all", ""), ("venue", VENUE)])
async def test_a_kill_switch_holds_for_every_portfolio_under_it(funded: LedgerWorld, scope: str, name: str) -> None:
    async with funded.cli.transaction() as book:
        assert await book.throw_switch(scope, name, "maintenance", NOW_US) == [PORTFOLIO]
    assert funded.states()[-1].halted
    await funded.add_portfolio("later")
    assert funded.states()[-1].halted
    async with funded.executor.transaction() as book:
        await book.halt(PORTFOLIO, "own reason")
    async with funded.cli.transaction() as book:
        assert await book.clear_switch(scope, name, NOW_US) == [PORTFOLIO, "later"]
    latest = {state.portfolio_id: state.halted for state in funded.states()}
    assert latest == {PORTFOLIO: True, "later": False}


async def test_the_switch_of_another_venue_halts_nobody(funded: LedgerWorld) -> None:
    async with funded.cli.transaction() as book:
        assert await book.throw_switch("venue", "kraken", "maintenance", NOW_US) == []
        row = await book.portfolio(PORTFOLIO)
        assert row is not None
        assert not row.halted


async def test_documents_are_versioned(funded: LedgerWorld) -> None:
    async with funded.cli.transaction() as book:
        assert await book.apply_portfolio(PORTFOLIO, "{}", [ACCOUNT], dry_run=True) == 2
        await book.bump(PORTFOLIO, "applied", NOW_US)
    async with funded.executor.transaction() as book:
        row = await book.portfolio(PORTFOLIO)
        assert row is not None
        assert (row.document_version, row.document, row.dry_run) == (2, "{}", True)
    assert (funded.states()[-1].document_version, funded.states()[-1].document) == (2, "{}")
    with pytest.raises(LedgerRefusedError):
        async with funded.cli.transaction() as book:
            await book.apply_portfolio(PORTFOLIO, "{}", ["nowhere"], dry_run=True)


async def test_an_event_id_leaves_once(funded: LedgerWorld) -> None:
    state = funded.states()[-1]
    async with funded.executor.transaction() as book:
        await book.emit(state)
    assert [m for m in funded.emitted() if isinstance(m, PortfolioState)].count(state) == 1
    with pytest.raises(LedgerRefusedError, match="needs an event id"):
        async with funded.executor.transaction() as book:
            await book.emit(signal_of(PORTFOLIO, 1))
