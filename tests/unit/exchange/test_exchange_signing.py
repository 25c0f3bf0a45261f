"""Who may ask: keys, signatures, timestamps and windows, refused in Binance's words."""

import hashlib
import hmac

import pytest

from trimtab.exchange.errors import VenueError
from trimtab.exchange.signing import Credentials, Keys, signature, signed_part, sorted_part

NOW_MS = 1_700_000_000_000


def check(query: str, *, key: str | None = "key-1", secret: str = "secret-1") -> str:
    keys = Keys()
    keys.add(Credentials("main", "key-1", "secret-1"))
    signed = f"{query}&signature={signature(query, secret)}"
    params = dict(pair.split("=", 1) for pair in signed.split("&"))
    return keys.check(key, params, signed_part(signed, ""), NOW_MS * 1000)


def test_the_signature_is_hmac_sha256_of_the_payload_in_hexadecimal() -> None:
    expected = hmac.new(b"s", b"symbol=A&timestamp=1", hashlib.sha256).hexdigest()
    assert signature("symbol=A&timestamp=1", "s") == expected


def test_a_good_request_names_its_account() -> None:
    assert check(f"symbol=BTCUSDT&timestamp={NOW_MS}") == "main"


@pytest.mark.parametrize(
    ("query", "options", "code"),
    [
        (f"timestamp={NOW_MS}", {"key": None}, -2014),
        (f"timestamp={NOW_MS}", {"key": "other"}, -2015),
        (f"timestamp={NOW_MS}", {"secret": "wrong"}, -1022),
        ("symbol=A", {}, -1102),
        ("timestamp=yesterday", {}, -1100),
        (f"timestamp={NOW_MS - 5001}", {}, -1021),
        (f"timestamp={NOW_MS - 101}&recvWindow=100", {}, -1021),
        (f"timestamp={NOW_MS + 1000}", {}, -1021),
        (f"timestamp={NOW_MS * 1000 + 1_000_000}", {}, -1021),
        (f"timestamp={NOW_MS * 1000 - 100_001}&recvWindow=100", {}, -1021),
        (f"timestamp={NOW_MS * 1000 - 100_346}&recvWindow=100.345", {}, -1021),
        (f"timestamp={NOW_MS}&recvWindow=60000.001", {}, -1131),
        (f"timestamp={NOW_MS}&recvWindow=60001", {}, -1131),
        (f"timestamp={NOW_MS}&recvWindow=-1", {}, -1100),
        (f"timestamp={NOW_MS}&recvWindow=5000.0001", {}, -1100),
        (f"timestamp={NOW_MS}&recvWindow=", {}, -1105),
        ("timestamp=", {}, -1105),
        (f"timestamp={NOW_MS}.5", {}, -1100),
        ("timestamp=99999999999999999999", {}, -1108),
        ("timestamp=0", {}, -1021),
    ],
)
def test_a_bad_request_is_refused_by_its_code(query: str, options: dict[str, str], code: int) -> None:
    with pytest.raises(VenueError) as refused:
        check(query, **options)  # type: ignore[arg-type]  # keyword options of one type
    assert refused.value.code == code
    assert refused.value.status == (401 if code in {-2014, -2015} else 400)


@pytest.mark.parametrize(
    "query",
    [
        f"timestamp={NOW_MS - 5000}",
        f"timestamp={NOW_MS - 100}&recvWindow=100",
        f"timestamp={NOW_MS + 999}",
        f"timestamp={NOW_MS * 1000 + 999_999}",
        f"timestamp={NOW_MS * 1000 - 100_345}&recvWindow=100.345",
        f"timestamp={NOW_MS - 60_000}&recvWindow=60000",
    ],
)
def test_the_window_is_inclusive(query: str) -> None:
    assert check(query) == "main"


def test_a_missing_signature_is_a_missing_parameter() -> None:
    keys = Keys()
    keys.add(Credentials("main", "key-1", "secret-1"))
    with pytest.raises(VenueError, match="'signature' was not sent"):
        keys.check("key-1", {"timestamp": str(NOW_MS)}, f"timestamp={NOW_MS}", NOW_MS * 1000)


def test_the_signature_covers_query_and_body_as_sent_without_itself() -> None:
    assert signed_part("a=1&signature=ff", "b=2") == "a=1b=2"
    assert signed_part("", "b=2&signature=ff") == "b=2"


def test_websocket_requests_are_signed_by_sorted_names() -> None:
    assert sorted_part({"timestamp": 5, "apiKey": "k", "signature": "x"}) == "apiKey=k&timestamp=5"


def test_two_accounts_cannot_share_a_key() -> None:
    keys = Keys()
    keys.add(Credentials("main", "key-1", "secret-1"))
    with pytest.raises(ValueError, match="main has it"):
        keys.add(Credentials("other", "key-1", "secret-2"))


def test_a_signature_may_be_in_capitals_and_is_refused_whatever_else_it_holds() -> None:
    keys = Keys()
    keys.add(Credentials("main", "key-1", "secret-1"))
    payload = f"timestamp={NOW_MS}"
    good = signature(payload, "secret-1").upper()
    assert keys.check("key-1", {"timestamp": str(NOW_MS), "signature": good}, payload, NOW_MS * 1000) == "main"
    for bad in ("é" * 64, "x", good[:-1], "\udcff"):
        with pytest.raises(VenueError, match="-1022"):
            keys.check("key-1", {"timestamp": str(NOW_MS), "signature": bad}, payload, NOW_MS * 1000)


def test_bytes_that_are_no_text_are_signed_as_they_came() -> None:
    raw = b"a=\xff\xfe"
    expected = hmac.new(b"s", raw, hashlib.sha256).hexdigest()
    assert signature(raw.decode("utf-8", "surrogateescape"), "s") == expected


def test_an_api_key_names_its_account_without_a_signature() -> None:
    keys = Keys()
    keys.add(Credentials("main", "key-1", "secret-1"))
    assert (keys.account("key-1"), keys.account("key-2"), keys.account(None)) == ("main", None, None)
