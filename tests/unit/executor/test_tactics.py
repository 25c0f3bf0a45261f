from dataclasses import replace
from decimal import Decimal

import pytest
from executor_orders import BTC, NOW, SECOND, child, parent, quote
from hypothesis import given
from hypothesis import strategies as st

from trimtab.domain.market import Quote
from trimtab.domain.orders import ChildOrder, OrderKind, OrderState, ParentOrder, ParentState, Side, TimeInForce
from trimtab.executor.tactics import Cancel, Close, Fund, Place, Wait, fundable, next_move, passive_price
from trimtab.ports.ledger import WorkItem
from trimtab.settings import ExecutorSettings

SETTINGS = ExecutorSettings(depth_share_max=Decimal("0.1"), patience_seconds=15, rest_seconds_min=2)


def item(order: ParentOrder, live: ChildOrder | None = None) -> WorkItem:
    return WorkItem(order, live, 1 if live else 0, dry_run=False)


def move(order: ParentOrder, live: ChildOrder | None = None, book: Quote | None = None, now: int = NOW) -> object:
    return next_move(item(order, live), book or quote(), now, frozenset({"p"}), SETTINGS)


def test_the_first_child_rests_a_quarter_spread_inside() -> None:
    assert move(parent()) == Place(OrderKind.LIMIT, TimeInForce.GTC, Decimal("0.10000"), Decimal("60000.75"))


def test_a_sell_rests_on_the_other_side_and_rounds_up() -> None:
    selling = parent(side=Side.SELL, limit_price=Decimal("59999.00"))
    book = quote(bid="60000.00", ask="60000.03")
    assert passive_price(selling, book) == Decimal("60000.01")


def test_the_slippage_budget_bounds_every_price() -> None:
    assert passive_price(parent(limit_price=Decimal("60000.10")), quote()) == Decimal("60000.10")


def test_it_crosses_with_a_limit_when_patience_ends_and_never_past_the_budget() -> None:
    late = NOW + 16 * SECOND
    assert move(parent(), now=late) == Place(OrderKind.LIMIT, TimeInForce.IOC, Decimal("0.10000"), Decimal("60002.00"))
    assert move(parent(), book=quote(ask="60003.00"), now=late) == Wait("beyond_budget")


def test_an_urgent_trade_crosses_before_a_calm_one() -> None:
    wide = quote(bid="59900.00", ask="60100.00")
    order = parent(limit_price=Decimal(60200), decision_price=Decimal(60000))
    at = NOW + 13 * SECOND
    calm = next_move(item(order), wide, at, frozenset(), SETTINGS)
    urgent = next_move(item(replace(order, urgency=Decimal(1))), wide, at, frozenset(), SETTINGS)
    assert isinstance(urgent, Place)
    assert urgent.time_in_force is TimeInForce.IOC
    assert isinstance(calm, Place)


def test_no_order_takes_more_than_its_share_of_the_visible_depth() -> None:
    assert move(parent(quantity=Decimal(1))) == Place(
        OrderKind.LIMIT, TimeInForce.GTC, Decimal("0.20000"), Decimal("60000.75")
    )


def test_a_thin_book_defers() -> None:
    assert move(parent(), book=quote(size="0.0001")) == Wait("thin_book")


def test_a_remainder_too_small_to_stand_alone_goes_with_the_last_slice() -> None:
    placed = move(parent(quantity=Decimal("0.20005")))
    assert isinstance(placed, Place)
    assert placed.quantity == Decimal("0.20005")


def test_what_cannot_be_traded_closes_the_parent() -> None:
    assert move(parent(quantity=Decimal("0.00002"))) == Close("remainder_below_minimum")
    assert move(parent(filled=Decimal("0.1"))) == Close("filled")
    assert move(parent(), now=NOW + 60 * SECOND) == Close("deadline")


@pytest.mark.parametrize("state", [OrderState.SUBMITTED, OrderState.UNKNOWN])
def test_an_order_of_unknown_fate_is_left_alone_even_past_the_deadline(state: OrderState) -> None:
    assert move(parent(), child(state), now=NOW + 100 * SECOND) == Wait("venue_answer")


def test_a_resting_child_is_taken_back_at_the_deadline_and_when_the_book_moved() -> None:
    assert move(parent(), child()) == Wait("resting")
    assert move(parent(), child(), now=NOW + 60 * SECOND) == Cancel("deadline")
    assert move(parent(), child(), book=quote(bid="60000.40")) == Cancel("reprice")
    assert move(parent(), child(placed_us=NOW - SECOND), book=quote(bid="60000.40")) == Wait("resting")


def test_nothing_is_placed_while_fills_of_the_last_child_are_missing() -> None:
    done = child(OrderState.CANCELED, filled=Decimal("0.05"), recorded=Decimal("0.02"))
    assert move(parent(filled=Decimal("0.02")), done) == Wait("fills_missing")


def test_a_funded_parent_waits_for_its_sells_and_closes_at_its_deadline() -> None:
    waiting = parent(state=ParentState.WAITING, depends_on=("sell",))
    assert next_move(item(waiting), quote(), NOW, frozenset({"p", "sell"}), SETTINGS) == Wait("funding")
    assert next_move(item(waiting), quote(), NOW, frozenset({"p"}), SETTINGS) == Fund()
    assert next_move(item(waiting), quote(), NOW + 60 * SECOND, frozenset({"sell"}), SETTINGS) == Close("deadline")


def test_what_is_funded_waits_for_a_book_before_it_begins() -> None:
    waiting = parent(state=ParentState.WAITING, depends_on=("sell",))
    assert next_move(item(waiting), None, NOW, frozenset({"p"}), SETTINGS) == Wait("no_book")


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        (None, Close("halted")),
        (child(), Cancel("halted")),
        (child(cancel_requested=True), Wait("venue_answer")),
        (child(OrderState.UNKNOWN), Wait("venue_answer")),
        (child(OrderState.SUBMITTED), Wait("venue_answer")),
        (child(OrderState.CANCELED), Close("halted")),
        (child(OrderState.CANCELED, filled=Decimal("0.05"), recorded=Decimal("0.02")), Wait("fills_missing")),
    ],
)
def test_a_halted_portfolio_takes_back_what_it_can_and_waits_for_what_it_must(
    live: ChildOrder | None, expected: object
) -> None:
    halted = WorkItem(parent(), live, 1 if live else 0, dry_run=False, halted=True)
    assert next_move(halted, quote(), NOW, frozenset({"p"}), SETTINGS) == expected
    assert next_move(halted, None, NOW, frozenset({"p"}), SETTINGS) == expected
    closed = WorkItem(parent(state=ParentState.CLOSED), live, 1, dry_run=False, halted=True)
    assert next_move(closed, quote(), NOW, frozenset({"p"}), SETTINGS) == Wait("settling")


def test_without_a_book_nothing_is_placed() -> None:
    empty = Quote(BTC, NOW, (), ())
    assert next_move(item(parent()), empty, NOW, frozenset(), SETTINGS) == Wait("no_book")
    assert next_move(item(parent()), None, NOW, frozenset(), SETTINGS) == Wait("no_book")


prices = st.integers(1, 10_000_000).map(lambda ticks: ticks * BTC.tick)


@given(
    bid=prices,
    spread=st.integers(1, 100_000),
    budget=st.integers(-1_000, 200_000),
    side=st.sampled_from(Side),
    quantity=st.integers(1, 10**9).map(lambda steps: steps * BTC.step),
    elapsed=st.integers(0, 59),
)
def test_every_order_keeps_the_filters_and_the_budget(
    bid: Decimal, spread: int, budget: int, side: Side, quantity: Decimal, elapsed: int
) -> None:
    book = quote(str(bid), str(bid + spread * BTC.tick), "50")
    limit = (book.ask if side is Side.BUY else book.bid) + side.sign * budget * BTC.tick
    if limit <= 0:
        return
    order = parent(side=side, quantity=quantity, limit_price=limit, decision_price=book.mid)
    placed = move(order, book=book, now=NOW + elapsed * SECOND)
    if not isinstance(placed, Place):
        assert isinstance(placed, Wait | Close)
        return
    assert placed.price % BTC.tick == 0
    assert placed.quantity % BTC.step == 0
    assert BTC.step <= placed.quantity <= quantity
    assert placed.quantity * placed.price >= BTC.min_notional
    if side is Side.BUY:
        assert placed.price <= limit
    elif placed.price < limit:
        pytest.fail(f"sold at {placed.price}, below {limit}")


@given(
    available=st.decimals("-10", "1000000", places=8),
    quantity=st.integers(1, 10**9).map(lambda steps: steps * BTC.step),
    side=st.sampled_from(Side),
)
def test_no_more_is_reserved_than_is_there(available: Decimal, quantity: Decimal, side: Side) -> None:
    allowed, reserve = fundable(parent(side=side, quantity=quantity), available, BTC.step)
    assert 0 <= allowed <= quantity
    assert allowed % BTC.step == 0
    assert 0 <= reserve <= max(available, Decimal(0))
