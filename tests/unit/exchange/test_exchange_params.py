"""Order parameters are read strictly, with Binance's codes for what is missing, malformed or too much."""

from decimal import Decimal

import pytest

from trimtab.exchange.errors import VenueError
from trimtab.exchange.params import Params, new_order

LIMIT = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1", "price": "2.50"}
MARKET = {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "1"}


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
        (LIMIT | {"symbol": ""}, -1102),
        (LIMIT | {"price": ""}, -1102),
        (LIMIT | {"quantity": ""}, -1102),
        (LIMIT | {"timeInForce": ""}, -1102),
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
        (MARKET | {"quantity": ""}, -1102),
        (MARKET | {"quoteOrderQty": "3"}, -1128),
    ],
)
def test_a_bad_order_is_refused_by_its_code(params: dict[str, str], code: int) -> None:
    with pytest.raises(VenueError) as refused:
        new_order(Params(params))
    assert refused.value.code == code


def test_zeros_after_the_eighth_decimal_are_no_precision() -> None:
    assert new_order(Params(MARKET | {"quantity": "0.1000000000"})).quantity == Decimal("0.1")
