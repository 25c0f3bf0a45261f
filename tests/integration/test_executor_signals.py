"""Signals in: what is written before anything is sent, and that each portfolio version is settled exactly once."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from floor_parties import SHARD, Executor
from trading_floor import Floor

from ledger_worlds import PORTFOLIO
from trimtab.domain.errors import FencedError, InvalidValueError, UnreachableError
from trimtab.domain.ids import client_order_id
from trimtab.domain.orders import Side
from trimtab.messages import OrderEvent, ParentEvent, Signal
from trimtab.ports.topics import Record


async def test_a_signal_is_reserved_and_written_before_it_is_sent(floor: Floor) -> None:
    executor = await floor.executor(lookup_after_ms=60_000)  # that an order is not there yet is no answer here
    buy, sell = await floor.trade(Side.BUY, "0.01", "buy"), await floor.trade(Side.SELL, "0.2", "sell", base="ETH")
    version, seen = floor.version(), list[tuple[Any, ...]]()

    def look(endpoint: str) -> None:
        """See what is written when the first order is on its way and has not got to the exchange."""
        if endpoint == "POST /api/v3/order" and not seen:
            ids = (client_order_id(trade.trade_id, 0) for trade in (buy, sell))
            arrived = [order for one in ids for order in floor.journal().orders_of(floor.account, one)]
            reserved, states = (floor.reserved("USDT"), floor.reserved("ETH")), floor.world.states()
            seen.append((arrived, floor.parents(), floor.children(), reserved, states[-1], floor.world.emitted()))

    floor.gateway.before = look
    signal = await floor.accepted(executor, sell, buy)
    await floor.until(lambda: seen, "an order is sent")
    arrived, parents, children, reserved, state, emitted = seen[0]
    assert arrived == []
    assert [(row["parent_id"], row["state"]) for row in parents] == [
        (sell.trade_id, "working"),
        (buy.trade_id, "working"),
    ]
    assert {row["client_order_id"]: row["state"] for row in children} == {
        client_order_id(buy.trade_id, 0): "submitted",
        client_order_id(sell.trade_id, 0): "submitted",
    }
    assert reserved == (buy.quantity * buy.limit_price, sell.quantity)
    assert (state.ledger_version, state.reason, len(state.open_orders)) == (version + 1, "signal", 2)
    assert {event.state for event in emitted if isinstance(event, OrderEvent)} == {"submitted"}
    floor.reconciler()
    await floor.holds()
    assert len(floor.journal().orders_of(floor.account, client_order_id(buy.trade_id, 0))) == 1
    assert {fill.signal_id for fill in floor.fills()} == {signal.signal_id}
    assert executor.measured("signals_total", outcome="accepted") == 1
    assert executor.measured("orders_total", venue="binance", state="filled") == 2
    assert executor.measured("execution_latency_seconds_count", venue="binance") == 2


async def test_one_signal_is_settled_per_version(floor: Floor) -> None:
    executor = await floor.executor()
    floor.reconciler()
    first = floor.signal(await floor.trade(Side.BUY, "0.01"))
    rival = floor.signal(await floor.trade(Side.BUY, "0.01", "rival"))
    older = floor.signal(await floor.trade(Side.BUY, "0.01", "older"), version=floor.version() - 1)
    await executor.take(older)
    await asyncio.gather(*(executor.take(signal) for signal in (first, rival, first)))
    await executor.take(first)
    outcomes = floor.world.ask("SELECT signal_id, outcome FROM ledger.signal")
    assert len(outcomes) == 1
    assert outcomes[0]["signal_id"] in {first.signal_id, rival.signal_id}
    assert executor.measured("signals_total", outcome="accepted") == 1
    assert executor.measured("signals_total", outcome="older_version") == 4
    await floor.holds()
    assert len(floor.parents()) == 1


async def test_a_signal_on_an_older_document_is_superseded(floor: Floor) -> None:
    executor = await floor.executor()
    signal = floor.signal(await floor.trade(Side.BUY, "0.01"))
    await executor.take(replace(signal, document_version=2))
    assert floor.parents() == []
    assert floor.version() == signal.ledger_version


async def test_a_portfolio_nobody_knows_is_left_alone(floor: Floor) -> None:
    executor = await floor.executor()
    await executor.take(floor.signal(await floor.trade(Side.BUY, "0.01"), version=1, portfolio="nobody"))
    assert floor.parents() == []
    assert executor.measured("signals_total", outcome="unknown_portfolio") == 1


async def _refusable(floor: Floor, reason: str) -> Signal:
    trade = await floor.trade(Side.BUY, "0.01")
    if reason == "halted":
        async with floor.world.cli.transaction() as book:
            await book.halt(PORTFOLIO, "a person said so")
    changes: dict[str, dict[str, Any]] = {
        "unknown_account": {"account": "elsewhere"},
        "instrument_not_tradable": {"instrument": "XYZ/USDT"},
        "wrong_currencies": {"base": "ETH"},
        "quantity_off_grid": {"quantity": Decimal("0.010001")},
    }
    signal = floor.signal(replace(trade, **changes.get(reason, {})))
    if reason == "deadline":
        return replace(signal, deadline_us=floor.event_us() - 10_000_000)
    return replace(signal, trades=()) if reason == "no_trades" else signal


@pytest.mark.parametrize(
    "reason",
    [
        *("halted", "deadline", "no_trades", "unknown_account"),
        *("instrument_not_tradable", "wrong_currencies", "quantity_off_grid"),
    ],
)
async def test_a_refused_signal_says_why_and_is_not_repeated(floor: Floor, reason: str) -> None:
    executor = await floor.executor()
    signal = await _refusable(floor, reason)
    await executor.take(signal)
    state = floor.world.states()[-1]
    assert (state.reason, state.ledger_version) == (reason, signal.ledger_version + 1)
    assert state.not_before_us == signal.event_time_us + 5_000_000
    assert (floor.parents(), floor.reserved()) == ([], 0)
    await executor.take(signal)
    assert floor.version() == state.ledger_version
    assert executor.measured("signals_total", outcome=reason) == 1


async def test_a_signal_that_breaks_a_rule_of_the_ledger_does_not_hold_up_the_next(floor: Floor) -> None:
    executor = await floor.executor()
    floor.reconciler()
    twice = await floor.trade(Side.BUY, "0.01")
    await executor.take(floor.signal(twice, twice))  # one id for two trades
    state = floor.world.states()[-1]
    assert (state.reason, state.not_before_us > 0) == ("ledger_refused", True)
    accepted = await floor.accepted(executor, await floor.trade(Side.BUY, "0.01", "next"))
    await floor.holds()
    stuck = replace(accepted, ledger_version=floor.version())  # its id is taken: it cannot be kept
    await executor.take(stuck)
    assert executor.measured("signals_total", outcome="ledger_refused") == 2
    state = floor.world.states()[-1]
    assert (state.reason, state.ledger_version) == (
        "ledger_refused",
        stuck.ledger_version + 1,
    )  # drift is not kept waiting
    await floor.accepted(executor, await floor.trade(Side.BUY, "0.01", "last"))


async def test_a_signal_nobody_can_handle_is_given_up_and_its_portfolio_may_decide_afresh(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = await floor.executor()
    floor.reconciler()
    poison = Record(floor.signal(await floor.trade(Side.BUY, "0.01")), "rebalance.signals", SHARD, 0)

    def stumble(*_: object) -> None:
        raise KeyError("a mistake of ours")

    with monkeypatch.context() as broken:
        broken.setattr("trimtab.executor.intake.judge", stumble)
        with pytest.raises(KeyError):
            await executor.intake.handle(poison)
        assert floor.version() == poison.message.ledger_version
        await executor.intake.give_up(poison, KeyError("a mistake of ours"))
    state = floor.world.states()[-1]
    assert (state.reason, state.ledger_version) == ("internal_error", poison.message.ledger_version + 1)
    assert state.not_before_us == poison.message.event_time_us + 5_000_000
    kept = floor.world.ask("SELECT signal_id, outcome, reason FROM ledger.signal")
    assert kept == [{"signal_id": poison.message.signal_id, "outcome": "refused", "reason": "internal_error"}]
    await executor.intake.give_up(poison, KeyError("a mistake of ours"))  # handed in again after a crash
    assert floor.version() == state.ledger_version
    assert executor.measured("signals_total", outcome="internal_error") == 1
    await floor.accepted(executor, await floor.trade(Side.BUY, "0.01", "next"))
    await floor.holds()


async def test_a_signal_from_a_time_the_market_has_not_come_to_settles_nothing_and_writes_no_time(floor: Floor) -> None:
    executor = await floor.executor()
    floor.reconciler()
    absurd = replace(
        floor.signal(replace(await floor.trade(Side.BUY, "0.01"), account="nobody")),
        event_time_us=4_000_000_000_000_000,
        deadline_us=4_000_000_000_000_001,
    )
    with pytest.raises(InvalidValueError, match="allowed: at most an hour after the newest frame"):
        await executor.take(absurd)
    record = Record(absurd, "rebalance.signals", SHARD, 0)
    await executor.intake.give_up(record, InvalidValueError("event_time_us", 0, "less"))  # then to the dead letters
    assert floor.version() == absurd.ledger_version
    assert floor.world.ask("SELECT signal_id FROM ledger.signal") == []
    assert executor.measured("signals_total", outcome="impossible_time") == 1
    await floor.accepted(executor, await floor.trade(Side.BUY, "0.01", "next"))
    assert floor.world.states()[-1].event_time_us <= floor.event_us()
    await floor.holds()


async def test_a_signal_that_overtook_a_frame_after_a_long_silence_is_taken_once_the_frame_is_there(
    floor: Floor,
) -> None:
    executor = await floor.executor()
    floor.reconciler()
    floor.market_runs = False
    await asyncio.sleep(0.2)  # no frame is on its way
    floor.event_offset_us += 7_200_000_000
    signal = floor.signal(await floor.trade(Side.BUY, "0.01"))
    with pytest.raises(InvalidValueError):
        await executor.take(signal)
    floor.market_runs = True
    await floor.show_frame()
    await executor.take(signal)
    assert executor.measured("signals_total", outcome="accepted") == 1
    await floor.holds()


async def test_a_signal_is_given_up_by_the_owner_of_its_shard_alone(floor: Floor) -> None:
    zombie = await floor.executor("zombie", deaf=True)
    await floor.executor("owner", deaf=True)
    poison = Record(floor.signal(await floor.trade(Side.BUY, "0.01")), "rebalance.signals", SHARD, 0)
    with pytest.raises(FencedError):
        await zombie.intake.give_up(poison, KeyError("a mistake of ours"))
    assert floor.version() == poison.message.ledger_version


async def test_nothing_is_judged_before_a_market_is_seen(floor: Floor) -> None:
    floor.market_runs = False
    await asyncio.sleep(0.1)
    executor = Executor(floor, "executor-1", [floor.account], (await floor.executor()).desk.settings)
    signal = floor.signal(await floor.trade(Side.BUY, "0.01"))
    with pytest.raises(UnreachableError, match="no full frame"):
        await executor.take(signal)
    assert floor.version() == signal.ledger_version
    await executor.crash()


async def test_what_funds_do_not_allow_is_made_smaller_and_what_is_left_nothing_for_closes(floor: Floor) -> None:
    executor = await floor.executor()
    floor.reconciler()
    large, none = await floor.trade(Side.BUY, "9", "large"), await floor.trade(Side.BUY, "1", "none", base="ETH")
    await floor.accepted(executor, large, none)
    rows = {row["parent_id"]: row for row in floor.parents()}
    assert 0 < rows[large.trade_id]["quantity"] < 9
    await floor.until(lambda: none.trade_id in floor.closings(), "the second closed")
    assert floor.closings()[none.trade_id] == "no_funds"
    await floor.holds()


async def test_a_dry_run_is_marked_and_sends_nothing(floor: Floor) -> None:
    async with floor.world.cli.transaction() as book:
        await book.apply_portfolio(PORTFOLIO, '{"portfolio":"core"}', [floor.account], dry_run=True)
        await book.bump(PORTFOLIO, "applied", 0)
    executor = await floor.executor()
    floor.reconciler()
    signal = replace(floor.signal(await floor.trade(Side.BUY, "0.01")), document_version=2)
    await executor.take(signal)
    await floor.until(floor.at_rest, "released")
    assert [row["dry_run"] for row in floor.parents()] == [True]
    events = [m for m in floor.world.emitted() if isinstance(m, ParentEvent | OrderEvent)]
    assert events
    assert all(event.dry_run for event in events)
    assert floor.world.states()[-1].not_before_us == signal.deadline_us
    assert (floor.children(), floor.reserved()) == ([], 0)
    assert [order for order in floor.journal().orders.values() if order.account == floor.account] == []
    assert SHARD in executor.ownership.shards


async def test_a_zombie_decides_nothing_and_its_facts_count(floor: Floor) -> None:
    zombie = await floor.executor("zombie", deaf=True)
    floor.reconciler()
    await floor.fault("latency", latency_ms=1_000)
    trade = await floor.trade(Side.BUY, "0.01")
    await floor.accepted(zombie, trade)
    owner = await floor.executor("owner", accounts=["counter"])  # takes the shard; it cannot look the order up itself
    with pytest.raises(FencedError, match="no longer the newest"):
        await zombie.take(floor.signal(await floor.trade(Side.BUY, "0.01", "more")))
    await floor.until(lambda: floor.children()[0]["state"] == "filled", "the zombie's answer is recorded")
    await floor.holds()
    assert floor.closings() == {trade.trade_id: "filled"}
    assert owner.measured("order_fill_ratio_count", venue="binance") == 1
    assert zombie.measured("order_fill_ratio_count", venue="binance") == 0
    assert len(floor.parents()) == 1


async def test_work_of_a_shard_that_is_taken_over_is_found_without_a_signal(floor: Floor) -> None:
    first = await floor.executor("first", patient=True)
    await floor.accepted(first, await floor.trade(Side.BUY, "0.01"), lifetime_seconds=60)
    await floor.open_order()
    second = Executor(floor, "second", [floor.account], first.desk.settings, deaf=True)
    floor.join(second)
    await second.start(shards=())
    await first.crash()
    await second.ownership.take([SHARD])
    floor.event_offset_us += 61_000_000
    floor.reconciler()
    await floor.holds()
    assert list(floor.closings().values()) == ["deadline"]


async def test_a_crash_between_commit_and_request_leaves_an_order_that_is_looked_up(floor: Floor) -> None:
    first = await floor.executor("first")
    sent = first.venues[floor.account]
    sent.place = _never  # type: ignore[method-assign]  # it dies before the request leaves
    await floor.accepted(first, await floor.trade(Side.BUY, "0.01"))
    await asyncio.sleep(0.1)
    await first.crash()
    assert [child["state"] for child in floor.children()] == ["submitted"]
    assert floor.gateway.times("POST /api/v3/order") == []
    await floor.executor("second")
    floor.reconciler()
    await floor.holds()
    assert [child["state"] for child in floor.children()] == ["rejected", "filled"]
    assert len(floor.gateway.times("POST /api/v3/order")) == 1


async def _never(*_: object) -> Any:
    await asyncio.Event().wait()
