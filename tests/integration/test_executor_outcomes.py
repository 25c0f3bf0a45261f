"""What becomes of an order whose answer is lost, late, refused or rubbish: executed once at the venue in any case."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from exchange_process import Running
from floor_parties import Executor
from trading_floor import Floor, open_floor

from ledger_worlds import PORTFOLIO, LedgerWorld
from trimtab.domain.orders import ChildOrder, Side

PLACE, FIND = "POST /api/v3/order", "GET /api/v3/order"


async def _buy(floor: Floor, executor: Executor, quantity: str = "0.01") -> str:
    """Send a signal for one buy; return its parent's id."""
    trade = await floor.trade(Side.BUY, quantity)
    await floor.accepted(executor, trade)
    return trade.trade_id


def _bought(floor: Floor) -> Decimal:
    return sum((e.quantity for e in floor.journal().executions_of(floor.account)), Decimal(0))


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("lost_answer", {}),
        ("error_after", {"status": 503}),
        ("error_after", {"status": 504}),
        ("error_after", {"status": 500, "code": -1006}),
    ],
)
async def test_an_order_that_was_accepted_without_an_answer_is_found(
    floor: Floor, kind: str, more: dict[str, Any]
) -> None:
    executor = await floor.executor(lookup_after_ms=600, deaf=True)
    await floor.fault(kind, **more)
    await _buy(floor, executor)
    await floor.until(lambda: floor.children()[0]["state"] == "unknown", "the outcome is unknown")
    assert floor.reserved() > 0
    floor.reconciler()
    await floor.holds()
    assert [child["state"] for child in floor.children()] == ["filled"]
    assert _bought(floor) == Decimal("0.01")
    assert executor.measured("orders_unknown_total", venue="binance") == 1


async def test_the_stream_may_tell_what_the_answer_did_not(floor: Floor) -> None:
    executor = await floor.executor(lookup_after_ms=60_000)
    await executor.following.wait()
    await floor.fault("lost_answer")
    await _buy(floor, executor)
    floor.reconciler()
    await floor.holds()
    assert [child["state"] for child in floor.children()] == ["filled"]
    assert floor.gateway.times(FIND) == []


@pytest.mark.parametrize("mishap", ["cut", "empty", "html", "reset_after"])
async def test_an_answer_that_is_no_answer_is_unknown_and_then_found(floor: Floor, mishap: str) -> None:
    executor = await floor.executor(lookup_after_ms=600, deaf=True)
    floor.gateway.strike(PLACE, mishap)
    await _buy(floor, executor)
    await floor.until(lambda: floor.children()[0]["state"] == "unknown", "the outcome is unknown")
    assert floor.reserved() > 0
    floor.reconciler()
    await floor.holds()
    assert [child["state"] for child in floor.children()] == ["filled"]
    assert _bought(floor) == Decimal("0.01")


@pytest.fixture
async def brisk(still_exchange: Running, ledger_world: LedgerWorld) -> AsyncIterator[Floor]:
    """A floor whose orders have 1,000 ms to arrive, and 200 ms of clock skew."""
    async with open_floor(still_exchange, ledger_world, recv_window_ms=1_000, clock_skew_ms=200) as opened:
        yield opened


@pytest.mark.parametrize("mishap", ["error_before", "reset_before"])
async def test_absence_is_proven_before_anything_is_sent_again(brisk: Floor, mishap: str) -> None:
    executor = await brisk.executor(lookups_for_absence=3)
    if mishap == "reset_before":
        brisk.gateway.strike(PLACE, mishap)
    else:
        await brisk.fault(mishap, status=502)
    await _buy(brisk, executor)
    await brisk.until(lambda: len(brisk.children()) == 2, "sent again")
    first, second = brisk.children()
    assert first["state"] == "rejected"
    assert first["reason"] == "absent at the venue"
    # Not before the first can no longer arrive, and has been looked for three times after that.
    window_ms = 1_000 + 200
    assert second["request_time_ms"] > first["request_time_ms"] + window_ms
    since = time.monotonic() - (time.time_ns() / 1e6 - first["request_time_ms"] - window_ms) / 1e3
    until = time.monotonic() - (time.time_ns() / 1e6 - second["request_time_ms"]) / 1e3
    assert len([moment for moment in brisk.gateway.times(FIND) if since < moment < until]) >= 3
    brisk.reconciler()
    await brisk.holds()
    assert _bought(brisk) == Decimal("0.01")
    assert executor.sender._absences == {brisk.account: {}}


async def test_an_order_that_arrives_after_its_window_was_not_placed(brisk: Floor) -> None:
    executor = await brisk.executor()
    await brisk.fault("latency", latency_ms=1_300)
    await _buy(brisk, executor)
    brisk.reconciler()
    await brisk.holds()
    first, *_, last = brisk.children()
    assert "not placed" in first["reason"]
    assert (first["state"], last["state"]) == ("rejected", "filled")
    assert _bought(brisk) == Decimal("0.01")


async def test_a_lost_order_is_not_absent_while_it_can_still_arrive(floor: Floor) -> None:
    """The answer is lost and the order takes its time: look-ups in vain meanwhile must prove nothing."""
    executor = await floor.executor(lookups_for_absence=1, lookup_after_ms=0)
    await floor.fault("latency", latency_ms=700)
    await floor.fault("lost_answer")
    await _buy(floor, executor)
    floor.reconciler()
    await floor.holds()
    assert [child["state"] for child in floor.children()] == ["filled"]


async def test_a_rate_limit_is_waited_out(floor: Floor) -> None:
    executor = await floor.executor()
    await floor.fault("rate_limit", retry_after_seconds=2)
    await _buy(floor, executor)
    floor.reconciler()
    await floor.holds()
    first, second = floor.children()
    assert "not placed" in first["reason"]
    asked = floor.gateway.times(PLACE)
    assert len(asked) == 2
    assert asked[1] - asked[0] >= 2
    assert second["state"] == "filled"


async def test_an_exchange_that_cannot_be_asked_leaves_the_order_unknown_until_it_can(floor: Floor) -> None:
    executor = await floor.executor(deaf=True)
    await floor.fault("lost_answer")
    await floor.fault("error_before", endpoint=FIND, count=8)
    await _buy(floor, executor)
    await floor.until(lambda: len(floor.gateway.times(FIND)) >= 3, "look-ups fail")
    assert floor.children()[0]["state"] == "unknown"
    assert floor.reserved() > 0
    await floor.until(
        lambda: executor.measured("unknown_orders", venue="binance", account=floor.account) == 1, "it is told"
    )
    floor.reconciler()
    await floor.holds()
    await floor.until(
        lambda: executor.measured("unknown_orders", venue="binance", account=floor.account) == 0, "it is told"
    )


async def test_a_refused_order_closes_its_parent_with_the_venues_code_and_the_portfolio_rests(floor: Floor) -> None:
    await floor.world.deposit("USDT", "5000000", PORTFOLIO, floor.account)  # the venue does not have it
    executor = await floor.executor()
    floor.reconciler()
    parent_id = await _buy(floor, executor, "3")
    await floor.until(floor.at_rest, "released")
    assert floor.closings() == {parent_id: "refused: insufficient_balance"}
    assert floor.children()[0]["state"] == "rejected"
    assert floor.children()[0]["reason"].startswith("insufficient_balance: ")
    refused = next(s for s in floor.world.states() if s.reason == "refused: insufficient_balance")
    assert refused.not_before_us > floor.event_us() + 20_000_000
    assert floor.reserved() == 0
    assert executor.measured("orders_total", venue="binance", state="rejected") == 1
    assert executor.measured("order_fill_ratio_count", venue="binance") == 1


async def test_a_contradiction_of_the_venue_halts_and_loses_no_fill(brisk: Floor) -> None:
    """Proven absent, then there after all (a venue that broke its own window): the fill counts, a person looks."""
    executor = await brisk.executor()
    brisk.reconciler()
    await brisk.fault("error_before", status=502)
    parent_id = await _buy(brisk, executor)
    await brisk.holds()
    (pair,) = [child for child in brisk.children() if child["state"] == "rejected"]
    async with brisk.world.executor.transaction() as book:
        located = await book.child(pair["client_order_id"])
    assert located is not None
    late = await executor.venues[brisk.account].place(located[0], _now(located[1]))
    await brisk.until(lambda: "cannot become" in brisk.halt_reason(), "halted")
    # The stream tells of the order first, which halts, and then of its fill.
    await brisk.until(lambda: len(brisk.fills()) == 2, "the late fill is recorded")
    await brisk.until(brisk.at_rest, "everything settled")
    verdict = await brisk.verdict()
    assert verdict.doubled_orders == 1  # its parent was filled in between, and nobody could know
    assert (verdict.lost_fills, verdict.invented_fills, verdict.ledger_equals_venue) == (0, 0, True)
    assert _bought(brisk) == Decimal("0.02")
    assert (getattr(late, "filled", None), parent_id in brisk.closings()) == (Decimal("0.01"), True)


def _now(child: ChildOrder) -> ChildOrder:
    return replace(child, request_time_ms=time.time_ns() // 1_000_000)


async def test_orders_of_an_account_without_a_key_here_are_left_to_others(floor: Floor) -> None:
    executor = await floor.executor(patient=True)
    trade = await floor.trade(Side.BUY, "0.01")
    await floor.accepted(executor, trade, lifetime_seconds=60)
    await floor.open_order()
    await executor.crash()
    other = await floor.executor("executor-2", accounts=["counter"])
    await asyncio.sleep(0.5)
    floor.event_offset_us += 61_000_000  # past the deadline: it would cancel, had it the key
    await asyncio.sleep(0.5)
    assert not other.work._running
    assert [child["cancel_requested"] for child in floor.children()] == [False]
    third = await floor.executor("executor-3")
    floor.reconciler()
    await floor.holds()
    assert floor.closings() == {trade.trade_id: "deadline"}
    assert third.measured("order_fill_ratio_count", venue="binance") == 1


async def test_an_order_that_a_proxy_places_twice_is_bought_twice_and_the_ledger_knows(floor: Floor) -> None:
    executor = await floor.executor()
    await executor.following.wait()
    floor.reconciler()
    await floor.fault("duplicate_request")
    await _buy(floor, executor)
    await floor.until(lambda: len(floor.fills()) == 2, "both are recorded")
    await floor.until(floor.at_rest, "settled")
    verdict = await floor.verdict()
    assert verdict.doubled_orders > 0  # nobody behind such a proxy can keep that from happening
    assert (verdict.lost_fills, verdict.invented_fills, verdict.ledger_equals_venue) == (0, 0, True)
    assert _bought(floor) == Decimal("0.02")


async def test_an_order_that_a_proxy_places_twice_while_it_rests_is_placed_once(floor: Floor) -> None:
    executor = await floor.executor(patient=True)
    await executor.following.wait()
    floor.reconciler()
    await floor.fault("duplicate_request")
    await _buy(floor, executor)
    await floor.hit(await floor.open_order(), "0.01")
    await floor.holds()
    assert _bought(floor) == Decimal("0.01")
