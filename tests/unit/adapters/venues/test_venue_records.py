"""Binance's records, read strictly, and the order request, written digit for digit."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from trimtab.adapters.venues.records import Records, order_request
from trimtab.domain.errors import InvalidValueError
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

PARENT = ParentOrder(
    parent_id="p",
    signal_id="s",
    portfolio_id="core",
    shard=0,
    venue="binance",
    account="main",
    instrument="BTC/USDT",
    base="BTC",
    quote="USDT",
    side=Side.BUY,
    quantity=Decimal("0.00001"),
    decision_price=Decimal(60_000),
    limit_price=Decimal(60_100),
    urgency=Decimal(0),
    volatility=Decimal("0.5"),
    depends_on=(),
    deadline_us=0,
    decided_us=0,
    state=ParentState.WORKING,
)
CHILD = ChildOrder(
    client_order_id="tt-1",
    parent_id="p",
    attempt=1,
    kind=OrderKind.LIMIT,
    time_in_force=TimeInForce.IOC,
    quantity=Decimal("1E-5"),
    price=Decimal("60000.10"),
    state=OrderState.SUBMITTED,
    request_time_ms=1_700_000_000_123,
    placed_us=0,
)
ANSWER: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "orderId": 28,
    "clientOrderId": "tt-1",
    "transactTime": 1_507_725_176_595,
    "executedQty": "0.30000000",
    "status": "PARTIALLY_FILLED",
    "fills": [
        {"price": "4000.00", "qty": "0.1", "commission": "0.0004", "commissionAsset": "BNB", "tradeId": 56},
        {"price": "3999.00", "qty": "0.2", "commission": "0.0008", "commissionAsset": "BTC", "tradeId": 57},
    ],
}
EVENT: dict[str, Any] = {
    "e": "executionReport",
    "E": 1_499_405_658_658,
    "s": "BTCUSDT",
    "c": "tt-1",
    "C": "",
    "x": "TRADE",
    "X": "FILLED",
    "r": "NONE",
    "i": 28,
    "l": "0.20000000",
    "z": "0.30000000",
    "L": "3999.00000000",
    "n": "0.00080000",
    "N": "BTC",
    "T": 1_499_405_658_657,
    "t": 57,
    "m": True,
}


@pytest.fixture
def records() -> Records:
    return Records("binance", "main", lambda symbol: symbol.replace("USDT", "/USDT"), lambda asset: asset)


def test_a_request_has_the_ledgers_digits_and_the_pinned_time() -> None:
    assert order_request(PARENT, CHILD, "BTCUSDT", 2_000) == {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "quantity": "0.00001",
        "price": "60000.1",
        "timeInForce": "IOC",
        "newClientOrderId": "tt-1",
        "newOrderRespType": "FULL",
        "recvWindow": 2_000,
        "timestamp": 1_700_000_000_123,
    }


@pytest.mark.parametrize(
    ("kind", "absent"),
    [(OrderKind.LIMIT_MAKER, {"timeInForce"}), (OrderKind.MARKET, {"timeInForce", "price"})],
)
def test_a_request_has_no_parameter_its_kind_does_not_take(kind: OrderKind, absent: set[str]) -> None:
    request = order_request(PARENT, replace(CHILD, kind=kind), "BTCUSDT", 2_000)
    assert request["type"] == kind.value.upper()
    assert not absent & set(request)


def test_a_placement_carries_every_fill_with_its_own_fee(records: Records) -> None:
    report = records.order(ANSWER, "tt-1")
    assert report.state is OrderState.PARTIALLY_FILLED
    assert report.filled == Decimal("0.3")
    assert report.event_time_us == 1_507_725_176_595_000
    assert report.instrument == "BTC/USDT"
    assert [(fill.trade_id, fill.fee, fill.fee_asset) for fill in report.executions] == [
        ("BTCUSDT:56", Decimal("0.0004"), "BNB"),
        ("BTCUSDT:57", Decimal("0.0008"), "BTC"),
    ]
    assert {fill.liquidity for fill in report.executions} == {Liquidity.TAKER}


def test_a_cancel_is_about_the_order_not_about_itself(records: Records) -> None:
    answer = ANSWER | {"clientOrderId": "x9", "origClientOrderId": "tt-1", "status": "CANCELED", "fills": []}
    report = records.order(answer, "tt-1")
    assert (report.client_order_id, report.state) == ("tt-1", OrderState.CANCELED)


@pytest.mark.parametrize(
    "change",
    [
        {"clientOrderId": "tt-2"},
        {"clientOrderId": None},
        {"orderId": None},
        {"status": "SOMETHING_NEW"},
        {"status": None},
        {"executedQty": "NaN"},
        {"executedQty": "-1"},
        {"executedQty": None},
        {"executedQty": 0.3},
        {"transactTime": None},
        {"symbol": ""},
    ],
)
def test_an_answer_that_is_not_this_orders_is_refused(records: Records, change: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError):
        records.order(ANSWER | change, "tt-1")


def test_an_event_carries_its_one_execution(records: Records) -> None:
    report = records.event(EVENT)
    assert (report.client_order_id, report.state, report.filled) == ("tt-1", OrderState.FILLED, Decimal("0.3"))
    (fill,) = report.executions
    assert (fill.trade_id, fill.price, fill.quantity) == ("BTCUSDT:57", Decimal(3999), Decimal("0.2"))
    assert (fill.fee, fill.fee_asset, fill.liquidity) == (Decimal("0.0008"), "BTC", Liquidity.MAKER)
    assert fill.event_time_us == 1_499_405_658_657_000


@pytest.mark.parametrize("kind", ["NEW", "CANCELED", "EXPIRED", "REJECTED"])
def test_only_a_trade_is_an_execution(records: Records, kind: str) -> None:
    assert records.event(EVENT | {"x": kind, "X": kind}).executions == ()


def test_a_cancelled_orders_event_has_the_orders_id_as_the_original(records: Records) -> None:
    report = records.event(EVENT | {"x": "CANCELED", "X": "CANCELED", "c": "x9", "C": "tt-1"})
    assert report.client_order_id == "tt-1"


def test_a_trade_without_fee_has_fee_zero(records: Records) -> None:
    (fill,) = records.event(EVENT | {"n": "0", "N": None}).executions
    assert (fill.fee, fill.fee_asset) == (Decimal(0), "")


def test_balances_are_free_plus_locked_without_zeros(records: Records) -> None:
    answer = {
        "balances": [
            {"asset": "BTC", "free": "1.5", "locked": "0.5"},
            {"asset": "ETH", "free": "0.0", "locked": "0.0"},
        ]
    }
    assert records.balances(answer) == {"BTC": Decimal(2)}
