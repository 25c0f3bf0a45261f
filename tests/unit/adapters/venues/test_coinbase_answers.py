"""The failure table of Coinbase: what each kind of failure says about an order."""

import pytest

from trimtab.adapters.venues.answers import Failure, silence_ms
from trimtab.adapters.venues.coinbase.answers import (
    is_wrong_key,
    lookup_answer,
    names_an_order,
    place_answer,
    rejection,
)
from trimtab.ports.venue import Absent, NotPlaced, Refused, Unknown


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (400, "Insufficient funds", "insufficient_balance"),
        (400, "size is too small. Minimum size is 0.00001000", "lot_size"),
        (400, "size is too accurate. Smallest unit is 0.00001000", "lot_size"),
        (400, "price is too accurate. Smallest unit is 0.01000000", "price_filter"),
        (400, "funds is too small. Minimum size is 5.00000000", "notional"),
        (400, "Product not found", "unknown_instrument"),
        (404, "Product not found", "unknown_instrument"),
        (400, "Cancel only mode", "market_closed"),
        (400, "Post only mode", "market_closed"),
        (401, "Invalid API Key", "not_permitted"),
        (401, "invalid signature", "not_permitted"),
        (403, "Forbidden", "not_permitted"),
        (400, "Something nobody has heard of", "invalid_request"),
    ],
)
def test_the_venues_own_words_are_a_refusal(status: int, message: str, code: str) -> None:
    answer = place_answer(Failure("text", status, message=message))
    assert isinstance(answer, Refused)
    assert answer.code == code


@pytest.mark.parametrize(
    "failure",
    [
        Failure("timeout"),
        Failure("reset"),
        Failure("text", 200),
        Failure("text", 200, message="Insufficient funds"),
        Failure("text", 400),
        Failure("text", 408, message="Request timeout"),
        Failure("text", 500, message="Internal server error"),
        Failure("text", 503, message="Service is under maintenance"),
        Failure("text", 504),
        Failure("text", 524),
    ],
)
def test_everything_else_is_unknown(failure: Failure) -> None:
    assert isinstance(place_answer(failure), Unknown)
    assert isinstance(lookup_answer(failure), Unknown)


def test_what_never_reached_the_book_is_not_placed() -> None:
    assert place_answer(Failure("refused", sent=False)) == NotPlaced("refused", 250)
    limited = Failure("text", 429, message="Private rate limit exceeded")
    assert place_answer(limited) == NotPlaced("text", 1_000)
    assert silence_ms(limited) == 1_000
    assert place_answer(Failure("text", 429, retry_after_ms=7_000)) == NotPlaced("text", 7_000)
    assert place_answer(Failure("text", 401, message="request timestamp expired")) == NotPlaced("text", 1_000)


def test_only_the_venues_own_words_are_an_absence() -> None:
    for status, message in ((404, "NotFound"), (404, "order not found")):
        assert lookup_answer(Failure("text", status, message=message)) == Absent()
    for status, message in ((404, ""), (404, "no route"), (400, "NotFound"), (401, "NotFound"), (500, "NotFound")):
        assert isinstance(lookup_answer(Failure("text", status, message=message)), Unknown)


def test_an_order_that_is_done_has_traded() -> None:
    assert isinstance(lookup_answer(Failure("text", 400, message="Order already done")), Unknown)


def test_a_cancellation_names_its_order_or_nothing() -> None:
    order_id = "7e570000-0001-4000-8000-000000000001"
    assert names_an_order(f'"{order_id}"')
    assert names_an_order(order_id)
    for answer in ({}, [order_id], "", '""', "7e57", None):
        assert not names_an_order(answer)


def test_an_answer_of_success_may_be_a_rejection() -> None:
    assert rejection("post only").code == "would_cross"
    assert rejection("").code == "rejected"


def test_a_wrong_key_is_told_from_a_request_that_came_too_late() -> None:
    for message in ("Invalid API Key", "invalid signature", "Invalid Passphrase"):
        assert is_wrong_key(Failure("text", 401, message=message))
    assert not is_wrong_key(Failure("text", 401, message="request timestamp expired"))
    assert not is_wrong_key(Failure("text", 502, message="Invalid API Key"))
