"""The whole failure table: what a failed request says about an order."""

import pytest

from trimtab.adapters.venues.answers import Failure, lookup_answer, place_answer, silence_ms
from trimtab.ports.venue import Absent, NotPlaced, Refused, Unknown

FILTER = "Filter failure: "

# status, code, message -> class of the answer, and its code where it was refused
TABLE = [
    (429, -1003, "Too much request weight used", NotPlaced, None),
    (418, -1003, "IP banned", NotPlaced, None),
    (429, None, "", NotPlaced, None),
    (429, -1015, "Too many new orders; current limit is 100 orders per 10 SECOND.", NotPlaced, None),
    (418, None, "", NotPlaced, None),
    (400, -1015, "Too many new orders.", NotPlaced, None),
    (400, -1003, "Too many requests.", NotPlaced, None),
    (400, -1021, "Timestamp for this request is outside of the recvWindow.", NotPlaced, None),
    (400, -2010, "Account has insufficient balance for requested action.", Refused, "insufficient_balance"),
    (400, -2010, "Order would immediately match and take.", Refused, "would_cross"),
    (400, -2010, "Market is closed.", Refused, "market_closed"),
    (400, -2010, "This symbol is restricted for this account.", Refused, "not_permitted"),
    (400, -2010, "Something new.", Refused, "rejected"),
    (400, -1013, FILTER + "LOT_SIZE", Refused, "lot_size"),
    (400, -1013, FILTER + "MARKET_LOT_SIZE", Refused, "lot_size"),
    (400, -1013, FILTER + "PRICE_FILTER", Refused, "price_filter"),
    (400, -1013, FILTER + "NOTIONAL", Refused, "notional"),
    (400, -1013, FILTER + "MIN_NOTIONAL", Refused, "notional"),
    (400, -1013, FILTER + "PERCENT_PRICE_BY_SIDE", Refused, "percent_price"),
    (400, -2010, FILTER + "MAX_NUM_ORDERS", Refused, "too_many_orders"),
    (400, -1013, "This symbol does not allow the specified self-trade prevention mode.", Refused, "filter"),
    (400, -2010, "Order book liquidity is less than LOT_SIZE filter minimum quantity.", Refused, "lot_size"),
    (400, -1101, "Duplicate values for parameter 'symbol'.", Refused, "invalid_request"),
    (413, -1101, "Too many parameters sent for this endpoint.", Refused, "invalid_request"),
    (
        400,
        -1104,
        "Not all sent parameters were read; read '8' parameter(s) but was sent '9'.",
        Refused,
        "invalid_request",
    ),
    (404, -1020, "This operation is not supported.", Unknown, None),
    (400, -1013, FILTER + "SOMETHING_NEW", Refused, "filter"),
    (400, -1108, "Parameter 'price' overflowed.", Refused, "invalid_request"),
    (400, -1131, "'recvWindow' must be less than 60000.", Refused, "invalid_request"),
    (400, -1111, "Parameter 'price' has too much precision.", Refused, "invalid_request"),
    (400, -1102, "Mandatory parameter 'price' was not sent.", Refused, "invalid_request"),
    (400, -1121, "Invalid symbol.", Refused, "unknown_instrument"),
    (400, -1022, "Signature for this request is not valid.", Refused, "not_permitted"),
    (401, -2014, "API-key format invalid.", Refused, "not_permitted"),
    (401, -2015, "Invalid API-key, IP, or permissions for action.", Refused, "not_permitted"),
    (400, -2010, "Duplicate order sent.", Unknown, None),
    (500, None, "", Unknown, None),
    (502, None, "", Unknown, None),
    (503, -1000, "An unknown error occurred", Unknown, None),
    (520, None, "", Unknown, None),
    (503, -2010, "Account has insufficient balance for requested action.", Unknown, None),
    (503, -1003, "Too many requests.", Unknown, None),
    (500, -1015, "Too many new orders.", Unknown, None),
    (502, -1021, "Timestamp for this request is outside of the recvWindow.", Unknown, None),
    (200, -1003, "Too many requests.", Unknown, None),
    (504, -1007, "Timeout waiting for response from backend server.", Unknown, None),
    (400, -1007, "Timeout waiting for response from backend server.", Unknown, None),
    (400, -1000, "An unknown error occurred", Unknown, None),
    (400, -1001, "Internal error", Unknown, None),
    (400, -1006, "An unexpected response was received", Unknown, None),
    (400, -1008, "Server is currently overloaded", Unknown, None),
    (403, None, "", Unknown, None),
    (400, -9999, "A code nobody has heard of", Unknown, None),
    (200, None, "", Unknown, None),
    (505, None, "", Unknown, None),
    (524, None, "", Unknown, None),
    (598, None, "", Unknown, None),
    (None, None, "", Unknown, None),
]


@pytest.mark.parametrize(("status", "code", "message", "expected", "refusal"), TABLE)
def test_what_a_failed_placement_means(
    status: int | None, code: int | None, message: str, expected: type, refusal: str | None
) -> None:
    answer = place_answer(Failure("text", status=status, code=code, message=message))
    assert type(answer) is expected
    if isinstance(answer, Refused):
        assert answer.code == refusal


def test_a_request_that_never_left_was_not_placed() -> None:
    assert isinstance(place_answer(Failure("connection refused", sent=False)), NotPlaced)


@pytest.mark.parametrize(
    ("failure", "pause_ms"),
    [
        (Failure("", status=429, retry_after_ms=7_000), 7_000),
        (Failure("", status=418, retry_after_ms=3_000), 3_000),
        (Failure("", status=429), 1_000),
        (Failure("", status=418), 120_000),
    ],
)
def test_the_venues_own_pause_is_kept(failure: Failure, pause_ms: int) -> None:
    answer = place_answer(failure)
    assert isinstance(answer, NotPlaced)
    assert answer.retry_after_ms == pause_ms


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, -2011, Absent),
        (400, -2013, Absent),
        (400, -1121, Absent),
        (500, -1121, Unknown),
        (400, -1021, Unknown),
        (429, -1003, Unknown),
        (500, -2013, Unknown),
        (None, -2013, Unknown),
        (503, None, Unknown),
        (None, None, Unknown),
    ],
)
def test_only_the_venues_word_makes_an_order_absent(status: int | None, code: int | None, expected: type) -> None:
    assert isinstance(lookup_answer(Failure("", status=status, code=code)), expected)


@pytest.mark.parametrize(
    ("failure", "pause_ms"),
    [
        (Failure("", status=429, code=-1003, retry_after_ms=7_000), 7_000),
        (Failure("", status=418, code=-1003, retry_after_ms=240_000), 240_000),
        (Failure("", status=418), 120_000),
        (Failure("", status=429), 1_000),
        (Failure("", status=429, code=-1015, retry_after_ms=86_000_000), None),
        (Failure("", status=503, code=-1003), None),
        (Failure("", status=400, code=-1015), None),
        (Failure("", sent=False), None),
    ],
)
def test_only_an_addresss_limit_silences_everything(failure: Failure, pause_ms: int | None) -> None:
    assert silence_ms(failure) == pause_ms


def test_too_many_orders_hold_the_accounts_orders_for_as_long_as_the_venue_says() -> None:
    answer = place_answer(Failure("", status=429, code=-1015, message="Too many new orders.", retry_after_ms=9_000))
    assert answer == NotPlaced("", 9_000)
