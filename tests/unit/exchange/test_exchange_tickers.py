"""Candles and the 24-hour ticker count every trade once and leave no minute out."""

from decimal import Decimal
from typing import Any

import pytest

from trimtab.exchange import tickers
from trimtab.exchange.market import Snapshot, Trade
from trimtab.exchange.tickers import DAY_US, MINUTE_US, Candle, Tape

D = Decimal


def trade(time_us: int, price: int, quantity: str = "1", *, identity: int = 1, maker: bool = False) -> Trade:
    return Trade("BTCUSDT", time_us, time_us, identity, D(price), D(quantity), maker)


def test_a_tape_begins_at_the_mid_and_the_first_trade_opens_its_minute() -> None:
    tape = Tape()
    tape.begin(Snapshot("BTCUSDT", 0, 1, ((D(99), D(1)),), ((D(101), D(1)),)))
    (quiet,) = tape.candles(MINUTE_US, 0)
    assert (quiet.open, quiet.volume) == (D(100), D(0))
    tape.trade(trade(10, 105))
    (traded,) = tape.candles(MINUTE_US, 20)
    assert (traded.open, traded.low, traded.trades) == (D(105), D(105), 1)


def test_minutes_without_trades_carry_the_last_price() -> None:
    tape = Tape()
    tape.trade(trade(0, 100, "2", identity=7))
    tape.trade(trade(30, 90, maker=True, identity=8))
    tape.trade(trade(3 * MINUTE_US, 120, identity=9))
    candles = tape.candles(MINUTE_US, 4 * MINUTE_US)
    assert [c.close for c in candles] == [D(90), D(90), D(90), D(120), D(120)]
    assert [c.open_us for c in candles] == [k * MINUTE_US for k in range(5)]
    first = candles[0]
    assert (first.high, first.low, first.volume, first.quote_volume) == (D(100), D(90), D(3), D(290))
    assert (first.bought, first.trades, first.first_trade_id, first.last_trade_id) == (D(2), 2, 7, 8)


def test_longer_candles_are_aligned_sums() -> None:
    tape = Tape()
    for minute in range(3, 12):
        tape.trade(trade(minute * MINUTE_US, 100 + minute))
    candles = tape.candles(5 * MINUTE_US, 11 * MINUTE_US)
    assert [(c.open_us // MINUTE_US, c.open, c.close, c.trades) for c in candles] == [
        (0, D(103), D(104), 2), (5, D(105), D(109), 5), (10, D(110), D(111), 2),
    ]  # fmt: skip


def test_the_day_forgets_what_is_older() -> None:
    tape = Tape()
    assert tape.day(0) is None
    tape.trade(trade(0, 1))
    tape.trade(trade(DAY_US + MINUTE_US, 50, identity=2))
    day = tape.day(DAY_US + MINUTE_US)
    assert day is not None
    assert (day.trades, day.close, day.last_quantity) == (1, D(50), D(1))


def test_a_gap_of_years_makes_a_week_of_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    made = 0

    def counted(*values: Any) -> Candle:
        nonlocal made
        made += 1
        return Candle(*values)

    tape = Tape()
    tape.trade(trade(0, 100))
    monkeypatch.setattr(tickers, "Candle", counted)
    years_us = 30 * 365 * DAY_US
    tape.trade(trade(years_us, 120, identity=2))
    assert made < 11_000
    candles = tape.candles(MINUTE_US, years_us)
    assert (candles[0].open_us, candles[0].close) == (years_us - 7 * DAY_US, D(100))
    assert (candles[-1].open_us, candles[-1].close) == (years_us, D(120))
    assert len(candles) == 7 * 1440 + 1
    later = tape.candle(2 * years_us, MINUTE_US, 2 * years_us)  # the clock runs on after the tape's end
    assert later is not None
    assert (later.close, later.trades, made < 32_000) == (D(120), 0, True)


def test_a_trade_that_the_clock_has_run_ahead_of_counts_in_its_own_minute() -> None:
    tape = Tape()
    tape.trade(trade(0, 100))
    tape.candles(MINUTE_US, 5 * MINUTE_US)
    for minute, price in ((1, 110), (1, 111), (3, 90)):
        tape.trade(trade(minute * MINUTE_US, price, identity=price))
    candles = tape.candles(MINUTE_US, 5 * MINUTE_US)
    assert [c.open_us // MINUTE_US for c in candles] == [0, 1, 2, 3, 4, 5]
    assert [c.close for c in candles][:6] == [D(100), D(111), D(111), D(90), D(90), D(90)]
    assert [c.trades for c in candles][:5] == [1, 2, 0, 1, 0]
    whole = tape.candle(0, 5 * MINUTE_US, 5 * MINUTE_US)
    assert whole is not None
    assert (whole.high, whole.low, whole.close, whole.trades) == (D(111), D(90), D(90), 4)


def test_minutes_older_than_a_week_are_dropped_and_the_rest_is_whole() -> None:
    tape = Tape()
    days = 30
    for hour in range(24 * days):
        tape.trade(trade(hour * 60 * MINUTE_US, 100 + hour % 7, identity=hour))
    candles = tape.candles(60 * MINUTE_US, 24 * days * 60 * MINUTE_US)

    assert 7 * 24 <= len(candles) <= 8 * 24 + 2
    assert [c.open_us for c in candles[1:-1]] == [
        h * 60 * MINUTE_US for h in range(24 * days - len(candles) + 2, 24 * days)
    ]
    assert all(candle.trades == 1 for candle in candles[1:-1])
