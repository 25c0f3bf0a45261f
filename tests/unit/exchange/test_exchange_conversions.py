"""Balances that change without an order: nothing is made or lost but where units themselves change, worth stays."""

from decimal import Decimal

import pytest

from trimtab.exchange.accounts import FEES, MARKET, OUTSIDE, Account
from trimtab.exchange.conversions import convert_dust, redenominate
from trimtab.exchange.engine import Engine
from trimtab.exchange.errors import VenueError
from trimtab.exchange.instruments import Instrument
from trimtab.exchange.market import DepthUpdate, Quote, Snapshot, Trade
from trimtab.exchange.orders import BalanceChange, NewOrder, Report
from trimtab.exchange.scale import Scale
from trimtab.exchange.tickers import Tape

D = Decimal
BTC = Instrument("BTCUSDT", "BTC", "USDT", D("0.01"), D("0.001"))
CROSS = Instrument("ETHBTC", "ETH", "BTC", D("0.00001"), D("0.0001"), D("0.0001"))


def an_engine() -> Engine:
    engine = Engine({"BTCUSDT": BTC, "ETHBTC": CROSS}, {"BNB": D(500)})
    engine.open_account(Account("ann"), {"USDT": D(1000), "BTC": D("0.00012345"), "ETH": D(3)}, 1)
    engine.open_account(Account("bob"), {"BTC": D(2)}, 1)
    engine.market(Snapshot("BTCUSDT", 1, 1, ((D(99), D(2)),), ((D(101), D(1)),)))
    return engine


def free(engine: Engine, asset: str, name: str = "ann") -> Decimal:
    return engine.accounts.by_name[name].balance(asset).free


def test_dust_is_worth_what_it_was_less_the_fee() -> None:
    engine = an_engine()
    events = convert_dust(engine, "ann", ["BTC", "USDT"], "BNB", 5)
    assert (free(engine, "BTC"), free(engine, "USDT")) == (D(0), D(0))
    assert free(engine, "BNB") == D("1.96002419")  # (1000 + 0.00012345 * 100) / 500 * 0.98, cut to 8 decimals
    assert [event.reason for event in events if isinstance(event, BalanceChange)] == ["dust"] * 3
    assert all(engine.accounts.total(asset) == 0 for asset in ("BTC", "USDT", "BNB"))
    assert engine.accounts.held(MARKET)["BNB"] == -free(engine, "BNB")


@pytest.mark.parametrize("assets", [["BNB"], ["DOGE"], ["BTC", "ETH"]])
def test_what_cannot_be_converted_changes_nothing(assets: list[str]) -> None:
    engine = an_engine()
    with pytest.raises(VenueError, match="cannot be turned into BNB"):
        convert_dust(engine, "ann", assets, "BNB", 5)
    assert (free(engine, "BTC"), free(engine, "BNB")) == (D("0.00012345"), D(0))


def test_a_redenomination_multiplies_units_divides_prices_and_cancels_orders() -> None:
    engine = an_engine()
    engine.place("bob", NewOrder("BTCUSDT", "SELL", "LIMIT", "s", D("0.5"), price=D(110)), 2)
    engine.place("ann", NewOrder("ETHBTC", "SELL", "LIMIT", "e", D(1), price=D("0.04")), 2)
    events = redenominate(engine, "BTC", D(1000), 6)
    assert (free(engine, "BTC"), free(engine, "BTC", "bob")) == (D("0.12345"), D(2000))
    assert free(engine, "ETH") == D(3)
    cancelled = [event.order.status for event in events if isinstance(event, Report)]
    assert cancelled == ["CANCELED", "CANCELED"]
    rules, cross = engine.instruments["BTCUSDT"], engine.instruments["ETHBTC"]
    assert (rules.tick, rules.step, rules.min_notional) == (D("0.00001"), D(1), BTC.min_notional)
    assert (cross.tick, cross.step, cross.min_notional) == (D("0.01"), D("0.0001"), D("0.1"))
    assert all(engine.accounts.total(asset) == 0 for asset in ("BTC", "ETH", "USDT"))
    assert engine.accounts.held(OUTSIDE)["BTC"] == -(D("0.12345") + D(2000))
    assert engine.accounts.held(FEES)["BTC"] == 0


def test_the_average_that_filters_hold_orders_against_follows() -> None:
    engine = an_engine()
    engine.market(Trade("BTCUSDT", 1, 1, 1, D(100), D(2), buyer_is_maker=False))
    redenominate(engine, "BTC", D(1000), 6)
    assert engine.averages["BTCUSDT"].price(6) == D("0.1")


def test_a_redenomination_back_restores_everything() -> None:
    engine = an_engine()
    redenominate(engine, "BTC", D(1000), 6)
    redenominate(engine, "BTC", D("0.001"), 7)
    assert (free(engine, "BTC"), free(engine, "BTC", "bob")) == (D("0.00012345"), D(2))
    assert engine.instruments == {"BTCUSDT": BTC, "ETHBTC": CROSS}


def test_the_fixed_price_of_an_asset_without_a_book_follows() -> None:
    engine = an_engine()
    redenominate(engine, "BNB", D(10), 6)
    assert engine.price_of("BNB", "USDT") == D(50)


def test_a_redenomination_that_needs_more_decimals_than_there_are_changes_nothing() -> None:
    engine = an_engine()
    engine.instruments["BTCUSDT"] = Instrument("BTCUSDT", "BTC", "USDT", D("0.00000001"), D(1))
    with pytest.raises(VenueError, match="8 decimals at most"):
        redenominate(engine, "BTC", D(10), 6)
    assert free(engine, "BTC") == D("0.00012345")


def test_every_event_of_a_market_is_told_in_the_new_units() -> None:
    scale = Scale.of(BTC, "BTC", D(10))
    level, scaled = (D("99.01"), D("0.5")), (D("9.901"), D(5))
    assert scale.event(Snapshot("B", 1, 1, (level,), ())) == Snapshot("B", 1, 1, (scaled,), ())
    update = DepthUpdate("B", 1, 1, 2, 3, (), (level,), raw=b"old")
    assert scale.event(update) == DepthUpdate("B", 1, 1, 2, 3, (), (scaled,))
    quote = Quote("B", 1, 4, *level, D("99.02"), D(1), raw=b"old")
    assert scale.event(quote) == Quote("B", 1, 4, *scaled, D("9.902"), D(10))
    trade = Trade("B", 1, 1, 5, *level, buyer_is_maker=True, raw=b"old")
    assert scale.event(trade) == Trade("B", 1, 1, 5, *scaled, buyer_is_maker=True)
    assert Scale.of(BTC, "ETH", D(10)) == Scale()
    assert Scale.of(CROSS, "BTC", D(10)).then(Scale.of(CROSS, "ETH", D(10))) == Scale(D(1), D(10))


def test_what_has_been_traded_is_told_in_the_new_units_too() -> None:
    tape = Tape()
    tape.trade(Trade("B", 1, 1, 5, D(100), D(2), buyer_is_maker=False))
    tape.rescale(D("0.1"), D(10))
    day = tape.day(2)
    assert day is not None
    assert (day.open, day.close, day.volume, day.quote_volume, day.bought) == (D(10), D(10), D(20), D(200), D(20))
