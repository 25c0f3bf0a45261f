"""Small courses to compare: one portfolio of BTC and USDT, its decisions real ones."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from trimtab.agreement.comparison import Comparison, Tolerance, rows_of
from trimtab.agreement.course import Done, Given, Inputs, Order
from trimtab.agreement.differences import Agreement, Kind
from trimtab.agreement.pricing import Priced
from trimtab.agreement.retold import Answer, Retold
from trimtab.backtest.variants import document_of
from trimtab.documents import canonical, parse_document
from trimtab.domain.instruments import Instrument
from trimtab.domain.market import Level, Market, Quote
from trimtab.domain.orders import Side
from trimtab.drift.decision import decide
from trimtab.messages import OpenOrder, PortfolioState, Position, Risk, Signal
from trimtab.ports.topics import Record
from trimtab.settings import DriftSettings

D = Decimal
NOW_US = 1_700_000_000_000_000
SETTINGS = DriftSettings()
THRESHOLD: Mapping[str, object] = {"kind": "threshold", "absolute": "0.01"}
REGION: Mapping[str, object] = {"kind": "no_trade_region"}
RULES = Instrument(
    "binance", "BTC/USDT", "BTC", "USDT", D("0.01"), D("0.00001"), D("0.00001"), D(5), D("0.001"), D("0.001")
)


def market(mid: str = "60000", fee: str | None = None, at_us: int = NOW_US) -> Market:
    """A deep book around this mid; `fee` is what takers have been found to be charged."""
    rules = replace(RULES, charged_fee=None if fee is None else D(fee))
    levels = range(10)
    bids = tuple(Level(D(mid) - D("0.01") * (n + 1), D(10)) for n in levels)
    asks = tuple(Level(D(mid) + D("0.01") * (n + 1), D(10)) for n in levels)
    quote = Quote(rules, at_us, bids, asks)
    offset = -1 if fee is None else 4
    return Market(
        7, at_us, complete=True, instruments={rules.key: rules}, quotes={rules.key: quote}, costs_offset=offset
    )


def inputs(
    book: Market | None = None,
    btc: str = "0.9",
    variance: str = "0.25",
    policy: Mapping[str, object] = THRESHOLD,
    version: int = 5,
    *,
    in_flight: bool = False,
) -> Inputs:
    """A portfolio of half BTC, half cash that has 50,000 of cash."""
    document = {
        "portfolio": "core",
        "quote": "USDT",
        "accounts": ["core"],
        "targets": {"BTC": "0.5", "USDT": "0.5"},
        "policy": dict(policy),
        "limits": {"max_trade_share": "1"},
    }
    held = tuple(
        Position("core", "binance", asset, D(amount), D(0)) for asset, amount in (("BTC", btc), ("USDT", "50000"))
    )
    order = OpenOrder("p", "core", "BTC/USDT", "BTC", "USDT", Side.BUY, D("0.1"), D(60_000))
    state = PortfolioState(
        event_id="s",
        portfolio_id="core",
        ledger_version=version,
        event_time_us=NOW_US,
        document_version=1,
        document=canonical(document_of(document)),
        halted=False,
        reason="",
        not_before_us=0,
        positions=held,
        open_orders=(order,) if in_flight else (),
        recent_signals_us=(),
    )
    found = Risk("r", NOW_US, 5, "USDT", "test", 1_000, ("BTC",), (D(variance),), (D("0.25"),))
    return Inputs(book or market(), Record(found, "market.risk", 0, 3), state)


def signalled(stood_on: Inputs) -> Signal:
    """The signal that comes of these inputs."""
    portfolio = parse_document(stood_on.state.document, 1)
    found = decide(stood_on.market, stood_on.risk, stood_on.state, portfolio, SETTINGS)
    assert isinstance(found, Signal), f"these inputs come to {found.reason}"
    return found


@dataclass
class Side_:  # noqa: N801 - `Side` is the domain's
    """Implements comparison.Basis: what one side's signals stood on, and what it had when the other one signalled."""

    own: dict[int, Inputs] = field(default_factory=dict)
    nearby: Inputs | None = None
    waits: bool = False

    def of(self, given: Given) -> Inputs:
        return self.own[given.market_us]

    def near(self, given: Given) -> Inputs | None:
        del given
        return self.nearby

    def signalled_on(self, inputs: Inputs, before_us: int) -> bool:
        del inputs, before_us
        return self.waits


def an_order(name: str = "a", price: str = "60000.02", after_ms: int = 20, tif: str = "ioc", *fills: Done) -> Order:
    """An order for a tenth, so long after its signal's frame."""
    arrived_us = NOW_US + after_ms * 1_000
    return Order(name, "trade", "BTC/USDT", Side.BUY, tif, D("0.1"), D(price), arrived_us, fills)


def a_fill(price: str = "60000.01", quantity: str = "0.1", *, maker: bool = False) -> Done:
    return Done(D(price), D(quantity), maker, NOW_US)


def given(stood_on: Inputs, *orders: Order, at_us: int = NOW_US, dropped: str = "") -> Given:
    return Given(signalled(stood_on), at_us, orders, dropped)


def compared(
    one: tuple[Given, Inputs] | None,
    other: tuple[Given, Inputs] | None,
    *,
    retold: Retold | None = None,
    priced: Mapping[str, Priced | None] | None = None,
    pipeline: Side_ | None = None,
    engine: Side_ | None = None,
) -> Agreement:
    """Compare two courses of a signal at most; unless told otherwise the engine makes what the pipeline got."""
    mine, theirs = pipeline or Side_(), engine or Side_()
    if one is not None:
        mine.own[one[0].market_us] = one[1]
    if other is not None:
        theirs.own[other[0].market_us] = other[1]
    orders = [] if one is None else one[0].orders
    told = retold or Retold(fills={order.order_id: list(order.fills) for order in orders})
    for order in orders:
        told.answers.setdefault(order.order_id, Answer("60000/60000.01", ()))
    rows = rows_of([one[0]] if one else [], [other[0]] if other else [], Tolerance())
    return Comparison(mine, theirs, SETTINGS, Tolerance(), priced or {}, told).compare(rows)


def causes(found: Agreement, kind: Kind) -> list[list[str]]:
    """The names of the causes of each difference of a kind."""
    return [[cause.name for cause in each.causes] for each in found.differences if each.kind == kind]
