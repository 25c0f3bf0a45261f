"""Who sent a request in Coinbase's dialect, and how often somebody may ask."""

import pytest

from trimtab.exchange.coinbase.buckets import FILLS, PRIVATE, PUBLIC, Buckets, Rate
from trimtab.exchange.coinbase.signing import check_feed, check_request, decoded, signature
from trimtab.exchange.errors import VenueError
from trimtab.exchange.signing import Credentials, Keys

NOW_US = 1_700_000_000_000_000
SECRET = "c2VjcmV0"
ASKED = ("GET", "/orders?status=all", "")


@pytest.fixture
def keys() -> Keys:
    found = Keys()
    found.add(Credentials("ann", "key", SECRET, "words"))
    return found


def headers(asked: tuple[str, str, str] = ASKED, timestamp: str = "1700000000", **other: str) -> dict[str, str]:
    given = {"key": "key", "sign": signature(timestamp, *asked, SECRET), "timestamp": timestamp, "passphrase": "words"}
    return {f"CB-ACCESS-{name.upper()}": value for name, value in (given | other).items()}


def test_a_signature_is_what_the_documentation_computes() -> None:
    # echo -n '1700000000GET/accounts' | openssl dgst -sha256 -hmac secret -binary | base64
    assert signature("1700000000", "GET", "/accounts", "", SECRET) == "p4Xa5K4NJ1AtiEBmUbme6DmXWbRF8pYDmPmpNMdWvvc="


def test_a_sound_request_is_its_accounts(keys: Keys) -> None:
    assert check_request(keys, headers(), ASKED, NOW_US).account == "ann"


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"key": ""}, "CB-ACCESS-KEY header is required"),
        ({"key": "nobody"}, "Invalid API Key"),
        ({"timestamp": "soon"}, "invalid timestamp"),
        ({"timestamp": "nan"}, "invalid timestamp"),
        ({"timestamp": "1_700_000_000"}, "invalid timestamp"),  # Python's numbers are nobody's else
        ({"timestamp": "１７０００００００"}, "invalid timestamp"),
        ({"timestamp": "9" * 400}, "request timestamp expired"),
        ({"sign": "AAAA"}, "invalid signature"),
        ({"sign": "é"}, "invalid signature"),
        ({"passphrase": "word"}, "Invalid Passphrase"),
    ],
)
def test_others_are_refused(keys: Keys, changed: dict[str, str], text: str) -> None:
    with pytest.raises(VenueError) as refused:
        check_request(keys, headers(**changed), ASKED, NOW_US)
    assert (refused.value.text, refused.value.status) == (text, 401)


def test_the_signature_covers_method_path_query_and_body(keys: Keys) -> None:
    for asked in (("DELETE", *ASKED[1:]), ("GET", "/orders", ""), (*ASKED[:2], "{}")):
        with pytest.raises(VenueError, match="invalid signature"):
            check_request(keys, headers(), asked, NOW_US)


@pytest.mark.parametrize(
    ("timestamp", "held"), [("1699999970", True), ("1699999969.9", False), ("1700000030.1", False)]
)
def test_a_timestamp_may_be_30_seconds_off(keys: Keys, timestamp: str, *, held: bool) -> None:
    given = headers(timestamp=timestamp)
    if held:
        assert check_request(keys, given, ASKED, NOW_US)
    else:
        with pytest.raises(VenueError, match="request timestamp expired"):
            check_request(keys, given, ASKED, NOW_US)


def test_the_feed_is_signed_as_a_request_that_nobody_makes(keys: Keys) -> None:
    signed = signature("1700000000", "GET", "/users/self/verify", "", SECRET)
    message = {"key": "key", "signature": signed, "timestamp": 1700000000, "passphrase": "words"}
    assert check_feed(keys, message, NOW_US).account == "ann"
    with pytest.raises(VenueError, match="invalid signature"):
        check_feed(keys, message | {"signature": 5}, NOW_US)


def test_a_secret_is_base64() -> None:
    assert decoded(SECRET) == b"secret"
    with pytest.raises(ValueError, match="base64"):
        decoded("demo-secret")


@pytest.mark.parametrize("rate", [PUBLIC, PRIVATE, FILLS])
def test_a_bucket_gives_its_burst_and_then_its_rate(rate: Rate) -> None:
    buckets = Buckets(rate)
    for _ in range(int(rate.burst)):
        buckets.take("ann", NOW_US)
    with pytest.raises(VenueError, match=f"{rate.whose} rate limit exceeded"):
        buckets.take("ann", NOW_US)
    buckets.take("ben", NOW_US)
    step_us = int(1e6 / rate.per_second) + 1
    buckets.take("ann", NOW_US + step_us)
    with pytest.raises(VenueError):
        buckets.take("ann", NOW_US + step_us)
