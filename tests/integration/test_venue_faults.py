"""One account over real ccxt while the simulated exchange misbehaves: what is known, and what the journal says."""

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from simulated_exchange import ACCOUNT, SimulatedExchange
from trimtab.adapters.venues.registry import open_account
from trimtab.domain.orders import (
    OrderState,
)
from trimtab.ports.venue import Absent, ExecutionReport, NotPlaced, Reconnected, Unknown
from venue_orders import parent, resting, taking


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("lost_answer", {}),
        ("error_after", {"status": 503}),
        ("error_after", {"status": 504}),
        ("error_after", {"status": 505}),
        ("error_after", {"status": 520}),
        ("error_after", {"status": 523}),
        ("error_after", {"status": 524}),
        ("error_after", {"status": 598}),
        ("cut_answer", {}),
        ("cut_answer", {"cut": "connection"}),
        ("empty_answer", {}),
        ("html_answer", {}),
    ],
)
async def test_an_order_carried_out_without_an_answer_is_unknown_and_then_found(
    exchange: SimulatedExchange, kind: str, more: dict[str, Any]
) -> None:
    venue = open_account(ACCOUNT, exchange.settings())
    await exchange.fault(kind, "POST /api/v3/order", **more)
    order = taking()
    assert isinstance(await venue.place(parent(), order), Unknown)
    found = await venue.find(parent(), order)
    await venue.close()
    assert isinstance(found, ExecutionReport)
    assert found.state is OrderState.FILLED
    assert found.filled == sum(item.quantity for item in found.executions)
    at_venue = {f"{item.symbol}:{item.trade_id}" for item in exchange.journal().executions}
    assert {item.trade_id for item in found.executions} == at_venue


@pytest.mark.parametrize(
    ("kind", "more"), [("error_before", {"status": 502}), ("error_before", {"status": 522}), ("lost_request", {})]
)
async def test_an_order_that_never_arrived_is_unknown_and_then_absent(
    exchange: SimulatedExchange, kind: str, more: dict[str, Any]
) -> None:
    venue = open_account(ACCOUNT, exchange.settings())
    await exchange.fault(kind, "POST /api/v3/order", **more)
    order = resting()
    assert isinstance(await venue.place(parent(), order), Unknown)
    assert isinstance(await venue.find(parent(), order), Absent)
    await venue.close()
    assert exchange.journal().orders == {}


async def test_a_late_answer_is_unknown(exchange: SimulatedExchange) -> None:
    venue = open_account(ACCOUNT, exchange.settings(request_timeout_ms=300))
    await exchange.fault("late_answer", "POST /api/v3/order", latency_ms=1_500)
    order = resting()
    assert isinstance(await venue.place(parent(), order), Unknown)
    found = await venue.find(parent(), order)
    await venue.close()
    assert isinstance(found, ExecutionReport)


async def test_a_request_that_arrives_late_is_refused_by_its_own_receive_window(exchange: SimulatedExchange) -> None:
    venue = open_account(ACCOUNT, exchange.settings(recv_window_ms=200))
    await exchange.fault("latency", "POST /api/v3/order", latency_ms=600)
    order = resting()
    assert isinstance(await venue.place(parent(), order), NotPlaced)
    assert isinstance(await venue.find(parent(), order), Absent)
    await venue.close()


async def test_a_rate_limit_stops_us_for_as_long_as_the_venue_says(exchange: SimulatedExchange) -> None:
    venue = open_account(ACCOUNT, exchange.settings())
    await exchange.fault("rate_limit", "POST /api/v3/order", retry_after_seconds=2)
    answer = await venue.place(parent(), resting())
    assert isinstance(answer, NotPlaced)
    assert answer.retry_after_ms == 2_000
    assert isinstance(await venue.place(parent(), resting(2)), NotPlaced)
    await asyncio.sleep(2.1)
    assert isinstance(await venue.place(parent(), resting(3)), ExecutionReport)
    await venue.close()


async def test_too_many_orders_of_the_account_leave_its_cancels_and_look_ups_alone(exchange: SimulatedExchange) -> None:
    venue = open_account(ACCOUNT, exchange.settings())
    await exchange.say("limits", orders_1d=1)
    order = resting()
    assert isinstance(await venue.place(parent(), order), ExecutionReport)
    answer = await venue.place(parent(), resting(2))
    assert isinstance(answer, NotPlaced)
    assert "-1015" in answer.reason
    assert 1_000 <= answer.retry_after_ms <= 86_400_000
    assert isinstance(await venue.find(parent(), order), ExecutionReport)
    cancelled = await venue.cancel(parent(), order)
    await venue.close()
    assert isinstance(cancelled, ExecutionReport)
    assert cancelled.state is OrderState.CANCELED


async def test_a_ban_silences_the_whole_account_until_it_is_over(exchange: SimulatedExchange) -> None:
    venue = open_account(ACCOUNT, exchange.settings())
    assert isinstance(await venue.place(parent(), resting()), ExecutionReport)
    await exchange.say("limits", request_weight_1m=1, refusals_before_ban=0)
    assert isinstance(await venue.balances(), Unknown)
    answer = await venue.place(parent(), resting(2))
    assert isinstance(answer, NotPlaced)
    assert 110_000 < answer.retry_after_ms <= 120_000
    assert isinstance(await venue.find(parent(), resting()), Unknown)
    await venue.close()
    refused = [line["status"] for line in exchange.limited()]
    assert refused == [418]


async def test_an_order_sent_twice_while_open_is_unknown_not_refused(exchange: SimulatedExchange) -> None:
    venue = open_account(ACCOUNT, exchange.settings())
    order = resting()
    assert isinstance(await venue.place(parent(), order), ExecutionReport)
    assert isinstance(await venue.place(parent(), order), Unknown)
    found = await venue.find(parent(), order)
    await venue.close()
    assert isinstance(found, ExecutionReport)
    assert found.state is OrderState.ACCEPTED


async def test_a_cancel_that_was_carried_out_twice_is_absent_and_then_found_canceled(
    exchange: SimulatedExchange,
) -> None:
    venue = open_account(ACCOUNT, exchange.settings())
    order = resting()
    await venue.place(parent(), order)
    await exchange.fault("duplicate_request", "DELETE /api/v3/order")
    assert isinstance(await venue.cancel(parent(), order), Absent)
    found = await venue.find(parent(), order)
    await venue.close()
    assert isinstance(found, ExecutionReport)
    assert found.state is OrderState.CANCELED


async def test_answers_in_the_wrong_order_are_told_apart(exchange: SimulatedExchange) -> None:
    venue = open_account(ACCOUNT, exchange.settings())
    await exchange.fault("overtaken_answer", "POST /api/v3/order", latency_ms=4_000)
    first = asyncio.create_task(venue.place(parent(), resting(1)))
    while not exchange.journal().orders:  # noqa: ASYNC110 - another process writes it
        await asyncio.sleep(0.05)
    second = await venue.place(parent(), resting(2))
    answers = [await first, second]
    await venue.close()
    assert [answer.client_order_id for answer in answers] == [  # type: ignore[union-attr]  # reports, or it fails
        resting(attempt).client_order_id for attempt in (1, 2)
    ]


async def test_a_lookup_whose_trades_fail_is_unknown_as_a_whole(exchange: SimulatedExchange) -> None:
    venue = open_account(ACCOUNT, exchange.settings())
    order = taking()
    await venue.place(parent(), order)
    await exchange.fault("error_before", "GET /api/v3/myTrades")
    assert isinstance(await venue.find(parent(), order), Unknown)
    assert isinstance(await venue.find(parent(), order), ExecutionReport)
    await venue.close()


async def test_failing_questions_are_unknown_never_empty(exchange: SimulatedExchange) -> None:
    venue = open_account(ACCOUNT, exchange.settings())
    await venue.balances()
    await exchange.fault("error_before", "/api/v3/", count=3)
    assert isinstance(await venue.balances(), Unknown)
    assert isinstance(await venue.open_orders(), Unknown)
    assert isinstance(await venue.trades("BTC/USDT", 0), Unknown)
    await venue.close()


async def test_a_dropped_user_stream_comes_back_and_says_so(exchange: SimulatedExchange) -> None:
    venue = open_account(ACCOUNT, exchange.settings())
    async with aclosing(venue.reports()) as reports, asyncio.timeout(30):
        assert await anext(reports) == Reconnected(ACCOUNT)
        for attempt in (1, 2, 3):
            await exchange.fault("websocket_drop", streams="user")
            assert await anext(reports) == Reconnected(ACCOUNT)
            await venue.place(parent(), resting(attempt))
            report = await anext(reports)
            assert isinstance(report, ExecutionReport)
            assert report.client_order_id == resting(attempt).client_order_id
    await venue.close()


async def test_trades_missed_while_the_stream_was_down_are_in_the_history(exchange: SimulatedExchange) -> None:
    venue = open_account(ACCOUNT, exchange.settings())
    async with aclosing(venue.reports()) as reports, asyncio.timeout(30):
        await anext(reports)
        await exchange.fault("websocket_drop", streams="user")
        placed = await venue.place(parent(), taking())
        assert isinstance(placed, ExecutionReport)
        while await anext(reports) != Reconnected(ACCOUNT):
            pass
        trades = await venue.trades("BTC/USDT", 0)
    await venue.close()
    assert {trade.execution for trade in trades} == set(placed.executions)  # type: ignore[union-attr]  # a list


async def test_a_wrong_secret_is_told_in_words(exchange: SimulatedExchange, capsys: pytest.CaptureFixture[str]) -> None:
    settings = exchange.settings()
    accounts = {ACCOUNT: settings.accounts[ACCOUNT].model_copy(update={"secret": None, "secret_file": None})}
    wrong = settings.model_copy(update={"accounts": accounts})
    object.__setattr__(accounts[ACCOUNT], "secret", settings.accounts[ACCOUNT].api_key)
    venue = open_account(ACCOUNT, wrong)
    balances = await venue.balances()
    assert isinstance(balances, Unknown)
    assert "-1022" in balances.reason
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1), aclosing(venue.reports()) as reports:
            await anext(reports)
    await venue.close()
    said = capsys.readouterr()
    assert "Signature for this request is not valid" in said.out + said.err


async def test_a_key_that_may_only_trade_is_accepted(exchange: SimulatedExchange) -> None:
    venue = open_account(ACCOUNT, exchange.settings())
    await venue.refuse_withdrawals()
    await venue.close()


@pytest.mark.parametrize("skew_ms", [-3_000, 4_000, -400, 400])
async def test_a_clock_that_goes_wrong_by_more_than_the_window_allows_places_nothing(
    exchange: SimulatedExchange, skew_ms: int
) -> None:
    venue = open_account(ACCOUNT, exchange.settings())
    await venue.balances()
    await exchange.fault("clock_skew", skew_ms=skew_ms, duration_ms=None)
    first = await venue.place(parent(), resting())
    if abs(skew_ms) > 1_000:
        assert isinstance(first, NotPlaced)
        assert "-1021" in first.reason
        assert isinstance(await venue.balances(), Unknown)
        assert exchange.journal().orders == {}
    else:
        assert isinstance(first, ExecutionReport)
    await exchange.disarm()
    assert isinstance(await venue.place(parent(), resting(2)), ExecutionReport)
    await venue.close()


async def test_absence_counts_later_where_the_venues_clock_is_behind(exchange: SimulatedExchange) -> None:
    venue = open_account(ACCOUNT, exchange.settings())
    usual_ms = venue.absence_window_ms
    await exchange.fault("clock_skew", skew_ms=-900, duration_ms=None)
    assert isinstance(await venue.find(parent(), resting()), Absent)
    assert usual_ms + 350 < venue.absence_window_ms < usual_ms + 5_000
    await exchange.fault("clock_skew", skew_ms=900, duration_ms=None)
    assert isinstance(await venue.find(parent(), resting()), Absent)
    assert venue.absence_window_ms == usual_ms
    await exchange.fault("error_before", "GET /api/v3/time")
    assert isinstance(await venue.find(parent(), resting()), Unknown)
    await venue.close()


async def test_maintenance_leaves_everything_unknown_and_comes_back(exchange: SimulatedExchange) -> None:
    venue = open_account(ACCOUNT, exchange.settings())
    async with aclosing(venue.reports()) as reports, asyncio.timeout(30):
        assert await anext(reports) == Reconnected(ACCOUNT)
        await venue.place(parent(), resting(1))
        assert isinstance(await anext(reports), ExecutionReport)
        await exchange.fault("maintenance", duration_ms=None)
        await exchange.struck("exchange: closed")
        assert isinstance(await venue.place(parent(), resting(2)), Unknown)
        assert isinstance(await venue.find(parent(), resting(2)), Unknown)
        assert isinstance(await venue.balances(), Unknown)
        await exchange.disarm()
        assert await anext(reports) == Reconnected(ACCOUNT)
        assert isinstance(await venue.find(parent(), resting(2)), Absent)
        kept = await venue.find(parent(), resting(1))
        assert isinstance(kept, ExecutionReport)
        assert kept.state is OrderState.ACCEPTED
    await venue.close()
