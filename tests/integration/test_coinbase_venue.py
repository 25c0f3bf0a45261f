"""An account and the feed at Coinbase over real ccxt, while the simulated exchange misbehaves in that dialect."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from ccxt.base.errors import ExchangeError
from coinbase_account import account, asks
from pydantic import SecretStr

from simulated_exchange import ACCOUNT, SimulatedExchange, simulated_exchange
from trimtab.adapters.venues.coinbase.account import CoinbaseVenue
from trimtab.adapters.venues.registry import accounts_of
from trimtab.domain.errors import InvalidValueError
from trimtab.domain.orders import (
    ChildOrder,
    Liquidity,
    OrderKind,
    OrderState,
    Side,
)
from trimtab.ports.venue import (
    Absent,
    ExecutionReport,
    NotPlaced,
    Reconnected,
    Refused,
    Unknown,
)
from venue_orders import parent, resting, taking

PLACE = "POST /orders"
MAKER, TAKER = Decimal("0.004"), Decimal("0.006")


@pytest.fixture
async def coinbase(tmp_path: Path) -> AsyncIterator[SimulatedExchange]:
    async with simulated_exchange(tmp_path, "--synthetic", "7", "--dialect", "coinbase") as running:
        yield running


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("lost_answer", {}),
        ("error_after", {"status": 500, "code": -1000}),
        ("error_after", {"status": 503}),
        ("error_after", {"status": 504}),
        ("error_after", {"status": 505}),
        ("error_after", {"status": 524}),
        ("cut_answer", {}),
        ("cut_answer", {"cut": "connection"}),
        ("empty_answer", {}),
        ("html_answer", {}),
    ],
)
async def test_an_order_carried_out_without_an_answer_is_unknown_and_then_found(
    coinbase: SimulatedExchange, kind: str, more: dict[str, Any]
) -> None:
    async with account(coinbase) as venue:
        await coinbase.fault(kind, PLACE, **more)
        order = taking()
        assert isinstance(await venue.place(parent(), order), Unknown)
        found = await venue.find(parent(), order)
    assert isinstance(found, ExecutionReport)
    assert (found.state, found.filled) == (OrderState.FILLED, order.quantity)
    at_venue = {f"BTC-USDT:{each.trade_id}": each.fee for each in coinbase.journal().executions}
    assert {each.trade_id: each.fee for each in found.executions} == at_venue


@pytest.mark.parametrize(
    ("kind", "more"), [("error_before", {"status": 502}), ("error_before", {"status": 522}), ("lost_request", {})]
)
async def test_an_order_that_never_arrived_is_unknown_and_then_absent(
    coinbase: SimulatedExchange, kind: str, more: dict[str, Any]
) -> None:
    async with account(coinbase) as venue:
        await coinbase.fault(kind, PLACE, **more)
        assert isinstance(await venue.place(parent(), resting()), Unknown)
        assert isinstance(await venue.find(parent(), resting()), Absent)
    assert coinbase.journal().orders == {}


async def test_a_late_answer_is_unknown_and_a_late_request_is_refused_by_its_stamp(coinbase: SimulatedExchange) -> None:
    async with account(coinbase, request_timeout_ms=300) as venue:
        await coinbase.fault("late_answer", PLACE, latency_ms=1_500)
        assert isinstance(await venue.place(parent(), resting()), Unknown)
    async with account(coinbase, recv_window_ms=200) as venue:
        await venue.balances()
        await coinbase.fault("latency", PLACE, latency_ms=1_000)
        answer = await venue.place(parent(), resting(2))  # Coinbase itself would take it for 30 s
        assert isinstance(answer, NotPlaced)
        assert "request timestamp expired" in answer.reason
        assert isinstance(await venue.find(parent(), resting(2)), Absent)


async def test_a_venue_that_asks_for_patience_or_does_not_trade_has_no_order(coinbase: SimulatedExchange) -> None:
    async with account(coinbase) as venue:
        await venue.balances()
        await coinbase.fault("rate_limit", PLACE)
        answer = await venue.place(parent(), resting())
        assert isinstance(answer, NotPlaced)
        assert answer.retry_after_ms == 1_000
        await asyncio.sleep(1.1)
        await coinbase.fault("halt", symbol="BTCUSDT", duration_ms=None)
        refused = await venue.place(parent(), resting(2))
        assert isinstance(refused, Refused)
        assert refused.code == "market_closed"
        await coinbase.disarm()
        await coinbase.fault("maintenance", duration_ms=None)
        await coinbase.struck("exchange: closed")
        assert isinstance(await venue.place(parent(), resting(3)), Unknown)


async def test_an_order_that_is_gone_is_ended_once_reads_cannot_lag_any_more(coinbase: SimulatedExchange) -> None:
    async with account(coinbase, recv_window_ms=400, clock_skew_ms=100) as venue:
        placed = await venue.place(parent(), resting())
        assert isinstance(placed, ExecutionReport)
        known = replace(resting(), venue_order_id=placed.venue_order_id)
        (order,) = coinbase.journal().orders.values()
        async with aiohttp.ClientSession() as session:
            body = {"account": "demo", "symbol": "BTCUSDT", "order_id": order.order_id}
            async with session.delete(f"{coinbase.rest_url}/sim/orders", json=body) as answer:
                assert answer.status == 200
        assert isinstance(await venue.find(parent(), known), Unknown)
        await asyncio.sleep(0.6)
        found = await venue.find(parent(), replace(known, request_time_ms=known.request_time_ms - 600))
        assert isinstance(found, ExecutionReport)
        assert (found.state, found.filled, found.client_order_id) == (
            OrderState.CANCELED,
            Decimal(0),
            known.client_order_id,
        )
        assert isinstance(await venue.find(parent(), resting()), Absent)  # whose confirmation nobody has


async def test_a_live_order_that_a_lagging_read_does_not_show_is_not_ended(coinbase: SimulatedExchange) -> None:
    async with account(coinbase) as venue:
        await venue.balances()
        await coinbase.fault("stale_reads", duration_ms=None)
        placed = await venue.place(parent(), resting())
        assert isinstance(placed, ExecutionReport)
        known = replace(resting(), venue_order_id=placed.venue_order_id)
        assert isinstance(await venue.find(parent(), known), Unknown)
        await coinbase.disarm()
        found = await venue.find(parent(), known)
        assert isinstance(found, ExecutionReport)
        assert found.state is OrderState.ACCEPTED


async def test_what_is_left_of_a_partly_filled_order_ends_with_its_fills(coinbase: SimulatedExchange) -> None:
    await coinbase.say("pause")
    async with account(coinbase) as venue:
        (price, size), (dearer, _) = (await asks(coinbase))[:2]
        order = replace(taking(), price=price, quantity=size + Decimal("0.5"))
        placed = await venue.place(parent(), order)
        assert isinstance(placed, ExecutionReport)
        assert (placed.state, placed.filled) == (OrderState.CANCELED, size)
        (execution,) = placed.executions
        assert (execution.fee, execution.fee_asset) == (price * size * TAKER, "USDT")
        live = replace(resting(2), price=dearer, quantity=Decimal(9))
        assert isinstance(await venue.place(parent(), live), ExecutionReport)
        cancelled = await venue.cancel(parent(), live)
        assert isinstance(cancelled, ExecutionReport)
        assert cancelled == await venue.find(parent(), live)
        assert cancelled.filled > 0
        assert isinstance(await venue.cancel(parent(), live), Unknown)  # done: it traded
    await coinbase.say("resume")


async def test_the_clock_of_the_venue_widens_the_window(coinbase: SimulatedExchange) -> None:
    async with account(coinbase, recv_window_ms=2_000) as venue:
        await coinbase.fault("clock_skew", skew_ms=-5_000, duration_ms=None)
        assert venue.absence_window_ms == 2_500
        assert isinstance(await venue.find(parent(), resting()), Absent)
        assert venue.absence_window_ms == pytest.approx(7_000, abs=500)


async def test_a_maker_is_told_every_execution_with_its_fee(coinbase: SimulatedExchange) -> None:
    async with account(coinbase) as venue, aclosing(venue.reports()) as reports:
        assert await anext(reports) == Reconnected(ACCOUNT)
        await coinbase.say("pause")
        price = (await asks(coinbase))[0][0] - Decimal("0.01")
        order = replace(resting(), kind=OrderKind.LIMIT_MAKER, price=price)
        placed = await venue.place(parent(Side.SELL), order)
        assert isinstance(placed, ExecutionReport)
        other = {"name": "other", "api_key": "o", "secret": "bw==", "passphrase": "o", "balances": {"USDT": "9999"}}
        await coinbase.say("accounts", **other)
        for quantity in ("0.004", "0.006"):
            await coinbase.say("orders", account="other", symbol="BTCUSDT", side="BUY", quantity=quantity)
        told, report = [], placed
        async with asyncio.timeout(30):
            while not report.state.terminal:
                heard = await anext(reports)
                assert isinstance(heard, ExecutionReport)
                assert heard.client_order_id == order.client_order_id
                report, told = heard, [*told, *heard.executions]
        found = await venue.find(parent(Side.SELL), order)
    assert isinstance(found, ExecutionReport)
    assert set(told) == set(found.executions)
    assert (report.state, report.filled) == (OrderState.FILLED, order.quantity)
    assert [(each.liquidity, each.quantity) for each in told] == [
        (Liquidity.MAKER, Decimal("0.004")),
        (Liquidity.MAKER, Decimal("0.006")),
    ]
    assert sum(each.fee for each in told) == price * order.quantity * MAKER


async def test_what_happened_while_the_stream_was_lost_is_in_the_trades(coinbase: SimulatedExchange) -> None:
    async with account(coinbase) as venue, aclosing(venue.reports()) as reports:
        assert await anext(reports) == Reconnected(ACCOUNT)
        await coinbase.fault("stream_gap", "@user", count=None, streams="user")
        placed = await venue.place(parent(), taking())
        assert isinstance(placed, ExecutionReport)
        await coinbase.disarm()
        await coinbase.fault("websocket_drop", streams="user")
        async with asyncio.timeout(20):
            assert await anext(reports) == Reconnected(ACCOUNT)
        trades = await venue.trades("BTC/USDT", 0)
    assert [each.execution for each in trades] == list(placed.executions)  # type: ignore[union-attr]  # a list


async def test_own_trades_come_whole_and_oldest_first_however_many_pages_they_are(
    coinbase: SimulatedExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trimtab.adapters.venues.coinbase.account._PAGE", 2)
    await coinbase.say("pause")  # all at the same moment: no page may be cut by its time
    async with account(coinbase) as venue:
        placed = [await venue.place(parent(), taking(attempt)) for attempt in range(5)]
        assert all(isinstance(each, ExecutionReport) and each.state is OrderState.FILLED for each in placed)
        trades = await venue.trades("BTC/USDT", 0)
        later = await venue.trades("BTC/USDT", time.time_ns() // 1_000 + 3_600_000_000)
    numbers = [f"BTC-USDT:{each.trade_id}" for each in coinbase.journal().executions]
    assert len(numbers) >= 5
    assert [each.execution.trade_id for each in trades] == numbers  # type: ignore[union-attr]  # a list
    assert later == []


async def test_a_subscription_that_fails_says_why(coinbase: SimulatedExchange) -> None:
    async with account(coinbase) as venue:
        await venue.balances()
        reading = venue.reports()  # whose reader hears everything else
        with pytest.raises(ExchangeError, match="NOPE-USDT is not a valid product"):
            async with asyncio.timeout(5):
                await venue._client.subscribe(("user",), ["NOPE-USDT"], signed=True)
        await reading.aclose()


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"passphrase": None}, r"passphrase: found None"),
        ({"secret": SecretStr("no base 64!")}, r"secret: found 'no base64'"),
        ({"secret": SecretStr("YW5vdGhlcg==")}, "accounts.binance-main: found 'invalid signature'"),
        ({"api_key": SecretStr("nobody")}, "accounts.binance-main: found 'Invalid API Key'"),
        ({"passphrase": SecretStr("open sesame")}, "accounts.binance-main: found 'Invalid Passphrase'"),
    ],
)
async def test_a_wrong_key_or_none_is_said_in_words(
    coinbase: SimulatedExchange, keys: dict[str, Any], said: str
) -> None:
    settings = coinbase.settings(kind="coinbase")
    wrong = settings.accounts[ACCOUNT].model_copy(update=keys)
    with pytest.raises(InvalidValueError, match=said):
        async with accounts_of(settings.model_copy(update={"accounts": {ACCOUNT: wrong}})):
            pass


async def test_a_key_that_cannot_be_checked_now_is_no_reason_not_to_start(coinbase: SimulatedExchange) -> None:
    settings = coinbase.settings(kind="coinbase")
    await coinbase.fault("error_before", "GET /accounts", status=502)
    async with accounts_of(settings) as opened:
        assert isinstance(await opened[ACCOUNT].balances(), dict)


STRIKING: tuple[tuple[str, dict[str, Any]], ...] = (
    ("lost_request", {}),
    ("error_before", {"status": 502}),
    ("lost_answer", {}),
    ("error_after", {"status": 503}),
    ("cut_answer", {"cut": "connection"}),
    ("empty_answer", {}),
    ("html_answer", {}),
    ("late_answer", {"latency_ms": 1_300}),
    ("latency", {"latency_ms": 900}),
    ("rate_limit", {}),
    ("stale_reads", {"duration_ms": 700}),
)


async def fate_of(venue: CoinbaseVenue, order: ChildOrder) -> ExecutionReport | Absent | Refused | NotPlaced:
    """Place an order and look it up until nothing about it is open, as the executor does."""
    answer = await venue.place(parent(), order)
    while True:
        if isinstance(answer, Refused | NotPlaced) or (isinstance(answer, ExecutionReport) and answer.state.terminal):
            return answer
        if isinstance(answer, ExecutionReport):
            order = replace(order, venue_order_id=answer.venue_order_id)
        await asyncio.sleep(0.2)
        asked_ms = time.time_ns() // 1_000_000
        found = await venue.find(parent(), order)
        if isinstance(found, ExecutionReport):
            answer = found
        elif isinstance(found, Absent) and asked_ms > order.request_time_ms + venue.absence_window_ms:
            return found


@pytest.mark.parametrize("endpoint", [PLACE, "GET /orders", "GET /fills"])
async def test_whatever_strikes_an_order_its_fate_is_found_and_it_is_never_doubled(
    coinbase: SimulatedExchange, endpoint: str
) -> None:
    fates = {}
    settings = {"recv_window_ms": 500, "clock_skew_ms": 1_000, "request_timeout_ms": 1_000}
    async with account(coinbase, **settings) as venue:
        await venue.balances()
        for attempt, (kind, more) in enumerate(STRIKING):
            await coinbase.fault(kind, endpoint, **more)
            order = replace(taking(attempt), request_time_ms=time.time_ns() // 1_000_000)
            fates[order.client_order_id] = await fate_of(venue, order)
            await coinbase.disarm()
            await asyncio.sleep(1.0 if kind == "rate_limit" else 0.0)
        trades = await venue.trades("BTC/USDT", 0)
    journal = coinbase.journal()
    names = [f"tt-{order.client_order_id.replace('-', '')}" for order in journal.orders.values()]
    filled = {name for name, fate in fates.items() if isinstance(fate, ExecutionReport)}
    assert sorted(names) == sorted(filled)
    assert all(fate.filled == Decimal("0.01") for fate in fates.values() if isinstance(fate, ExecutionReport))
    assert not isinstance(trades, Absent | Unknown)
    at_venue = {f"BTC-USDT:{each.trade_id}": each.fee for each in journal.executions}
    assert {trade.execution.trade_id: trade.execution.fee for trade in trades} == at_venue
    if endpoint == PLACE:
        assert len(names) == len(STRIKING) - 4  # four of them never reached the book
