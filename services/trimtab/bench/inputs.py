"""Messages of a usual size to measure with: twelve books of ten levels, a ten-asset portfolio that has drifted."""

from decimal import Decimal

from trimtab.domain.amounts import ONE, quantise
from trimtab.domain.market import Market
from trimtab.domain.portfolio import Limits, Policy, Portfolio, Threshold
from trimtab.drift.decision import decide
from trimtab.exchange.instruments import DEFAULT_SYMBOLS, Instrument, listed, start_price
from trimtab.frames import Feed
from trimtab.messages import Frame, FrameQuote, InstrumentRules, PortfolioState, Position, Risk, Signal
from trimtab.ports.topics import Record
from trimtab.settings import DriftSettings

NOW_US = 1_700_000_000_000_000
SETTINGS = DriftSettings()
THRESHOLD = Threshold(relative=Decimal("0.05"))
_VENUE, _QUOTE = "binance", "USDT"
_LEVELS = 10
_FEE = Decimal("0.001")
_EQUITY = Decimal(100_000)
_ASSETS = 10
_VARIANCE, _COVARIANCE = Decimal("0.49"), Decimal("0.25")  # yearly


def frame() -> Frame:
    """Return a full frame of every listed instrument."""
    rules = [item for item in map(listed, DEFAULT_SYMBOLS) if item is not None]
    return Frame(
        session="bench",
        sequence=1,
        event_time_us=NOW_US,
        full=True,
        rules=tuple(map(_rules, rules)),
        quotes=tuple(map(_quote, rules)),
    )


def market(message: Frame) -> Market:
    """Return the market that a full frame tells."""
    return Feed().advance(message, 1).market


def portfolio(policy: Policy, assets: int = _ASSETS) -> Portfolio:
    """Return so many assets in equal parts, cash among them."""
    weight = quantise(ONE / assets)
    targets = tuple((asset, weight) for asset in sorted([*_bases()[: assets - 1], _QUOTE]))
    limits = Limits(max_trade_share=Decimal(1))
    return Portfolio("bench", _QUOTE, targets, policy=policy, accounts=("main",), limits=limits)


def state(message: Market, *, drifted: bool, assets: int = _ASSETS) -> PortfolioState:
    """Return what such a portfolio holds: its targets, or with a tenth of every asset sold."""
    weight = _EQUITY / assets * (Decimal("0.9") if drifted else 1)
    mids = {base: message.quotes[f"{_VENUE}:{base}/{_QUOTE}"].mid for base in _bases()[: assets - 1]}
    held = {base: (weight / mid).quantize(Decimal("0.00000001")) for base, mid in mids.items()}
    held[_QUOTE] = quantise(_EQUITY - weight * (assets - 1))
    return PortfolioState(
        event_id="bench",
        portfolio_id="bench",
        ledger_version=1,
        event_time_us=NOW_US,
        document_version=1,
        document="{}",
        halted=False,
        reason="",
        not_before_us=0,
        positions=tuple(Position("main", _VENUE, asset, held[asset], Decimal(0)) for asset in sorted(held)),
        open_orders=(),
        recent_signals_us=(),
    )


def risk() -> Record[Risk]:
    """Return one common correlation of every listed asset."""
    names = tuple(sorted(_bases()))
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i:]]
    covariance = tuple(_VARIANCE if a == b else _COVARIANCE for a, b in pairs)
    message = Risk("bench", NOW_US, 1, _QUOTE, "bench", 1_000, names, covariance, tuple(_VARIANCE for _ in names))
    return Record(message, "market.risk", 0, 1)


def signal(policy: Policy) -> Signal:
    """Return the signal that a drifted portfolio gives."""
    books = market(frame())
    decision = decide(books, risk(), state(books, drifted=True), portfolio(policy), SETTINGS)
    assert isinstance(decision, Signal), decision
    return decision


def _bases() -> list[str]:
    return [symbol.removesuffix(_QUOTE) for symbol in DEFAULT_SYMBOLS]


def _rules(item: Instrument) -> InstrumentRules:
    return InstrumentRules(
        venue=_VENUE,
        instrument=f"{item.base}/{item.quote}",
        base=item.base,
        quote=item.quote,
        tick=item.tick,
        step=item.step,
        min_quantity=item.step,
        min_notional=item.min_notional,
        maker_fee=_FEE,
        taker_fee=_FEE,
        tradable=True,
    )


def _quote(item: Instrument) -> FrameQuote:
    middle = int(start_price(item.symbol) / item.tick)
    size = int(Decimal(50_000) / start_price(item.symbol) / item.step) + 1
    bids = tuple(value for level in range(_LEVELS) for value in (middle - 1 - level, size + level))
    asks = tuple(value for level in range(_LEVELS) for value in (middle + 1 + level, size + level))
    return FrameQuote(_VENUE, f"{item.base}/{item.quote}", NOW_US, 1, bids, asks)
