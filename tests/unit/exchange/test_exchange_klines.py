"""A candle's stream tells it as it changes, not too often, and once more when it is over; unheard it forgets."""

from decimal import Decimal
from typing import Any

import orjson
import pytest

from trimtab.exchange.klines import Klines
from trimtab.exchange.market import Trade
from trimtab.exchange.tickers import MINUTE_US, Tape

D = Decimal
SECOND_US = 1_000_000
STREAM = "btcusdt@kline_1m"


@pytest.fixture
def tape() -> Tape:
    made = Tape()
    trade(made, 5 * SECOND_US, 100)
    return made


def trade(tape: Tape, time_us: int, price: int, identity: int = 1) -> None:
    tape.trade(Trade("BTCUSDT", time_us, time_us, identity, D(price), D(2), buyer_is_maker=False))


def told(klines: Klines, now_us: int, *streams: str) -> list[dict[str, Any]]:
    return [orjson.loads(message) for _, message in klines.due(streams or (STREAM,), now_us)]


def test_it_is_told_when_it_has_changed_and_two_seconds_have_passed(tape: Tape) -> None:
    klines = Klines({"BTCUSDT": tape})
    (first,) = told(klines, 6 * SECOND_US)
    assert (first["k"]["t"], first["k"]["T"], first["k"]["n"], first["k"]["x"]) == (0, 59_999, 1, False)
    assert told(klines, 9 * SECOND_US) == []  # nothing has changed
    trade(tape, 9 * SECOND_US, 104, 2)
    (second,) = told(klines, 10 * SECOND_US)
    assert (second["k"]["c"], second["k"]["h"], second["k"]["L"]) == ("104.00000000", "104.00000000", 2)
    trade(tape, 11 * SECOND_US, 90, 3)
    assert told(klines, 11 * SECOND_US) == []  # too soon
    assert told(klines, 12 * SECOND_US)[0]["k"]["l"] == "90.00000000"


def test_it_is_told_once_more_when_it_is_over_and_so_are_those_between(tape: Tape) -> None:
    klines = Klines({"BTCUSDT": tape})
    told(klines, 6 * SECOND_US)
    over, quiet, present = told(klines, 2 * MINUTE_US + 1)
    assert [m["k"]["t"] for m in (over, quiet, present)] == [0, 60_000, 120_000]
    assert [m["k"]["x"] for m in (over, quiet, present)] == [True, True, False]
    assert (quiet["k"]["f"], quiet["k"]["n"], quiet["k"]["o"]) == (-1, 0, "100.00000000")


def test_after_a_gap_of_years_only_the_last_week_is_told(tape: Tape) -> None:
    klines = Klines({"BTCUSDT": tape})
    told(klines, 6 * SECOND_US)
    now_us = 10_000_000 * MINUTE_US
    found = told(klines, now_us)
    assert len(found) == 7 * 1440
    assert found[-1]["k"]["t"] == now_us // 1000


def test_longer_candles_sum_up_minutes(tape: Tape) -> None:
    trade(tape, 4 * MINUTE_US, 120, 2)
    (found,) = told(Klines({"BTCUSDT": tape}), 4 * MINUTE_US, "btcusdt@kline_5m")
    candle = found["k"]
    assert (candle["i"], candle["t"], candle["T"], candle["v"]) == ("5m", 0, 299_999, "4.00000000")
    assert (candle["o"], candle["c"], candle["f"], candle["L"]) == ("100.00000000", "120.00000000", 1, 2)


def test_a_stream_that_nobody_heard_begins_anew(tape: Tape) -> None:
    klines = Klines({"BTCUSDT": tape})
    told(klines, 6 * SECOND_US)
    assert told(klines, 30 * SECOND_US, "ethusdt@kline_1m") == []
    (present,) = told(klines, 2 * MINUTE_US + 1)
    assert present["k"]["t"] == 120_000


@pytest.mark.parametrize("stream", ["nousdt@kline_1m", "btcusdt@kline_7m", "btcusdt@kline_"])
def test_what_is_no_candle_is_not_told(tape: Tape, stream: str) -> None:
    assert told(Klines({"BTCUSDT": tape}), 6 * SECOND_US, stream) == []
