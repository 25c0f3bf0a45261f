"""Own fills to refit costs from."""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from drift_worlds import NOW_US, SETTINGS, D

from trimtab.domain.market import Market
from trimtab.domain.orders import Liquidity, Side
from trimtab.drift.refit import refit
from trimtab.messages import Costs, Fill, Signal
from trimtab.ports.topics import Record, Stretch

COEFFICIENT = SETTINGS.impact_coefficient


def fill(number: int, rate: str = "0.0015", **changes: object) -> Fill:
    """One fill of 0.1 BTC at 60,000, a taker's; `rate` is what fraction of its notional was paid."""
    price, quantity = D(60_000), D("0.1")
    made = Fill(
        event_id=f"fill-{number}",
        portfolio_id="core",
        ledger_sequence=number,
        venue="binance",
        account="main",
        trade_id=str(number),
        instrument="BTC/USDT",
        base="BTC",
        quote="USDT",
        side=Side.BUY,
        price=price,
        quantity=quantity,
        notional=price * quantity,
        fee=D(rate) * price * quantity,
        fee_asset="USDT",
        liquidity=Liquidity.TAKER,
        leaves_quantity=D(0),
        signal_id="s",
        parent_id="p",
        client_order_id=f"c{number}",
        venue_order_id=f"v{number}",
        event_time_us=NOW_US,
        dry_run=False,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # field names are checked by the dataclass itself


def stretch(fills: Iterable[Fill], end: int | None = None) -> Stretch[Fill]:
    """Everything in one partition."""
    records = tuple(Record(made, "execution.fills", 0, number) for number, made in enumerate(fills))
    return Stretch(records, (len(records) if end is None else end,))


def signalled(signals: Iterable[Signal] = (), end: int | None = None) -> Stretch[Signal]:
    """As `stretch`, of signals."""
    records = tuple(Record(made, "rebalance.signals", 0, number) for number, made in enumerate(signals))
    return Stretch(records, (len(records) if end is None else end,))


def refit_fees(market: Market, fills: Stretch[Fill], known: Record[Costs] | None) -> Costs | None:
    """Refit where nothing is signalled."""
    return refit(market, fills, signalled(), known, COEFFICIENT)


def recorded(costs: Costs | None, offset: int = 0) -> Record[Costs]:
    assert costs is not None
    return Record(costs, "market.costs", 0, offset)


def fee(costs: Costs | None, liquidity: str = "taker") -> Decimal:
    """The fee that counts of the one instrument."""
    assert costs is not None
    (found,) = (row.fee for row in costs.fees if row.liquidity == liquidity)
    return found
