"""Self-trade prevention by examples: which order expires, what is told of it, and that no money moves for it."""

from decimal import Decimal

import pytest

from trimtab.exchange import reports, wire
from trimtab.exchange.accounts import Account
from trimtab.exchange.engine import Engine
from trimtab.exchange.errors import VenueError
from trimtab.exchange.instruments import Instrument, Prevention
from trimtab.exchange.market import Snapshot
from trimtab.exchange.orders import EngineEvent, NewOrder, Order, Report

D = Decimal
RULES = Instrument("BTCUSDT", "BTC", "USDT", D("0.01"), D("0.001"))


class Desk:
    """Ann's engine on a book of 99 x 5 / 101 x 5, with ids from 1."""

    def __init__(self, rules: Instrument = RULES) -> None:
        self.engine = Engine({"BTCUSDT": rules})
        self.engine.open_account(Account("ann", D(0), D(0)), {"USDT": D(10_000), "BTC": D(20)}, 0)
        self.engine.market(Snapshot("BTCUSDT", 1, 1, ((D(99), D(5)),), ((D(101), D(5)),)))
        self.number = 0

    def place(
        self, side: str, quantity: str, price: str = "0", mode: Prevention | None = None, force: str = "GTC"
    ) -> tuple[Order, list[EngineEvent]]:
        self.number += 1
        kind = "LIMIT" if price != "0" else "MARKET"
        asked = NewOrder(
            "BTCUSDT", side, kind, f"c{self.number}", D(quantity), price=D(price), time_in_force=force, prevention=mode
        )  # type: ignore[arg-type]  # fmt: skip
        return self.engine.place("ann", asked, 1_700_000_000_000_000)

    def spend(self, side: str, quote: str, mode: Prevention | None = None) -> Order:
        self.number += 1
        asked = NewOrder("BTCUSDT", side, "MARKET", f"c{self.number}", quote_quantity=D(quote), prevention=mode)  # type: ignore[arg-type]  # as above
        return self.engine.place("ann", asked, 1)[0]

    def balances(self) -> dict[str, tuple[Decimal, Decimal]]:
        held = self.engine.accounts.by_name["ann"].balances
        return {asset: (balance.free, balance.locked) for asset, balance in held.items()}


def said(events: list[EngineEvent]) -> list[tuple[int, str, str]]:
    return [(e.order.order_id, e.kind, e.order.status) for e in events if isinstance(e, Report)]


def test_expire_taker_ends_the_incoming_order_where_it_would_meet_an_own_one() -> None:
    desk = Desk()
    resting, _ = desk.place("SELL", "2", "100")
    before = desk.balances()
    order, events = desk.place("BUY", "3", "101", "EXPIRE_TAKER")
    assert (order.status, order.executed, order.prevented, order.prevented_match_id) == ("EXPIRED_IN_MATCH", 0, 3, 0)
    assert (resting.status, resting.prevented, resting.prevented_match_id) == ("NEW", 0, None)
    assert said(events) == [(2, "NEW", "NEW"), (2, "TRADE_PREVENTION", "EXPIRED_IN_MATCH")]
    assert desk.balances() == before


def test_expire_taker_takes_what_comes_before_the_own_order() -> None:
    desk = Desk()
    desk.place("SELL", "2", "101.50")
    order, events = desk.place("BUY", "7", "102", "EXPIRE_TAKER")
    assert (order.status, order.executed, order.prevented) == ("EXPIRED_IN_MATCH", 5, 2)
    assert [kind for _, kind, _ in said(events)] == ["NEW", "TRADE", "TRADE_PREVENTION"]
    assert desk.balances() == {"USDT": (D(10_000) - 505, D(0)), "BTC": (D(23), D(2))}


def test_expire_maker_ends_the_resting_orders_and_goes_on() -> None:
    desk = Desk()
    first, _ = desk.place("SELL", "1.2", "100")
    second, _ = desk.place("SELL", "1.3", "100.50")
    order, events = desk.place("BUY", "3", "101", "EXPIRE_MAKER")
    assert [(o.status, o.prevented, o.prevented_match_id) for o in (first, second)] == [
        ("EXPIRED_IN_MATCH", D("1.2"), 0), ("EXPIRED_IN_MATCH", D("1.3"), 1),
    ]  # fmt: skip
    assert (order.status, order.executed, order.prevented) == ("FILLED", 3, 0)
    assert said(events)[1:3] == [
        (1, "TRADE_PREVENTION", "EXPIRED_IN_MATCH"),
        (2, "TRADE_PREVENTION", "EXPIRED_IN_MATCH"),
    ]
    assert desk.balances() == {"USDT": (D(10_000) - 303, D(0)), "BTC": (D(23), D(0))}


def test_expire_both_ends_both_and_leaves_the_next_own_order_alone() -> None:
    desk = Desk()
    first, _ = desk.place("SELL", "1", "100")
    second, _ = desk.place("SELL", "1", "100.50")
    order, _ = desk.place("BUY", "3", "101", "EXPIRE_BOTH")
    assert [o.status for o in (first, second, order)] == ["EXPIRED_IN_MATCH", "NEW", "EXPIRED_IN_MATCH"]
    assert (first.prevented, order.prevented, order.executed) == (1, 3, 0)
    (match,) = desk.engine.history.prevented_matches("ann", "BTCUSDT")
    assert (match.price, match.quantity, match.taker_prevented, match.maker_prevented) == (100, 1, 3, 1)
    assert desk.balances() == {"USDT": (D(10_000), D(0)), "BTC": (D(19), D(1))}


def test_none_lets_an_account_trade_with_itself() -> None:
    desk = Desk()
    resting, _ = desk.place("SELL", "2", "100", "EXPIRE_BOTH")
    order, _ = desk.place("BUY", "2", "101", "NONE")
    assert (resting.status, order.status, order.executed_quote) == ("FILLED", "FILLED", 200)
    assert [e.order_id for e in desk.engine.history.executions("ann", "BTCUSDT")] == [2, 1]
    assert desk.balances() == {"USDT": (D(10_000), D(0)), "BTC": (D(20), D(0))}


def test_the_incoming_orders_mode_decides() -> None:
    desk = Desk()
    resting, _ = desk.place("SELL", "1", "100", "EXPIRE_MAKER")
    order, _ = desk.place("BUY", "1", "101", "EXPIRE_TAKER")
    assert (resting.status, order.status, order.prevention) == ("NEW", "EXPIRED_IN_MATCH", "EXPIRE_TAKER")


def test_a_market_order_whose_only_counterpart_expires_ends_for_want_of_one() -> None:
    desk = Desk()
    desk.place("BUY", "5", "101")
    resting, _ = desk.place("SELL", "1", "101")
    order, _ = desk.place("BUY", "1", mode="EXPIRE_MAKER")
    assert (resting.status, order.status, order.prevented) == ("EXPIRED_IN_MATCH", "EXPIRED", 0)


@pytest.mark.parametrize(("side", "executed"), [("BUY", D(0)), ("SELL", D(0))])
def test_a_market_order_by_quote_units_is_prevented_for_what_it_could_have_traded(side: str, executed: Decimal) -> None:
    desk = Desk()
    desk.place("SELL" if side == "BUY" else "BUY", "2", "100")
    before = desk.balances()
    order = desk.spend(side, "150", "EXPIRE_TAKER")
    assert (order.status, order.quantity, order.prevented) == ("EXPIRED_IN_MATCH", D("1.5"), D("1.5"))
    assert order.executed == executed
    assert desk.balances() == before


def test_orders_of_other_accounts_are_never_prevented() -> None:
    desk = Desk()
    desk.engine.open_account(Account("bob", D(0), D(0)), {"BTC": D(5)}, 0)
    asked = NewOrder("BTCUSDT", "SELL", "LIMIT", "b", D(1), price=D(100))
    desk.engine.place("bob", asked, 1)
    order, _ = desk.place("BUY", "1", "101", "EXPIRE_BOTH")
    assert (order.status, order.executed_quote) == ("FILLED", 100)


def test_a_mode_that_the_symbol_does_not_allow_is_refused() -> None:
    rules = Instrument("BTCUSDT", "BTC", "USDT", D("0.01"), D("0.001"), prevention="NONE", preventions=("NONE",))
    desk = Desk(rules)
    assert desk.place("BUY", "1", "90")[0].prevention == "NONE"
    with pytest.raises(VenueError, match="-1013 This symbol does not allow the specified self-trade prevention mode"):
        desk.place("BUY", "1", "90", "EXPIRE_TAKER")


def test_the_reports_and_answers_say_what_was_prevented() -> None:
    desk = Desk()
    desk.place("SELL", "1", "100")
    order, events = desk.place("BUY", "3", "101", "EXPIRE_BOTH")
    told = [e for e in events if isinstance(e, Report) and e.prevented]
    maker, taker = (reports.execution_report(report) for report in told)
    assert {key: maker[key] for key in ("x", "X", "i", "U", "v", "A", "B", "pl", "pL", "pY", "V")} == {
        "x": "TRADE_PREVENTION", "X": "EXPIRED_IN_MATCH", "i": 1, "U": 2, "v": 0, "A": "1.00000000", "B": "1.00000000",
        "pl": "1.00000000", "pL": "100.00000000", "pY": "100.00000000", "V": "EXPIRE_MAKER",
    }  # fmt: skip
    assert (taker["i"], taker["U"], taker["A"], taker["V"]) == (2, 1, "3.00000000", "EXPIRE_BOTH")
    matches = desk.engine.history.prevented_matches("ann", "BTCUSDT")
    full = wire.order_full(order, [], matches)
    assert full["preventedMatches"] == [
        {
            "preventedMatchId": 0,
            "makerOrderId": 1,
            "price": "100.00000000",
            "takerPreventedQuantity": "3.00000000",
            "makerPreventedQuantity": "1.00000000",
        }
    ]
    assert (full["preventedQuantity"], full["selfTradePreventionMode"]) == ("3.00000000", "EXPIRE_BOTH")
    row = wire.prevented_match(matches[0])
    assert (row["tradeGroupId"], row["selfTradePreventionMode"], row["takerOrderId"]) == (-1, "EXPIRE_BOTH", 2)


def test_nothing_is_said_of_prevention_where_none_was() -> None:
    desk = Desk()
    order, events = desk.place("BUY", "1", "90")
    report = next(e for e in events if isinstance(e, Report))
    assert {"v", "A", "B", "U", "pl"}.isdisjoint(reports.execution_report(report))
    assert {"preventedMatchId", "preventedQuantity", "preventedMatches"}.isdisjoint(wire.order_full(order, []))
