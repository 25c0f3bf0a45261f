"""Small worlds to decide in: instruments, markets, risk estimates and portfolio states, built in one line each."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from trimtab.domain.instruments import Instrument
from trimtab.domain.market import Level, Market, Quote
from trimtab.domain.orders import Side
from trimtab.domain.portfolio import Limits, Portfolio
from trimtab.messages import OpenOrder, PortfolioState, Position, Risk
from trimtab.ports.topics import Record
from trimtab.settings import DriftSettings

D = Decimal
NOW_US = 1_700_000_000_000_000
SETTINGS = DriftSettings()
PRICES = {"BTC": D(60_000), "ETH": D(3_000), "SOL": D(150)}
SPREAD, DEPTH, EQUITY, CORRELATION, UNIT = D("0.02"), D(1_000), D(100_000), D("0.5"), D(1)
WIDE_LIMITS = Limits(min_trade=D(1), max_trade_share=D(1))


def instrument(base: str, *, venue: str = "binance", **changes: object) -> Instrument:
    rules = Instrument(
        venue=venue,
        symbol=f"{base}/USDT",
        base=base,
        quote="USDT",
        tick=D("0.01"),
        step=D("0.00001"),
        min_quantity=D("0.00001"),
        min_notional=D(5),
        maker_fee=D("0.001"),
        taker_fee=D("0.001"),
    )
    return replace(rules, **changes)  # type: ignore[arg-type]  # field names are checked by the dataclass itself


def quote(rules: Instrument, mid: Decimal, *, spread: Decimal = SPREAD, depth: Decimal = DEPTH) -> Quote:
    half = spread / 2
    bids = tuple(Level(mid - half - n * rules.tick, depth) for n in range(10))
    asks = tuple(Level(mid + half + n * rules.tick, depth) for n in range(10))
    return Quote(rules, NOW_US, bids, asks)


def market(prices: Mapping[str, Decimal] | None = None, *, quotes: Sequence[Quote] = ()) -> Market:
    """Deep books at these mids; `quotes` replace or add."""
    built = {q.instrument.key: q for q in (quote(instrument(a), p) for a, p in (prices or PRICES).items())}
    built |= {q.instrument.key: q for q in quotes}
    rules = {key: q.instrument for key, q in built.items()}
    return Market(7, NOW_US, complete=True, instruments=rules, quotes=built)


def risk(
    deviations: Mapping[str, Decimal] | None = None, correlation: Decimal = CORRELATION, observations: int = 1_000
) -> Record[Risk]:
    """One common correlation; deviations are yearly volatilities."""
    sigma = dict(sorted((deviations or {"BTC": D("0.5"), "ETH": D("0.7"), "SOL": D("0.9")}).items()))
    names = tuple(sigma)
    covariance = tuple(
        sigma[a] * sigma[b] * (1 if a == b else correlation) for i, a in enumerate(names) for b in names[i:]
    )
    message = Risk("r", NOW_US, 5, "USDT", "test", observations, names, covariance, tuple(sigma[a] ** 2 for a in names))
    return Record(message, "market.risk", 0, 3)


def unusual(found: Record[Risk], **usual: Decimal) -> Record[Risk]:
    """The same estimate with other long-run levels, as yearly volatilities."""
    levels = zip(found.message.assets, found.message.long_run_variance, strict=True)
    changed = tuple(usual[asset] ** 2 if asset in usual else variance for asset, variance in levels)
    return replace(found, message=replace(found.message, long_run_variance=changed))


def portfolio(**changes: object) -> Portfolio:
    targets = (("BTC", D("0.6")), ("ETH", D("0.3")), ("USDT", D("0.1")))
    base = Portfolio("core", "USDT", targets, accounts=("main",), limits=WIDE_LIMITS)
    return replace(base, **changes)  # type: ignore[arg-type]  # as above


def positions(amounts: Mapping[str, Decimal], account: str = "main", venue: str = "binance") -> tuple[Position, ...]:
    return tuple(Position(account, venue, asset, amount, D(0)) for asset, amount in amounts.items())


def state(held: Sequence[Position], **changes: object) -> PortfolioState:
    base = PortfolioState(
        event_id="s",
        portfolio_id="core",
        ledger_version=4,
        event_time_us=NOW_US,
        document_version=1,
        document="{}",
        halted=False,
        reason="",
        not_before_us=0,
        positions=tuple(held),
        open_orders=(),
        recent_signals_us=(),
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # as above


def weights_to_positions(
    weights: Mapping[str, Decimal], equity: Decimal = EQUITY, prices: Mapping[str, Decimal] | None = None
) -> tuple[Position, ...]:
    """Positions of exactly these weights; what is left of 1 is cash."""
    priced = prices or PRICES
    amounts = {asset: weight * equity / priced[asset] for asset, weight in weights.items()}
    cash = equity - sum((amount * priced[asset] for asset, amount in amounts.items()), D(0))
    return positions({**amounts, "USDT": cash})


def open_order(side: Side = Side.BUY, leaves: Decimal = UNIT) -> OpenOrder:
    return OpenOrder("p", "main", "BTC/USDT", "BTC", "USDT", side, leaves, D(60_000))
