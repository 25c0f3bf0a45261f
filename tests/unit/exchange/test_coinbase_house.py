"""The engine by Coinbase's rules: increments, fees in the quote currency, client ids that may come twice."""

from decimal import Decimal

import pytest

from trimtab.exchange.accounts import FEES, Account
from trimtab.exchange.coinbase.house import HOUSE
from trimtab.exchange.engine import Engine
from trimtab.exchange.errors import VenueError
from trimtab.exchange.instruments import listed
from trimtab.exchange.liquidity import Side
from trimtab.exchange.market import Snapshot, Trade
from trimtab.exchange.orders import NewOrder

D = Decimal
MAKER, TAKER = D("0.004"), D("0.006")


@pytest.fixture
def engine() -> Engine:
    rules = listed("BTCUSDT")
    assert rules is not None
    made = Engine({"BTCUSDT": rules}, house=HOUSE)
    made.open_account(Account("ann", MAKER, TAKER), {"USDT": D(100_000), "BTC": D(2)}, 1)
    made.market(Snapshot("BTCUSDT", 1, 1, ((D(59_990), D(1)),), ((D(60_000), D("0.5")), (D(60_010), D(1)))))
    return made


def order(side: Side, quantity: str, price: str, name: str = "one") -> NewOrder:
    return NewOrder("BTCUSDT", side, "LIMIT", name, D(quantity), price=D(price))


def money(engine: Engine) -> tuple[Decimal, Decimal]:
    balance = engine.accounts.by_name["ann"].balance("USDT")
    return balance.free, balance.locked


def test_a_buy_locks_its_fee_and_pays_it_in_the_quote_currency(engine: Engine) -> None:
    engine.place("ann", order("BUY", "0.6", "60000"), 2)
    fee, rest = D(30_000) * TAKER, D("0.1") * 60_000 * (1 + TAKER)
    assert money(engine) == (100_000 - 30_000 - fee - rest, rest)
    assert engine.accounts.by_name["ann"].balance("BTC").free == D("2.5")
    assert engine.accounts.held(FEES)["USDT"] == fee


def test_a_better_price_gives_its_share_of_the_fee_back(engine: Engine) -> None:
    engine.place("ann", order("BUY", "0.5", "60010"), 2)
    assert money(engine) == (100_000 - 30_000 * (1 + TAKER), 0)


def test_a_resting_buy_pays_the_makers_rate_and_gets_the_rest_of_the_hold_back(engine: Engine) -> None:
    engine.place("ann", order("BUY", "0.1", "59995"), 2)
    assert money(engine)[1] == D("5999.5") * (1 + TAKER)
    engine.market(Trade("BTCUSDT", 3, 3, 1, D(59_000), D(5), buyer_is_maker=True))
    assert money(engine) == (100_000 - D("5999.5") * (1 + MAKER), 0)


def test_a_sell_pays_out_of_what_it_brings(engine: Engine) -> None:
    engine.place("ann", order("SELL", "1", "59990"), 2)
    assert money(engine) == (100_000 + 59_990 * (1 - TAKER), 0)


def test_who_cannot_pay_the_fee_cannot_buy(engine: Engine) -> None:
    with pytest.raises(VenueError, match="insufficient balance"):
        engine.place("ann", order("BUY", "1.667", "59980"), 2)  # 99,986 without the fee
    assert money(engine) == (100_000, 0)


def test_everything_comes_back_when_an_order_is_cancelled(engine: Engine) -> None:
    placed, _ = engine.place("ann", order("BUY", "1", "50000"), 2)
    engine.cancel("ann", "BTCUSDT", placed.order_id, None, "bye", 3)
    assert money(engine) == (100_000, 0)


def test_a_client_id_may_come_twice(engine: Engine) -> None:
    first, _ = engine.place("ann", order("BUY", "0.1", "50000"), 2)
    second, _ = engine.place("ann", order("BUY", "0.1", "50000"), 3)
    assert first.order_id != second.order_id


@pytest.mark.parametrize(
    ("quantity", "price", "text"),
    [
        ("0.000015", "50000", "size is too accurate. Smallest unit is 0.00001000"),
        ("0.1", "50000.001", "price is too accurate. Smallest unit is 0.01000000"),
        ("0.00009", "50000", "funds is too small. Minimum size is 5.00000000"),
        ("9000001", "50000", "size is too large. Maximum size is 9000000.00000000"),
    ],
)
def test_increments_and_least_funds_are_kept(engine: Engine, quantity: str, price: str, text: str) -> None:
    with pytest.raises(VenueError) as refused:
        engine.place("ann", order("BUY", quantity, price), 2)
    assert (refused.value.text, refused.value.status) == (text, 400)


def test_prices_far_away_are_nobodys_business(engine: Engine) -> None:
    placed, _ = engine.place("ann", order("BUY", "1", "10"), 2)  # Binance refuses what is below a fifth of the price
    assert placed.is_open


def test_a_profile_has_at_most_500_open_orders_on_a_product(engine: Engine) -> None:
    for number in range(500):
        engine.place("ann", order("BUY", "0.001", "10000"), number)
    with pytest.raises(VenueError, match="open orders"):
        engine.place("ann", order("BUY", "0.001", "10000"), 501)
