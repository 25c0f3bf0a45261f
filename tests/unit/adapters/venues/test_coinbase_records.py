"""Coinbase's records read strictly, and orders as they go out."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from trimtab.adapters.venues.coinbase.records import Records, client_oid, listed, order_request
from trimtab.domain.errors import InvalidValueError
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

NAME = client_order_id("parent", 0)
ORDER, OTHER = "7e570000-0001-4000-8000-000000000001", "7e570000-0001-4000-8000-000000000002"
TIME, TIME_US = "2023-11-14T22:13:20.000042Z", 1_700_000_000_000_042


@pytest.fixture
def records() -> Records:
    return Records("cb", "main", lambda product: product.replace("-", "/"), lambda asset: asset)


def record(**changes: Any) -> dict[str, Any]:
    return {
        "id": ORDER,
        "client_oid": client_oid(NAME),
        "product_id": "BTC-USDT",
        "size": "0.01000000",
        "filled_size": "0.00000000",
        "created_at": TIME,
        "status": "open",
    } | changes


def message(kind: str, **changes: Any) -> dict[str, Any]:
    named = {} if kind == "match" else {"order_id": ORDER}
    return {"type": kind, "product_id": "BTC-USDT", "time": TIME, **named} | changes


def match(trade_id: int, size: str, **changes: Any) -> dict[str, Any]:
    ids = {"maker_order_id": OTHER, "taker_order_id": ORDER}
    told = message("match", trade_id=trade_id, size=size, price="60000.00", taker_fee_rate="0.006", **ids)
    return told | changes


RECEIVED = message("received", client_oid=client_oid(NAME), size="0.01000000")


def child(**changes: Any) -> ChildOrder:
    order = ChildOrder(
        NAME, "parent", 0, OrderKind.LIMIT, TimeInForce.IOC, Decimal("0.0100"), Decimal("60000.10"),
        OrderState.SUBMITTED, 1, 0,
    )  # fmt: skip
    return replace(order, **changes)


def parent() -> ParentOrder:
    one = Decimal(1)
    return ParentOrder(
        "parent",
        "s",
        "p",
        "cb",
        "main",
        "BTC/USDT",
        "BTC",
        "USDT",
        Side.BUY,
        one,
        one,
        one,
        one,
        one,
        (),
        0,
        0,
        0,
        ParentState.WORKING,
    )  # fmt: skip - only its side is used


def test_our_name_goes_out_as_a_uuid_of_the_same_digits_and_comes_back(records: Records) -> None:
    oid = client_oid(NAME)
    assert oid.replace("-", "") == NAME.removeprefix("tt-")
    assert records.order(record(), NAME).client_order_id == NAME
    for wrong in ("tt-1", "web_1", f"tt-{'0' * 32}", NAME.upper()):
        with pytest.raises(InvalidValueError):
            client_oid(wrong)


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({}, {"type": "limit", "time_in_force": "IOC", "price": "60000.1"}),
        ({"time_in_force": TimeInForce.GTC}, {"type": "limit", "time_in_force": "GTC", "price": "60000.1"}),
        ({"kind": OrderKind.LIMIT_MAKER}, {"type": "limit", "post_only": True, "price": "60000.1"}),
        ({"kind": OrderKind.MARKET}, {"type": "market"}),
    ],
)
def test_an_order_goes_out_digit_for_digit(changes: dict[str, Any], asked: dict[str, Any]) -> None:
    common = {"client_oid": client_oid(NAME), "product_id": "BTC-USDT", "side": "buy", "size": "0.01", "stp": "co"}
    assert order_request(parent(), child(**changes), "BTC-USDT") == common | asked


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"status": "pending"}, OrderState.ACCEPTED),
        ({}, OrderState.ACCEPTED),
        ({"filled_size": "0.004"}, OrderState.PARTIALLY_FILLED),
        ({"status": "done", "done_reason": "filled", "filled_size": "0.01"}, OrderState.FILLED),
        ({"status": "done", "done_reason": "canceled", "filled_size": "0.004"}, OrderState.CANCELED),
        ({"status": "rejected"}, OrderState.REJECTED),
    ],
)
def test_states(records: Records, changes: dict[str, Any], state: OrderState) -> None:
    report = records.order(record(**changes), NAME)
    assert (report.state, report.event_time_us, report.instrument) == (state, TIME_US, "BTC/USDT")


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "lost"},
        {"filled_size": "some"},
        {"filled_size": "-1"},
        {"filled_size": None},
        {"created_at": "yesterday"},
        {"id": ""},
        {"client_oid": client_oid(client_order_id("parent", 1))},
    ],
)
def test_what_is_not_an_orders_record_is_refused(records: Records, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError):
        records.order(record(**changes), NAME)


def test_an_orders_life_is_told_under_our_name(records: Records) -> None:
    told = [records.event(each) for each in (RECEIVED, match(1, "0.004"), match(2, "0.006"), message("open"))]
    done = records.event(message("done", reason="filled", remaining_size="0.00000000"))
    assert told[3] is None
    reports = [each for each in (*told, done) if each is not None]
    assert {each.client_order_id for each in reports} == {NAME}
    assert [(each.state, each.filled) for each in reports] == [
        (OrderState.ACCEPTED, Decimal(0)),
        (OrderState.PARTIALLY_FILLED, Decimal("0.004")),
        (OrderState.PARTIALLY_FILLED, Decimal("0.010")),
        (OrderState.FILLED, Decimal("0.01")),
    ]
    (execution,) = reports[1].executions
    assert (execution.trade_id, execution.fee, execution.fee_asset) == ("BTC-USDT:1", Decimal("1.44"), "USDT")
    assert execution.liquidity is Liquidity.TAKER
    assert records.event(message("done", reason="filled")) is None  # it is over


def test_a_match_that_comes_twice_counts_once_and_the_end_says_what_was_missed(records: Records) -> None:
    records.event(RECEIVED)
    records.event(match(1, "0.004"))
    twice = records.event(match(1, "0.004"))
    assert twice is not None
    assert twice.filled == Decimal("0.004")
    done = records.event(message("done", reason="canceled", remaining_size="0.00100000"))
    assert done is not None
    assert (done.state, done.filled) == (OrderState.CANCELED, Decimal("0.009"))


def test_a_filled_market_order_whose_match_was_missed_is_filled_whole(records: Records) -> None:
    """Its end has no remaining size: what was heard of it would make a settled order with too little of it."""
    received = {name: value for name, value in RECEIVED.items() if name != "price"} | {"order_type": "market"}
    records.event(received)
    records.event(match(1, "0.004"))
    done = records.event(message("done", reason="filled"))
    assert done is not None
    assert (done.state, done.filled) == (OrderState.FILLED, Decimal("0.01"))


def test_the_makers_rate_stands_under_its_name(records: Records) -> None:
    records.event(RECEIVED)
    told = match(1, "0.004", maker_order_id=ORDER, taker_order_id=OTHER, maker_fee_rate="0.004")
    del told["taker_fee_rate"]
    report = records.event(told)
    assert report is not None
    (execution,) = report.executions
    assert (execution.liquidity, execution.fee) == (Liquidity.MAKER, Decimal("0.96"))


def test_messages_about_orders_that_nobody_knows_say_nothing(records: Records) -> None:
    for told in (match(1, "0.004"), message("open"), message("done", reason="filled"), {"type": "heartbeat"}):
        assert records.event({**told, "order_id": OTHER} if told["type"] != "match" else told) is None


def test_a_look_up_makes_an_order_known_to_the_stream(records: Records) -> None:
    records.order(record(), NAME)
    report = records.event(match(1, "0.004"))
    assert report is not None
    assert report.client_order_id == NAME


def test_fills_and_balances(records: Records) -> None:
    fill = {
        "trade_id": 7, "product_id": "BTC-USDT", "order_id": ORDER, "liquidity": "M", "price": "60000.00",
        "size": "0.01", "fee": "2.4000000000000000", "created_at": TIME, "side": "sell",
    }  # fmt: skip
    trade = records.trade(fill)
    assert (trade.side, trade.venue_order_id, trade.instrument) == (Side.SELL, ORDER, "BTC/USDT")
    assert (trade.execution.fee, trade.execution.fee_asset, trade.execution.trade_id) == (
        Decimal("2.4"),
        "USDT",
        "BTC-USDT:7",
    )
    for changes in ({"side": "hold"}, {"trade_id": "7"}, {"fee": None}):
        with pytest.raises(InvalidValueError):
            records.trade(fill | changes)
    held = [{"currency": "BTC", "balance": "1.5000"}, {"currency": "ETH", "balance": "0.0000"}]
    assert records.balances(held) == {"BTC": Decimal("1.5")}


def test_what_is_no_list_does_not_pass_for_an_empty_one() -> None:
    assert listed([]) == []
    for answer in ({}, "", None, {"message": "later"}):
        with pytest.raises(InvalidValueError, match="a list"):
            listed(answer)
