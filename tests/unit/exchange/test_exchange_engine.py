"""The matching engine by examples: every way in which an order can trade, wait, expire or be refused."""

from decimal import Decimal

import pytest

from trimtab.exchange.accounts import FEES, MARKET, Account
from trimtab.exchange.engine import Engine
from trimtab.exchange.errors import VenueError
from trimtab.exchange.instruments import Instrument
from trimtab.exchange.market import DepthUpdate, Quote, Snapshot, Trade
from trimtab.exchange.orders import BalanceChange, Execution, NewOrder, Order, Report

D = Decimal
RULES = Instrument("BTCUSDT", "BTC", "USDT", D("0.01"), D("0.001"))


def levels(**sizes: str) -> tuple[tuple[Decimal, Decimal], ...]:
    return tuple((D(price.removeprefix("p")), D(size)) for price, size in sizes.items())


def update(last_id: int, bids: dict[str, str] | None = None, asks: dict[str, str] | None = None) -> DepthUpdate:
    def pairs(side: dict[str, str] | None) -> tuple[tuple[Decimal, Decimal], ...]:
        return tuple((D(price), D(size)) for price, size in (side or {}).items())

    return DepthUpdate("BTCUSDT", last_id, last_id, last_id, last_id, pairs(bids), pairs(asks))


def trade(price: str, quantity: str, *, buyer_is_maker: bool) -> Trade:
    return Trade("BTCUSDT", 50, 50, 1, D(price), D(quantity), buyer_is_maker)


class Desk:
    """An engine with two accounts on a book of 99 x 2, 98 x 5 / 101 x 1, 102 x 4."""

    def __init__(self, fee_asset: str | None = None) -> None:
        self.engine = Engine({"BTCUSDT": RULES}, {"BNB": D(500)})
        for name in ("ann", "bob"):
            account = Account(name, D("0.0005"), D("0.001"), fee_asset)
            self.engine.open_account(account, {"USDT": D(10000), "BTC": D(20), "BNB": D(1)}, 0)
        bids, asks = levels(p99="2", p98="5"), levels(p101="1", p102="4")
        self.engine.market(Snapshot("BTCUSDT", 1, 10, bids, asks))
        self.number = 0

    def place(
        self,
        side: str,
        quantity: str,
        price: str | None = None,
        *,
        force: str = "GTC",
        kind: str = "LIMIT",
        who: str = "ann",
    ) -> tuple[Order, list[Execution]]:
        self.number += 1
        order = NewOrder(
            "BTCUSDT", side, kind if price else "MARKET", f"c{self.number}", D(quantity), price=D(price or 0),
            time_in_force=force,
        )  # type: ignore[arg-type]  # fmt: skip
        placed, events = self.engine.place(who, order, 100)
        done = [e.execution for e in events if isinstance(e, Report) and e.execution]
        return placed, [fill for fill in done if fill.order_id == placed.order_id]

    def free(self, asset: str, who: str = "ann") -> Decimal:
        return self.engine.accounts.by_name[who].balance(asset).free

    def locked(self, asset: str, who: str = "ann") -> Decimal:
        return self.engine.accounts.by_name[who].balance(asset).locked


def fills(events: list[Report | BalanceChange]) -> list[tuple[str, Decimal, Decimal]]:
    found = [event.execution for event in events if isinstance(event, Report) and event.execution]
    return [(fill.client_order_id, fill.price, fill.quantity) for fill in found]


def test_a_market_order_walks_the_book_and_pays_the_taker_fee_in_what_it_receives() -> None:
    desk = Desk()
    order, done = desk.place("BUY", "3")
    assert [(fill.price, fill.quantity) for fill in done] == [(D(101), D(1)), (D(102), D(2))]
    assert order.status == "FILLED"
    assert desk.free("USDT") == 10000 - 101 - 204
    assert desk.free("BTC") == 20 + 3 - D("0.003")
    assert desk.engine.accounts.held(FEES)["BTC"] == D("0.003")
    assert desk.engine.accounts.held(MARKET)["USDT"] == 305


def test_what_was_taken_stays_gone_until_the_level_grows() -> None:
    desk = Desk()
    desk.place("BUY", "1", "101", force="IOC")
    assert desk.place("BUY", "1", "101", force="IOC")[1] == []
    desk.engine.market(update(11, asks={"101": "1"}))
    assert desk.place("BUY", "1", "101", force="IOC")[1] == []
    desk.engine.market(update(12, asks={"101": "1.4"}))
    assert [fill.quantity for fill in desk.place("BUY", "1", "101", force="IOC")[1]] == [D("0.4")]
    desk.engine.market(update(13, asks={"101": "0"}))
    desk.engine.market(update(14, asks={"101": "2"}))
    assert [fill.quantity for fill in desk.place("BUY", "3", "101", force="IOC")[1]] == [D(2)]


def test_an_ioc_order_takes_what_there_is_and_expires() -> None:
    desk = Desk()
    order, done = desk.place("BUY", "3", "101", force="IOC")
    assert (order.status, order.executed, len(done)) == ("EXPIRED", D(1), 1)
    assert desk.locked("USDT") == 0


def test_a_fok_order_takes_all_or_nothing() -> None:
    desk = Desk()
    order, done = desk.place("BUY", "6", "102", force="FOK")
    assert (order.status, done, desk.free("USDT")) == ("EXPIRED", [], D(10000))
    assert desk.place("BUY", "5", "102", force="FOK")[0].status == "FILLED"


def test_a_market_order_larger_than_the_book_expires_with_what_it_got() -> None:
    desk = Desk()
    order, _ = desk.place("BUY", "9")
    assert (order.status, order.executed) == ("EXPIRED", D(5))
    assert desk.locked("USDT") == 0


def test_an_order_for_quote_units_never_leaves_a_better_price_behind() -> None:
    """What is left after 100 steps at 99 would pay for one more at 98, but bids at 99 still stand."""
    desk = Desk()
    asked = NewOrder("BTCUSDT", "SELL", "MARKET", "q", quote_quantity=D("9.9985"))
    order, _ = desk.engine.place("ann", asked, 100)
    assert (order.executed, order.executed_quote, order.status) == (D("0.1"), D("9.9"), "FILLED")


def test_an_order_for_an_amount_of_quote_buys_whole_steps() -> None:
    desk = Desk()
    asked = NewOrder("BTCUSDT", "BUY", "MARKET", "q", quote_quantity=D(200))
    order, _ = desk.engine.place("ann", asked, 100)
    assert (order.status, order.quantity) == ("FILLED", D("1.970"))
    assert order.executed_quote == 101 + D("0.970") * 102


def test_the_rest_of_a_limit_order_waits_and_its_better_price_is_released() -> None:
    desk = Desk()
    order, done = desk.place("BUY", "3", "101.50")
    assert (order.status, [fill.price for fill in done]) == ("PARTIALLY_FILLED", [D(101)])
    assert desk.locked("USDT") == 2 * D("101.50")
    assert desk.free("USDT") == 10000 - 101 - 203


def test_a_resting_order_waits_for_what_stood_before_it() -> None:
    desk = Desk()
    order, _ = desk.place("BUY", "1", "99")
    assert fills(desk.engine.market(trade("99", "1.5", buyer_is_maker=True))) == []
    assert fills(desk.engine.market(trade("99", "0.7", buyer_is_maker=True))) == [("c1", D(99), D("0.2"))]
    assert order.status == "PARTIALLY_FILLED"
    assert fills(desk.engine.market(trade("99", "5", buyer_is_maker=False))) == []
    assert fills(desk.engine.market(trade("99", "5", buyer_is_maker=True))) == [("c1", D(99), D("0.8"))]
    assert order.status == "FILLED"


def test_the_maker_pays_the_maker_fee() -> None:
    desk = Desk()
    desk.place("SELL", "2", "101")
    (done,) = [
        event.execution
        for event in desk.engine.market(trade("101", "3", buyer_is_maker=False))
        if isinstance(event, Report)
    ]
    assert done is not None
    assert (done.maker, done.fee, done.fee_asset) == (True, D("0.101"), "USDT")


def test_cancellations_move_a_resting_order_up_once_the_level_is_smaller_than_what_stood_ahead() -> None:
    desk = Desk()
    desk.place("BUY", "1", "99")
    desk.engine.market(update(11, bids={"99": "0.5"}))
    assert fills(desk.engine.market(trade("99", "0.8", buyer_is_maker=True))) == [("c1", D(99), D("0.3"))]


def test_a_trade_through_its_price_fills_a_resting_order_at_once_at_its_own_price() -> None:
    desk = Desk()
    desk.place("BUY", "1", "99")
    assert fills(desk.engine.market(trade("98.5", "0.6", buyer_is_maker=True))) == [("c1", D(99), D("0.6"))]


def test_the_opposite_side_coming_to_its_price_fills_a_resting_order_as_far_as_it_reaches() -> None:
    desk = Desk()
    desk.place("BUY", "3", "100")
    moved = desk.engine.market(update(11, asks={"99.50": "1", "100": "0.5", "100.50": "9"}))
    assert fills(moved) == [("c1", D(100), D("1.5"))]
    assert fills(desk.engine.market(update(12, asks={"100": "0.7"}))) == [("c1", D(100), D("0.2"))]


def test_a_newer_quote_rules_over_the_book() -> None:
    desk = Desk()
    desk.engine.market(Quote("BTCUSDT", 2, 11, D(100), D(1), D(102), D(3)))
    assert [(f.price, f.quantity) for f in desk.place("BUY", "4")[1]] == [(D(102), D(3))]
    assert [(f.price, f.quantity) for f in desk.place("SELL", "2")[1]] == [(D(100), D(1)), (D(99), D(1))]
    desk.engine.market(update(12, bids={"100": "0"}, asks={"101": "0", "102": "3"}))
    assert desk.place("BUY", "1", "102", force="IOC")[1] == []


def test_own_orders_trade_with_each_other_by_price_then_time_and_share_the_trade_id() -> None:
    desk = Desk()
    desk.place("SELL", "1", "100.50", who="bob")
    desk.place("SELL", "1", "100", who="bob")
    desk.place("SELL", "1", "100", who="bob")
    desk.place("SELL", "1", "101", who="bob")
    _, done = desk.place("BUY", "4.500", "101", who="ann")
    assert [(fill.price, fill.quantity) for fill in done] == [
        (D(100), D(1)), (D(100), D(1)), (D("100.50"), D(1)), (D(101), D(1)), (D(101), D("0.500")),
    ]  # fmt: skip
    history = desk.engine.history
    assert [e.client_order_id for e in history.executions("bob", "BTCUSDT")] == ["c2", "c3", "c1", "c4"]
    ann = [execution.trade_id for execution in history.executions("ann", "BTCUSDT")]
    bob = [execution.trade_id for execution in history.executions("bob", "BTCUSDT")]
    assert (ann, bob) == ([1, 2, 3, 4, 5], [1, 2, 3, 5])


def test_an_order_meeting_its_own_account_expires_the_resting_one() -> None:
    desk = Desk()
    resting, _ = desk.place("SELL", "1", "100")
    order, done = desk.place("BUY", "1", "101")
    assert resting.status == "EXPIRED_IN_MATCH"
    assert desk.locked("BTC") == 0
    assert [fill.price for fill in done] == [D(101)]
    assert order.status == "FILLED"


def test_fees_in_a_third_asset_are_discounted_and_fall_back_when_it_runs_out() -> None:
    desk = Desk(fee_asset="BNB")
    (fill,) = desk.place("BUY", "1")[1]
    assert (fill.fee_asset, fill.fee) == ("BNB", D("0.0001515"))  # 101 x 0.001 x 0.75 / 500
    assert desk.free("BNB") == 1 - D("0.0001515")
    desk.engine.transfer("ann", "BNB", -desk.free("BNB"), 3)
    (fill,) = desk.place("BUY", "1")[1]
    assert (fill.fee_asset, fill.fee) == ("BTC", D("0.001"))


def test_cancelling_releases_what_is_locked() -> None:
    desk = Desk()
    order, _ = desk.place("BUY", "2", "99")
    assert desk.locked("USDT") == 198
    _, events = desk.engine.cancel("ann", "BTCUSDT", order.order_id, None, "cancel-1", 200)
    (report,) = [event for event in events if isinstance(event, Report)]
    assert (report.kind, report.client_order_id, report.order.client_order_id) == ("CANCELED", "cancel-1", "c1")
    assert (desk.locked("USDT"), desk.free("USDT")) == (0, D(10000))
    with pytest.raises(VenueError, match="-2011 Unknown order sent"):
        desk.engine.cancel("ann", "BTCUSDT", order.order_id, None, "cancel-2", 300)


def test_a_client_id_is_unique_among_open_orders_only() -> None:
    desk = Desk()
    asked = NewOrder("BTCUSDT", "BUY", "LIMIT", "same", D(1), price=D(99))
    first, _ = desk.engine.place("ann", asked, 100)
    with pytest.raises(VenueError, match="-2010 Duplicate order sent"):
        desk.engine.place("ann", asked, 101)
    desk.engine.place("bob", asked, 102)
    desk.engine.cancel("ann", "BTCUSDT", None, "same", "x", 103)
    second, _ = desk.engine.place("ann", asked, 104)
    assert second.order_id > first.order_id
    assert desk.engine.history.find("ann", "BTCUSDT", None, "same") is second


@pytest.mark.parametrize(
    ("side", "quantity", "price", "kind", "message"),
    [
        ("BUY", "1", "101", "LIMIT_MAKER", "immediately match"),
        ("SELL", "1", "99", "LIMIT_MAKER", "immediately match"),
        ("BUY", "1", "99.005", "LIMIT", "PRICE_FILTER"),
        ("BUY", "1.0005", "99", "LIMIT", "LOT_SIZE"),
        ("BUY", "0.001", "99", "LIMIT", "NOTIONAL"),
        ("BUY", "1", "2", "LIMIT", "PERCENT_PRICE_BY_SIDE"),
        ("BUY", "1", "900", "LIMIT", "PERCENT_PRICE_BY_SIDE"),
        ("BUY", "102", "99", "LIMIT", "insufficient balance"),
        ("SELL", "21", "101", "LIMIT", "insufficient balance"),
        ("SELL", "21", None, "MARKET", "insufficient balance"),
    ],
)
def test_a_refused_order_changes_nothing(side: str, quantity: str, price: str | None, kind: str, message: str) -> None:
    desk = Desk()
    with pytest.raises(VenueError, match=message):
        desk.place(side, quantity, price, kind=kind)
    assert (desk.free("USDT"), desk.free("BTC"), desk.locked("USDT"), desk.locked("BTC")) == (10000, 20, 0, 0)
    assert desk.engine.history.orders("ann", "BTCUSDT") == []


def test_a_symbol_taken_off_the_list_loses_its_orders_and_gives_back_what_they_held() -> None:
    desk = Desk()
    desk.place("BUY", "1", "90")
    desk.place("SELL", "2", "110", who="bob")
    events = desk.engine.delist("BTCUSDT", 200)
    reports = [event for event in events if isinstance(event, Report)]
    assert [(report.order.account, report.order.status) for report in reports] == [
        ("ann", "CANCELED"),
        ("bob", "CANCELED"),
    ]
    assert (desk.locked("USDT"), desk.locked("BTC", "bob")) == (D(0), D(0))
    assert desk.engine.history.open_orders("ann") == []
    for ask in (
        lambda: desk.place("BUY", "1", "90"),
        lambda: desk.engine.cancel("ann", "BTCUSDT", 1, None, "x", 201),
    ):
        with pytest.raises(VenueError, match="-1121 Invalid symbol"):
            ask()


def test_a_symbol_that_does_not_trade_takes_no_orders_and_gives_them_back() -> None:
    desk = Desk()
    resting, _ = desk.place("BUY", "1", "90")
    desk.engine.halted["BTCUSDT"] = "BREAK"
    for price in ("90", None):
        with pytest.raises(VenueError, match="-1013 Market is closed"):
            desk.place("BUY", "1", price)
    cancelled, _ = desk.engine.cancel("ann", "BTCUSDT", resting.order_id, None, "x", 201)
    assert cancelled.status == "CANCELED"
