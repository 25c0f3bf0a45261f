"""Order parameters are read strictly, with Binance's codes for what is missing, malformed or too much."""

from decimal import Decimal

import pytest

from trimtab.exchange.errors import VenueError
from trimtab.exchange.params import Params
from trimtab.exchange.placing import new_order

LIMIT = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1", "price": "2.50"}
MARKET = {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "1"}


def without(params: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in params.items() if key != name}


def test_a_limit_order_is_understood() -> None:
    order = new_order(Params(LIMIT | {"newClientOrderId": "my-id"}))
    assert (order.type, order.side, order.price, order.client_order_id) == ("LIMIT", "BUY", Decimal("2.50"), "my-id")


def test_an_order_without_a_client_id_gets_one_of_its_own() -> None:
    one, other = new_order(Params(LIMIT)), new_order(Params(LIMIT))
    assert one.client_order_id != other.client_order_id
    assert 1 <= len(one.client_order_id) <= 36


@pytest.mark.parametrize(
    ("params", "code"),
    [
        (without(LIMIT, "symbol"), -1102),
        (without(LIMIT, "price"), -1102),
        (without(LIMIT, "quantity"), -1102),
        (without(LIMIT, "timeInForce"), -1102),
        (LIMIT | {"symbol": "btcusdt"}, -1100),
        (LIMIT | {"symbol": "BTC/USDT"}, -1100),
        (LIMIT | {"stopPrice": "2"}, -1106),
        (LIMIT | {"trailingDelta": "10"}, -1106),
        (LIMIT | {"icebergQty": "0.5"}, -2010),
        (LIMIT | {"selfTradePreventionMode": "SOMETIMES"}, -1130),
        (LIMIT | {"selfTradePreventionMode": "DECREMENT"}, -1013),
        (LIMIT | {"price": "92233720368.54775808"}, -1108),
        (LIMIT | {"price": "9" * 20}, -1108),
        (LIMIT | {"price": "9" * 21}, -1100),
        (LIMIT | {"price": "٣"}, -1100),
        (LIMIT | {"quantity": "+1"}, -1100),
        (LIMIT | {"quantity": "1_0"}, -1100),
        (LIMIT | {"quantity": " 1"}, -1100),
        (LIMIT | {"timeInForce": "GTX"}, -1115),
        (LIMIT | {"side": "buy"}, -1117),
        (LIMIT | {"type": "STOP_LOSS"}, -1116),
        (LIMIT | {"quoteOrderQty": "5"}, -1106),
        (LIMIT | {"type": "LIMIT_MAKER"}, -1106),
        (LIMIT | {"price": "1e3"}, -1100),
        (LIMIT | {"price": "-1"}, -1100),
        (LIMIT | {"price": "NaN"}, -1100),
        (LIMIT | {"price": "0"}, -1013),
        (LIMIT | {"quantity": "0.123456789"}, -1111),
        (LIMIT | {"newClientOrderId": "x" * 37}, -1100),
        (LIMIT | {"newClientOrderId": "no spaces"}, -1100),
        (MARKET | {"price": "3"}, -1106),
        (MARKET | {"timeInForce": "GTC"}, -1106),
        (without(MARKET, "quantity"), -1102),
        (MARKET | {"icebergQty": "1"}, -1106),
        (MARKET | {"quoteOrderQty": "3"}, -1128),
    ],
)
def test_a_bad_order_is_refused_by_its_code(params: dict[str, str], code: int) -> None:
    with pytest.raises(VenueError) as refused:
        new_order(Params(params))
    assert refused.value.code == code


def test_zeros_after_the_eighth_decimal_are_no_precision() -> None:
    assert new_order(Params(MARKET | {"quantity": "0.1000000000"})).quantity == Decimal("0.1")


def test_the_self_trade_prevention_is_the_symbols_own_unless_named() -> None:
    assert new_order(Params(LIMIT)).prevention is None
    assert new_order(Params(MARKET | {"selfTradePreventionMode": "EXPIRE_BOTH"})).prevention == "EXPIRE_BOTH"


@pytest.mark.parametrize(
    ("text", "found"), [("1700000000123", 1700000000123000), ("1700000000123456", 1700000000123456)]
)
def test_times_come_in_milliseconds_or_microseconds(text: str, found: int) -> None:
    assert Params({"startTime": text}).time_us("startTime") == found


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"symbols": '["BTCUSDT","BTCUSDT"]'}, -1151),
        ({"symbols": '["BTCUSDT", "ETHUSDT"]'}, -1100),
        ({"symbols": "BTCUSDT"}, -1100),
        ({"symbols": '["btcusdt"]'}, -1100),
        ({"symbols": '["BTCUSDT"]', "symbol": "ETHUSDT"}, -1128),
    ],
)
def test_a_bad_list_of_symbols_is_refused_by_its_code(values: dict[str, str], code: int) -> None:
    with pytest.raises(VenueError) as refused:
        Params(values).symbols()
    assert refused.value.code == code


def test_a_list_of_symbols_may_be_empty_or_absent() -> None:
    assert Params({"symbols": "[]"}).symbols() == []
    assert Params({"symbols": '["BTCUSDT","ETHUSDT"]'}).symbols() == ["BTCUSDT", "ETHUSDT"]
    assert Params({}).symbols() is None


@pytest.mark.parametrize(
    ("text", "code"), [("-1", -1100), ("1.0", -1100), ("9223372036854775808", -1108), ("0", -1130)]
)
def test_a_bad_limit_is_refused_by_its_code(text: str, code: int) -> None:
    with pytest.raises(VenueError) as refused:
        Params({"limit": text}).limit(100, 5000)
    assert refused.value.code == code


def test_a_limit_above_the_largest_is_the_largest() -> None:
    assert Params({"limit": "9223372036854775807"}).limit(100, 5000) == 5000
