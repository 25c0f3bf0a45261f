"""Own orders for more than the book showed, and fills of them, to refit the impact coefficient from."""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from drift_fills import COEFFICIENT, fill, recorded, signalled, stretch
from drift_worlds import NOW_US, D, instrument, market, quote

from trimtab.domain.market import Market
from trimtab.domain.orders import Side
from trimtab.drift.costs import YEAR_SECONDS
from trimtab.drift.refit import refit
from trimtab.messages import Costs, Fill, Signal, Trade
from trimtab.ports.topics import Record

MID = D(60_000)
SECOND_US = 1_000_000
LIFETIME_US = 60 * SECOND_US
SWING = D("0.001")  # volatility over one lifetime
AFTER_US = 75 * SECOND_US  # it has settled
ALL, FIFTH, NONE = D(1), D("0.2"), D(0)
VOLATILITY = SWING * (YEAR_SECONDS * SECOND_US / LIFETIME_US).sqrt()


def trade(name: str = "t", *, shown: Decimal = FIFTH, base: str = "BTC", **changes: object) -> Trade:
    """An order for 2 at 60,000 of which the book shows this share, all of it at the mid."""
    made = Trade(
        trade_id=name,
        venue="binance",
        account="main",
        instrument=f"{base}/USDT",
        base=base,
        quote="USDT",
        side=Side.BUY,
        quantity=D(2),
        decision_price=MID,
        limit_price=MID * 2,
        volatility=VOLATILITY.quantize(D("1e-18")),
        depends_on=(),
        depth=shown * 2,
        depth_vwap=MID,
        depth_worst=MID,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # field names are checked by the dataclass itself


def signal_of(*trades: Trade, at_us: int = NOW_US) -> Signal:
    return Signal(
        signal_id="s",
        portfolio_id="core",
        ledger_version=1,
        document_version=1,
        frame_offset=1,
        risk_offset=1,
        event_time_us=at_us,
        deadline_us=at_us + LIFETIME_US,
        policy="no_trade_region",
        reason="band_exceeded",
        urgency=D(0),
        equity=D(1),
        trades=trades,
        terms=(),
    )


def taken(of: Trade, z: Decimal, share: Decimal = ALL, number: int = 1, **changes: object) -> Fill:
    """A taker's fill of this share of an order, that slips by z volatilities."""
    price = (of.decision_price * (1 + of.side.sign * z * SWING)).quantize(D("1e-12"))
    made = fill(
        number,
        parent_id=of.trade_id,
        instrument=of.instrument,
        base=of.base,
        side=of.side,
        price=price,
        quantity=share * of.quantity,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # as above


def at(after_us: int = AFTER_US, offset: int = 8, off: Decimal = NONE) -> Market:
    """The market so long after the signals; its mids are off theirs by so many volatilities."""
    mid = (MID * (1 + off * SWING)).quantize(D("0.01"))
    quotes = [quote(instrument(base), mid) for base in ("BTC", "ETH", "SOL")]
    return replace(market(quotes=quotes), event_time_us=NOW_US + after_us, offset=offset)


# A record of when nothing was known of impact.
START = recorded(Costs("c", 0, -1, NOW_US - SECOND_US, 1, (0,), ()))


def learn(
    of: Market,
    signals: Iterable[Signal],
    fills: Iterable[Fill],
    known: Record[Costs] | None = START,
    prior: Decimal = COEFFICIENT,
    ends: tuple[int, int] | None = None,
) -> Costs:
    """Refit; without `ends`, from topics that begin with these."""
    fills_end, signals_end = ends if ends is not None else (None, None)
    found = refit(of, stretch(fills, fills_end), signalled(signals, signals_end), known, prior)
    assert found is not None
    return found
