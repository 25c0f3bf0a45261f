"""What trading has cost, split: the parts sum to what the prices got are worse than the decision's mid."""

from dataclasses import replace
from decimal import Decimal

import pytest

from ledger_worlds import PORTFOLIO, child_of, execution_of, parent_of, signal_of
from trimtab.backtest.bill import Bill
from trimtab.backtest.shown import Top
from trimtab.domain.orders import Liquidity, ParentState, Side
from trimtab.ledger.events import fill_event
from trimtab.ledger.parents import parent_event
from trimtab.messages import Trade

TOP = Top(Decimal(99), Decimal(103))  # a mid of 101, and the decision was made at 100


def one(asset: str) -> Decimal:
    return {"USDT": Decimal(1), "BTC": Decimal(101)}[asset]


def billed(side: Side, price: str, liquidity: Liquidity = Liquidity.TAKER) -> Bill:
    parent = replace(parent_of(side=side, quantity="3"), decision_price=Decimal(100))
    trade = Trade(
        parent.parent_id, parent.venue, parent.account, parent.instrument, "BTC", "USDT", side, Decimal(3),
        Decimal(100), Decimal(110), Decimal(0), (),
    )  # fmt: skip
    bill = Bill()
    bill.accept(replace(signal_of(PORTFOLIO, 1), trades=(trade,)))
    execution = replace(execution_of(quantity="2", price=price), liquidity=liquidity)
    bill.fill(fill_event(parent, child_of(parent), execution, dry_run=False), TOP, one)
    done = replace(parent, filled=Decimal(2), state=ParentState.CLOSED)
    bill.close(parent_event(done, "deadline", 0, dry_run=False), lambda _: TOP.mid, one)
    return bill


@pytest.mark.parametrize(
    ("side", "price", "liquidity", "parts"),
    [
        (Side.BUY, "104", Liquidity.TAKER, (2, 4, 2)),  # the mid rose by 1, half the spread is 2, one past the best
        (Side.SELL, "98", Liquidity.TAKER, (-2, 4, 2)),  # the mid rose for a seller
        (Side.BUY, "99", Liquidity.MAKER, (2, -4, 0)),  # who rests is paid what others pay
    ],
)
def test_parts_sum_to_what_the_price_has_cost(
    side: Side, price: str, liquidity: Liquidity, parts: tuple[int, int, int]
) -> None:
    bill = billed(side, price, liquidity)
    assert (bill.delay, bill.spread, bill.impact) == parts
    assert sum(parts) == (Decimal(price) - 100) * 2 * side.sign
    assert (bill.signals, bill.orders, bill.fills, bill.traded) == (1, 1, 1, 2 * Decimal(price))
    assert bill.fees == Decimal("0.1")
    assert bill.paid == bill.fees + bill.spread + bill.impact


def test_what_was_not_filled_was_missed_at_the_mid() -> None:
    assert [billed(side, "101").opportunity for side in (Side.BUY, Side.SELL)] == [1, -1]
