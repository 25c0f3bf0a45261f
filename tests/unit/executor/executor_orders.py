"""A market, an order and its child, as the executor's unit tests change them."""

from dataclasses import replace
from decimal import Decimal

from trimtab.domain.instruments import Instrument
from trimtab.domain.market import Level, Quote
from trimtab.domain.orders import ChildOrder, OrderKind, OrderState, ParentOrder, ParentState, Side, TimeInForce

BTC = Instrument(
    venue="binance",
    symbol="BTC/USDT",
    base="BTC",
    quote="USDT",
    tick=Decimal("0.01"),
    step=Decimal("0.00001"),
    min_quantity=Decimal("0.00001"),
    min_notional=Decimal(5),
    maker_fee=Decimal("0.001"),
    taker_fee=Decimal("0.001"),
)
NOW = 1_000_000_000_000_000
SECOND = 1_000_000


def quote(bid: str = "60000.00", ask: str = "60001.00", size: str = "2", instrument: Instrument = BTC) -> Quote:
    levels = [Level(Decimal(price), Decimal(size)) for price in (bid, ask)]
    return Quote(instrument, NOW, (levels[0],), (levels[1],))


def parent(**changes: object) -> ParentOrder:
    base = ParentOrder(
        parent_id="p",
        signal_id="s",
        portfolio_id="core",
        venue="binance",
        account="alpha",
        instrument="BTC/USDT",
        base="BTC",
        quote="USDT",
        side=Side.BUY,
        quantity=Decimal("0.1"),
        decision_price=Decimal("60000.5"),
        limit_price=Decimal("60002.00"),
        urgency=Decimal(0),
        volatility=Decimal("0.5"),
        depends_on=(),
        deadline_us=NOW + 60 * SECOND,
        decided_us=NOW,
        shard=0,
        state=ParentState.WORKING,
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # named in each test


def child(state: OrderState = OrderState.ACCEPTED, **changes: object) -> ChildOrder:
    base = ChildOrder(
        client_order_id="c",
        parent_id="p",
        attempt=0,
        kind=OrderKind.LIMIT,
        time_in_force=TimeInForce.GTC,
        quantity=Decimal("0.1"),
        price=Decimal("60000.75"),
        state=state,
        request_time_ms=0,
        placed_us=NOW - 10 * SECOND,
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # named in each test
