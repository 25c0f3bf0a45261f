"""Every filter that exchangeInfo shows is enforced at its edge, in the venue's words."""

from dataclasses import replace
from decimal import Decimal

import pytest

from trimtab.exchange.accounts import Account
from trimtab.exchange.average import AveragePrice
from trimtab.exchange.engine import Engine
from trimtab.exchange.errors import VenueError
from trimtab.exchange.filters import check, described
from trimtab.exchange.instruments import SYMBOLS, Instrument, listed
from trimtab.exchange.market import Snapshot, Trade
from trimtab.exchange.orders import NewOrder

D = Decimal
RULES = Instrument(
    "BTCUSDT", "BTC", "USDT", D("0.01"), D("0.001"), min_notional=D(5), max_notional=D(100_000), max_price=D(1_000),
    max_quantity=D(900), max_market_quantity=D(20), percent_up=D(5), percent_down=D("0.2"), max_open_orders=3,
)  # fmt: skip
LIMIT = NewOrder("BTCUSDT", "BUY", "LIMIT", "c", D(1), price=D(100))
MARKET = NewOrder("BTCUSDT", "BUY", "MARKET", "c", D(1))
MINUTE_US = 60_000_000


@pytest.mark.parametrize(
    ("order", "failure"),
    [
        (replace(LIMIT, price=D("100.001")), "PRICE_FILTER"),
        (replace(LIMIT, price=D("1000.01")), "PRICE_FILTER"),
        (replace(LIMIT, price=D("0.001")), "PRICE_FILTER"),
        (replace(LIMIT, price=D("500.01")), "PERCENT_PRICE_BY_SIDE"),
        (replace(LIMIT, price=D("19.99")), "PERCENT_PRICE_BY_SIDE"),
        (replace(LIMIT, quantity=D("1.0001")), "LOT_SIZE"),
        (replace(LIMIT, quantity=D("0.0001")), "LOT_SIZE"),
        (replace(LIMIT, quantity=D("900.001")), "LOT_SIZE"),
        (replace(MARKET, quantity=D("20.001")), "MARKET_LOT_SIZE"),
        (replace(LIMIT, quantity=D("0.049")), "NOTIONAL"),
        (replace(LIMIT, price=D(200), quantity=D("500.001")), "NOTIONAL"),
        (replace(MARKET, quantity=D("0.049")), "NOTIONAL"),
        (replace(MARKET, quantity=D(0), quote_quantity=D("4.99")), "NOTIONAL"),
    ],
)
def test_an_order_past_a_filters_edge_is_refused_by_its_name(order: NewOrder, failure: str) -> None:
    with pytest.raises(VenueError) as refused:
        check(order, RULES, D(100), 0)
    assert (refused.value.code, refused.value.text) == (-1013, f"Filter failure: {failure}")


@pytest.mark.parametrize(
    "order",
    [
        replace(LIMIT, price=D(500)),
        replace(LIMIT, price=D(20)),
        replace(LIMIT, quantity=D("0.05")),
        replace(LIMIT, quantity=D(900)),
        replace(LIMIT, price=D(200), quantity=D(500)),
        replace(MARKET, quantity=D(20)),
        replace(MARKET, quantity=D("0.05")),
        replace(MARKET, quantity=D(0), quote_quantity=D(5)),
    ],
)
def test_an_order_on_a_filters_edge_passes(order: NewOrder) -> None:
    check(order, RULES, D(100), 2)


def test_one_open_order_too_many_is_the_matching_engines_refusal() -> None:
    with pytest.raises(VenueError, match="-2010 Filter failure: MAX_NUM_ORDERS"):
        check(LIMIT, RULES, D(100), 3)
    check(MARKET, RULES, D(100), 3)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_every_listed_symbol_shows_all_filters(symbol: str) -> None:
    rules = listed(symbol)
    assert rules is not None
    assert [row["filterType"] for row in described(rules)] == [
        "PRICE_FILTER", "LOT_SIZE", "MARKET_LOT_SIZE", "PERCENT_PRICE_BY_SIDE", "NOTIONAL", "MAX_NUM_ORDERS",
    ]  # fmt: skip


def trade(minute: int, price: str, quantity: str) -> Trade:
    return Trade("BTCUSDT", minute * MINUTE_US + 7, 0, 1, D(price), D(quantity), buyer_is_maker=False)


def test_the_average_is_weighted_by_volume_over_five_minutes() -> None:
    average = AveragePrice()
    assert average.price(0) is None
    average.trade(trade(10, "100", "3"))
    average.trade(trade(10, "104", "1"))
    assert average.price(10 * MINUTE_US + 8) == 101
    average.trade(trade(13, "110", "4"))
    assert average.price(14 * MINUTE_US) == D("105.5")
    assert average.price(15 * MINUTE_US) == 110
    average.trade(trade(30, "90", "1"))
    assert average.price(30 * MINUTE_US) == 90
    assert average.price(99 * MINUTE_US) == 90


def test_prices_are_held_against_the_trades_and_not_against_the_book() -> None:
    engine = Engine({"BTCUSDT": RULES})
    engine.open_account(Account("ann"), {"USDT": D(1_000)}, 0)
    engine.market(Snapshot("BTCUSDT", 0, 1, ((D(9), D(1)),), ((D(11), D(1)),)))
    assert engine.average("BTCUSDT", 0) == 10
    engine.market(trade(0, "100", "2"))
    assert engine.average("BTCUSDT", 1) == 100
    with pytest.raises(VenueError, match="PERCENT_PRICE_BY_SIDE"):
        engine.place("ann", replace(LIMIT, price=D("19.99")), 1)
    engine.place("ann", replace(LIMIT, price=D(20)), 1)


@pytest.mark.parametrize(("asks", "least"), [((), "symbol"), (((D(100), D("0.0001")),), "LOT_SIZE filter")])
def test_an_amount_of_quote_needs_something_to_buy(asks: tuple[tuple[Decimal, Decimal], ...], least: str) -> None:
    coarse = replace(RULES, step=D(1), max_market_quantity=D(900))
    engine = Engine({"BTCUSDT": coarse})
    engine.open_account(Account("ann"), {"USDT": D(1_000)}, 0)
    engine.market(Snapshot("BTCUSDT", 0, 1, ((D(99), D(1)),), asks))
    with pytest.raises(VenueError, match=f"-2010 Order book liquidity is less than {least} minimum quantity"):
        engine.place("ann", replace(MARKET, quantity=D(0), quote_quantity=D(50)), 1)
    assert engine.history.orders("ann", "BTCUSDT") == []
