from decimal import Decimal

import pytest

from ledger_worlds import parent_of
from trimtab.domain.orders import Side
from trimtab.ledger.settlement import Settled
from trimtab.ports.ledger import FillRow


def settled(side: Side, price: str, decided: str = "100", limit: str = "102") -> Settled:
    parent = parent_of(side=side, limit_price=limit)
    object.__setattr__(parent, "decision_price", Decimal(decided))
    fill = FillRow(
        venue="binance",
        account="main",
        trade_id="t",
        portfolio_id="core",
        parent_id="p1",
        client_order_id="c",
        side=side,
        base="BTC",
        quote="USDT",
        price=Decimal(price),
        quantity=Decimal(1),
        fee=Decimal(0),
        fee_asset="USDT",
        event_time_us=0,
        settled=True,
    )  # fmt: skip - a row of the ledger
    return Settled(fill, parent)


@pytest.mark.parametrize(
    ("side", "price", "limit", "slippage", "used"),
    [
        (Side.BUY, "101", "102", "0.01", "0.5"),
        (Side.BUY, "99", "102", "-0.01", "-0.5"),
        (Side.SELL, "99", "98", "0.01", "0.5"),
        (Side.SELL, "101", "98", "-0.01", "-0.5"),
        (Side.BUY, "101", "100", "0.01", "0"),  # no budget was given
    ],
)
def test_slippage_is_worse_when_positive_and_measured_against_the_budget(
    side: Side, price: str, limit: str, slippage: str, used: str
) -> None:
    found = settled(side, price, limit=limit)
    assert (found.slippage, found.budget_used) == (Decimal(slippage), Decimal(used))


def test_a_parent_without_a_decision_price_has_no_slippage() -> None:
    assert settled(Side.BUY, "101", decided="0").slippage == 0
