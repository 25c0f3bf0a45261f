"""Several own orders in one queue: a public trade is shared out once, and who takes in front moves up who waits."""

from decimal import Decimal

import pytest
from test_exchange_engine import RULES, Desk, fills, trade, update

from trimtab.exchange.accounts import Account
from trimtab.exchange.fees import commission
from trimtab.exchange.market import Quote

D = Decimal


def names(events: object) -> list[tuple[str, Decimal]]:
    return [(name, quantity) for name, _, quantity in fills(events)]  # type: ignore[arg-type]  # what the engine tells


def test_a_trade_at_their_price_fills_two_orders_with_no_more_than_was_traded() -> None:
    desk = Desk()
    desk.place("BUY", "1", "100")
    desk.place("BUY", "1", "100", who="bob")
    assert names(desk.engine.market(trade("100", "0.4", buyer_is_maker=True))) == [("c1", D("0.4"))]
    assert names(desk.engine.market(trade("100", "1", buyer_is_maker=True))) == [("c1", D("0.6")), ("c2", D("0.4"))]


def test_a_trade_through_their_prices_fills_the_better_one_first_and_is_used_up() -> None:
    desk = Desk()
    desk.place("BUY", "1", "99.50")
    desk.place("BUY", "1", "100", who="bob")
    assert names(desk.engine.market(trade("99.20", "1.5", buyer_is_maker=True))) == [("c2", D(1)), ("c1", D("0.5"))]


def test_what_an_own_order_ahead_takes_of_a_trade_does_not_move_up_the_one_behind() -> None:
    desk = Desk()
    desk.place("BUY", "1", "100")
    desk.engine.market(update(11, bids={"100": "5"}))
    desk.place("BUY", "1", "100", who="bob")  # behind 5
    assert names(desk.engine.market(trade("100", "3", buyer_is_maker=True))) == [
        ("c1", D(1))
    ]  # 2 of them come to the 5
    assert names(desk.engine.market(trade("100", "3", buyer_is_maker=True))) == []
    assert names(desk.engine.market(trade("100", "0.5", buyer_is_maker=True))) == [("c2", D("0.5"))]


def test_what_another_account_takes_in_front_moves_a_waiting_order_up() -> None:
    desk = Desk()
    desk.place("BUY", "1", "99")  # behind 2
    desk.place("SELL", "1.5", "99", who="bob", force="IOC")
    desk.engine.market(update(11, bids={"99": "9"}))  # grown behind it
    assert names(desk.engine.market(trade("99", "1", buyer_is_maker=True))) == [("c1", D("0.5"))]


@pytest.mark.parametrize("update_id", [9, 10])
def test_a_quote_that_is_no_newer_than_the_book_changes_nothing(update_id: int) -> None:
    desk = Desk()
    desk.engine.market(Quote("BTCUSDT", 1, update_id, D("98.50"), D(7), D("100.50"), D(7)))
    _, done = desk.place("BUY", "2", force="IOC", kind="MARKET")
    assert [(fill.price, fill.quantity) for fill in done] == [(D(101), D(1)), (D(102), D(1))]


def test_a_fee_asset_that_is_bought_pays_its_own_fee_at_the_discount() -> None:
    account = Account("ann", D("0.0005"), D("0.001"), "BTC")
    fill = D(100), D(2)
    assert commission(account, RULES, "BUY", fill, maker=False, price_of=lambda *_: None) == (D("0.0015"), "BTC")
    plain = Account("bob", D("0.0005"), D("0.001"))
    assert commission(plain, RULES, "BUY", fill, maker=False, price_of=lambda *_: None) == (D("0.002"), "BTC")
