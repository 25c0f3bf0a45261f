"""Names, ids and amounts of Coinbase's dialect."""

import time
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.exchange.coinbase.names import Names, fixed, is_client_id, is_uuid, iso, micros, named
from trimtab.exchange.instruments import DEFAULT_SYMBOLS, listed

RULES = {symbol: rules for symbol in DEFAULT_SYMBOLS if (rules := listed(symbol)) is not None}
NAMES = Names(RULES)


@given(st.sampled_from(DEFAULT_SYMBOLS), st.integers(1, 2**62 - 1))
def test_an_order_id_is_a_uuid_of_version_4_and_names_one_order(symbol: str, number: int) -> None:
    told = NAMES.order_id(symbol, number)
    assert UUID(told).version == 4
    assert NAMES.order(told) == (symbol, number)


def test_what_no_order_is_called_names_none() -> None:
    assert NAMES.order(str(uuid4())) is None
    assert NAMES.order(NAMES.order_id("BTCUSDT", 7).replace("-4", "-1", 1)) is None
    assert Names({}).order(NAMES.order_id("BTCUSDT", 7)) is None


def test_products_and_symbols_name_one_another() -> None:
    assert (NAMES.product("BTCUSDT"), NAMES.symbol("BTC-USDT"), NAMES.symbol("LUNA-USDT")) == (
        "BTC-USDT",
        "BTCUSDT",
        None,
    )


@pytest.mark.parametrize(
    ("text", "uuid", "client_id"),
    [
        ("1985ca2d-61ef-49f1-bfce-6c39d8462914", True, True),
        ("1985CA2D-61EF-49F1-BFCE-6C39D8462914", True, False),
        ("1985ca2d-61ef-19f1-bfce-6c39d8462914", True, False),
        ("1985ca2d-61ef-49f1-7fce-6c39d8462914", True, False),
        ("1985ca2d61ef49f1bfce6c39d8462914", False, False),
        ("tt-1", False, False),
        ("", False, False),
    ],
)
def test_a_client_id_is_a_uuid_of_version_4_in_small_letters(text: str, *, uuid: bool, client_id: bool) -> None:
    assert (is_uuid(text), is_client_id(text)) == (uuid, client_id)


def test_times_have_microseconds_and_amounts_no_exponent() -> None:
    assert iso(1_700_000_000_000_042) == "2023-11-14T22:13:20.000042Z"
    assert (fixed(Decimal("1E-8")), fixed(Decimal("1E+3"), 16)) == ("0.00000001", "1000.0000000000000000")


def test_what_is_not_numbered_has_a_name_of_its_own_all_the_same() -> None:
    assert named("account", "ann", "BTC") == named("account", "ann", "BTC") != named("account", "ann", "ETH")


def test_a_time_is_utc_unless_it_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert micros("2026-01-01T12:00:00.000001Z") == micros("2026-01-01T12:00:00.000001")
        assert micros("2026-01-01T12:00:00+01:00") == micros("2026-01-01T11:00:00")
    finally:
        monkeypatch.undo()
        time.tzset()
