"""Orders for suites that place some at the simulated exchange's synthetic market, whose price is between the two."""

import time
from dataclasses import replace
from decimal import Decimal

from simulated_exchange import ACCOUNT
from trimtab.domain.ids import client_order_id, derive
from trimtab.domain.orders import ChildOrder, OrderKind, OrderState, ParentOrder, ParentState, Side, TimeInForce

LOW, HIGH = Decimal("30000.00"), Decimal("200000.00")


def parent(side: Side = Side.BUY, instrument: str = "BTC/USDT") -> ParentOrder:
    """An order that has all the room it needs."""
    base, quote = instrument.split("/")
    return ParentOrder(
        parent_id=derive("parent", side, instrument),
        signal_id="signal",
        portfolio_id="core",
        shard=0,
        venue="binance",
        account=ACCOUNT,
        instrument=instrument,
        base=base,
        quote=quote,
        side=side,
        quantity=Decimal(1),
        decision_price=LOW,
        limit_price=HIGH,
        urgency=Decimal(0),
        volatility=Decimal("0.5"),
        depends_on=(),
        deadline_us=0,
        decided_us=0,
        state=ParentState.WORKING,
    )


def resting(attempt: int = 1, **changes: object) -> ChildOrder:
    """A limit order far from the price, sent now; attempts have names of their own."""
    order = ChildOrder(
        client_order_id=client_order_id("suite", attempt),
        parent_id="suite",
        attempt=attempt,
        kind=OrderKind.LIMIT,
        time_in_force=TimeInForce.GTC,
        quantity=Decimal("0.01000"),
        price=LOW,
        state=OrderState.SUBMITTED,
        request_time_ms=time.time_ns() // 1_000_000,
        placed_us=0,
    )
    return replace(order, **changes)  # type: ignore[arg-type]  # names of ChildOrder's own fields


def taking(attempt: int = 1) -> ChildOrder:
    """One that fills at once, or not at all."""
    return resting(attempt, price=HIGH, time_in_force=TimeInForce.IOC)
