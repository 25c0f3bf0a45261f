"""What a request sent is counted before it is understood; the cases with texts are answers of the real venue."""

import pytest

from trimtab.exchange.endpoints import ENDPOINTS, endpoint_of
from trimtab.exchange.errors import VenueError
from trimtab.exchange.request import check, read


def asked(path: str, query: str = "", form: str = "", method: str = "GET") -> dict[str, str]:
    endpoint = endpoint_of(method, path)
    values = read(endpoint, query, form)
    check(endpoint, values)
    return dict(values)


@pytest.mark.parametrize(
    ("path", "query", "code", "text"),
    [
        ("/api/v3/time", "?", -1101, "Too many parameters; expected '0' and received '1'."),
        ("/api/v3/klines", "symbol=BNBBTC", -1102,
         "Mandatory parameter 'interval' was not sent, was empty/null, or malformed."),
        ("/api/v3/klines", "fromId=1", -1102,
         "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."),
        ("/api/v3/klines", "fromId=1&symbol=BNBBTC&interval=1h", -1104,
         "Not all sent parameters were read; read '2' parameter(s) but was sent '3'."),
        ("/api/v3/ticker/24hr", "limit=1", -1104,
         "Not all sent parameters were read; read '0' parameter(s) but was sent '1'."),
        ("/api/v3/ticker/24hr", "symbols[]=%5B%5D&symbols[]=1", -1101, "Duplicate values for parameter 'symbols[]'."),
        ("/api/v3/klines", "symbol=BTCUSDT&interval=1m&startTime=", -1105, "Parameter 'startTime' was empty."),
        ("/api/v3/depth", "symbol=A&symbol=A", -1101, "Duplicate values for parameter 'symbol'."),
        ("/api/v3/depth", "symbol=A&%73ymbol=A", -1101, "Duplicate values for parameter 'symbol'."),
        ("/api/v3/depth", "symbol=A&limit=1&x=2", -1101, "Too many parameters; expected '2' and received '3'."),
        ("/api/v3/depth", "symbol=", -1105, "Parameter 'symbol' was empty."),
    ],
)  # fmt: skip
def test_a_bad_request_is_refused_in_the_venues_words(path: str, query: str, code: int, text: str) -> None:
    with pytest.raises(VenueError) as refused:
        asked(path, query)
    assert (refused.value.code, refused.value.text) == (code, text)


def test_of_a_parameter_in_query_and_form_the_querys_counts() -> None:
    found = asked("/api/v3/order", "symbol=A&side=BUY", "symbol=B&type=LIMIT", "POST")
    assert found == {"symbol": "A", "side": "BUY", "type": "LIMIT"}


def test_an_account_endpoint_reads_its_signature_too() -> None:
    with pytest.raises(VenueError, match="read '5' parameter\\(s\\) but was sent '6'"):
        asked("/api/v3/order", "symbol=A&orderId=1&timestamp=1&recvWindow=1&signature=x&more=1")


def test_what_stands_under_sapi_passes_over_what_it_does_not_read() -> None:
    assert asked("/sapi/v1/system/status", "a=1&b=2") == {"a": "1", "b": "2"}


def test_what_is_no_text_becomes_something_that_nothing_allows() -> None:
    assert asked("/sapi/v1/asset/tradeFee", "symbol=%ff\udcfe") == {"symbol": "\ufffd?"}


@pytest.mark.parametrize(
    ("method", "path", "values", "weight"),
    [
        ("GET", "/api/v3/depth", {}, 5),
        ("GET", "/api/v3/depth", {"limit": "100"}, 5),
        ("GET", "/api/v3/depth", {"limit": "101"}, 25),
        ("GET", "/api/v3/depth", {"limit": "500"}, 25),
        ("GET", "/api/v3/depth", {"limit": "1000"}, 50),
        ("GET", "/api/v3/depth", {"limit": "1001"}, 250),
        ("GET", "/api/v3/depth", {"limit": "-1"}, 5),
        ("GET", "/api/v3/depth", {"limit": "²"}, 5),
        ("GET", "/api/v3/ticker/24hr", {}, 80),
        ("GET", "/api/v3/ticker/24hr", {"symbol": "A"}, 2),
        ("GET", "/api/v3/ticker/24hr", {"symbols": "a" + 19 * ",a"}, 2),
        ("GET", "/api/v3/ticker/24hr", {"symbols": "a" + 20 * ",a"}, 40),
        ("GET", "/api/v3/ticker/24hr", {"symbols": "a" + 100 * ",a"}, 80),
        ("GET", "/api/v3/ticker/bookTicker", {"symbol": "A"}, 2),
        ("GET", "/api/v3/ticker/bookTicker", {"symbols": "A"}, 4),
        ("GET", "/api/v3/exchangeInfo", {}, 20),
        ("GET", "/api/v3/klines", {}, 2),
        ("GET", "/api/v3/account", {}, 20),
        ("GET", "/api/v3/order", {}, 4),
        ("POST", "/api/v3/order", {}, 1),
        ("DELETE", "/api/v3/order", {}, 1),
        ("GET", "/api/v3/openOrders", {}, 80),
        ("GET", "/api/v3/openOrders", {"symbol": "A"}, 6),
        ("GET", "/api/v3/allOrders", {}, 20),
        ("GET", "/api/v3/myTrades", {}, 20),
        ("GET", "/api/v3/myTrades", {"orderId": "1"}, 5),
        ("GET", "/api/v3/rateLimit/order", {}, 40),
        ("GET", "/api/v3/myPreventedMatches", {"orderId": "1"}, 20),
        ("GET", "/api/v3/myPreventedMatches", {"preventedMatchId": "1"}, 2),
        ("GET", "/sapi/v1/capital/withdraw/history", {}, 18_000),
        ("GET", "/api/v3/nowhere", {}, 1),
    ],
)
def test_every_endpoint_has_the_venues_weight(method: str, path: str, values: dict[str, str], weight: int) -> None:
    assert endpoint_of(method, path).weigh(values) == weight


def test_only_orders_and_cancellations_cost_nothing_when_they_are_carried_out() -> None:
    free = {key for key, endpoint in ENDPOINTS.items() if endpoint.free_when_done}
    assert free == {("POST", "/api/v3/order"), ("DELETE", "/api/v3/order"), ("DELETE", "/api/v3/openOrders")}


def test_every_signed_endpoint_may_be_sent_its_timing_and_no_other() -> None:
    for endpoint in ENDPOINTS.values():
        assert ({"timestamp", "signature", "recvWindow"} <= set(endpoint.names)) is endpoint.signed
