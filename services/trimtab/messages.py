"""One frozen dataclass per Avro record: what travels on trimtab's topics.

The schemas under `schemas/` are the contract with other systems; a test holds the two together. Types map to Avro so:
`Decimal` is `decimal(38,18)` bytes, `int` is `long`, `str` is `string`, a tuple is an array, another dataclass is a
record, a StrEnum is a `string` in the enum's values. Times end in `_us` and are UTC microseconds since 1970
(`timestamp-micros`).
"""

from dataclasses import dataclass
from decimal import Decimal

from trimtab.cost_rows import ChargedFee, PendingTrade
from trimtab.domain.orders import Liquidity, OrderKind, OrderState, ParentState, Side, TimeInForce
from trimtab.journal_rows import AppliedRisk, AppliedState, UnsentSignal


@dataclass(frozen=True, slots=True)
class Tick:
    """market.ticks: one public trade. Price and quantity count `tick`s and `step`s."""

    venue: str
    instrument: str
    trade_id: str
    event_time_us: int
    received_us: int
    tick: str
    step: str
    price: int
    quantity: int
    aggressor: Side


@dataclass(frozen=True, slots=True)
class Book:
    """market.books: the top of one book after a venue update. Ladders are (price, quantity) pairs laid flat."""

    venue: str
    instrument: str
    update_id: int
    event_time_us: int
    received_us: int
    tick: str
    step: str
    bids: tuple[int, ...]
    asks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class InstrumentRules:
    """Trading rules of one instrument, carried by full frames. Fees are fractions of the notional."""

    venue: str
    instrument: str
    base: str
    quote: str
    tick: Decimal
    step: Decimal
    min_quantity: Decimal
    min_notional: Decimal
    maker_fee: Decimal
    taker_fee: Decimal
    tradable: bool


@dataclass(frozen=True, slots=True)
class FrameQuote:
    """One changed instrument inside a frame; ladders as in Book, at most ten levels a side."""

    venue: str
    instrument: str
    event_time_us: int
    update_id: int
    bids: tuple[int, ...]
    asks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """market.frames: every instrument that changed since the last frame; a full frame names all of them.

    `sequence` counts one ingest process's frames without a gap; `session` names that process, so that a restart shows.
    `rules` is empty unless the frame is full.
    """

    session: str
    sequence: int
    event_time_us: int
    full: bool
    rules: tuple[InstrumentRules, ...]
    quotes: tuple[FrameQuote, ...]


@dataclass(frozen=True, slots=True)
class Risk:
    """market.risk: the covariance of log returns per year, as estimated up to a frame.

    `assets` are sorted; `covariance` is the upper triangle row by row, length n (n + 1) / 2, in units of 1 / year.
    `long_run_variance` is the diagonal's long-run level, in the order of `assets`. So are `recent_returns`, log returns
    over the last three sampled intervals, 0 where nothing is known; empty in records of before there were any.
    """

    event_id: str
    event_time_us: int
    frame_offset: int
    quote: str
    method: str
    observations: int
    assets: tuple[str, ...]
    covariance: tuple[Decimal, ...]
    long_run_variance: tuple[Decimal, ...]
    recent_returns: tuple[Decimal, ...] = ()


@dataclass(frozen=True, slots=True)
class Costs:
    """market.costs: what trading costs, refit from own fills up to a frame; each record holds everything.

    It goes on from the record at `previous_offset` (-1 is none), with those of execution.fills and rebalance.signals
    that came after its `fills_offsets` and `signals_offsets` and before these: the next offset of each partition. Of
    records with the same `sequence` only the first one counts. `fees` are sorted by venue, instrument and liquidity.

    `impact_coefficient` is Y of the square-root law; it is drawn towards `impact_prior`, the setting, as long as trades
    past the visible depth are few. The other `impact_` sums (drift/impact.py) are over those that have settled, each
    weighted with its age: number, x^2, x of what was ordered times that of what was taken, and x z. All are 0 in
    records of before Y was refit. `pending` trades, sorted by deadline and id, are not in the sums yet.
    """

    event_id: str
    sequence: int
    previous_offset: int
    event_time_us: int
    frame_offset: int
    fills_offsets: tuple[int, ...]
    fees: tuple[ChargedFee, ...]
    signals_offsets: tuple[int, ...] = ()
    impact_coefficient: Decimal = Decimal(0)
    impact_prior: Decimal = Decimal(0)
    impact_trades: Decimal = Decimal(0)
    impact_squares: Decimal = Decimal(0)
    impact_taken: Decimal = Decimal(0)
    impact_products: Decimal = Decimal(0)
    pending: tuple[PendingTrade, ...] = ()


@dataclass(frozen=True, slots=True)
class Targets:
    """portfolio.targets: weights worked out for a portfolio whose file names a method instead of weights.

    `due_us` is the time of its schedule that they answer, `event_time_us` that of the frame at which they were made.
    `assets` are sorted and cash, the quote currency, is one of them; `weights` count, `computed` are what they were
    before smoothing; both are fractions of equity in the order of `assets` and sum to 1. They are smoothed from the
    record at `previous_offset`; -1 is none.
    """

    event_id: str
    portfolio_id: str
    document_version: int
    due_us: int
    event_time_us: int
    frame_offset: int
    risk_offset: int
    previous_offset: int
    method: str
    assets: tuple[str, ...]
    weights: tuple[Decimal, ...]
    computed: tuple[Decimal, ...]


@dataclass(frozen=True, slots=True)
class Position:
    """What one portfolio has of one asset in one venue account; available is posted minus reserved."""

    account: str
    venue: str
    asset: str
    posted: Decimal
    reserved: Decimal


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """A parent order that is not settled yet, with what it still expects to fill (base)."""

    parent_id: str
    account: str
    instrument: str
    base: str
    quote: str
    side: Side
    leaves: Decimal
    limit_price: Decimal


@dataclass(frozen=True, slots=True)
class PortfolioState:
    """portfolio.state: a portfolio as the ledger knows it, after every change of it.

    `document` is the applied portfolio file as canonical JSON. A signal cites `ledger_version`; none is wanted before
    `not_before_us` (event time). `recent_signals_us` are the event times of accepted signals within the last hour.
    """

    event_id: str
    portfolio_id: str
    ledger_version: int
    event_time_us: int
    document_version: int
    document: str
    halted: bool
    reason: str
    not_before_us: int
    positions: tuple[Position, ...]
    open_orders: tuple[OpenOrder, ...]
    recent_signals_us: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Trade:
    """One trade of a signal. `depends_on` names the trades of the same signal whose proceeds fund it.

    Its quote need not be the portfolio's: ETH/BTC changes one asset into another without cash. An order for more than
    the book shows says what it shows on the side that is taken: `depth` in base, the average price `depth_vwap` of
    taking all of it, and the last price, `depth_worst`. In any other order these are 0.
    """

    trade_id: str
    venue: str
    account: str
    instrument: str
    base: str
    quote: str
    side: Side
    quantity: Decimal
    decision_price: Decimal
    limit_price: Decimal
    volatility: Decimal
    depends_on: tuple[str, ...]
    depth: Decimal = Decimal(0)
    depth_vwap: Decimal = Decimal(0)
    depth_worst: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Term:
    """Why: one asset's numbers at the decision, all fractions of equity unless said otherwise.

    `half_band` is on the effective drift for the no-trade region, on the drift itself for thresholds; `cost` is the
    one-way proportional cost of the trade; `benefit` what correcting it is worth over `horizon_years`. `velocity` is
    what prices have added to the drift over the last three sampled intervals of the risk estimate.
    """

    asset: str
    weight: Decimal
    target: Decimal
    drift: Decimal
    effective_drift: Decimal
    half_band: Decimal
    cost: Decimal
    benefit: Decimal
    horizon_years: Decimal
    velocity: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Deferral:
    """One asset that a signal's trades do not bring all the way, and the code of what stood in the way."""

    asset: str
    reason: str


@dataclass(frozen=True, slots=True)
class Signal:
    """rebalance.signals: advice to trade one portfolio, decided on exactly one frontier. Never an order.

    `targets_offset` is that of the targets in portfolio.targets; -1 if the portfolio's file has the weights itself.
    `costs_offset` is that of the costs in market.costs; -1 if fees were taken as the venue states them.
    """

    signal_id: str
    portfolio_id: str
    ledger_version: int
    document_version: int
    frame_offset: int
    risk_offset: int
    event_time_us: int
    deadline_us: int
    policy: str
    reason: str
    urgency: Decimal
    equity: Decimal
    trades: tuple[Trade, ...]
    terms: tuple[Term, ...]
    deferred: tuple[Deferral, ...] = ()
    targets_offset: int = -1
    costs_offset: int = -1


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """execution.orders: a child order took a step. `event_time_us` is the venue's time where it gave one."""

    event_id: str
    portfolio_id: str
    ledger_sequence: int
    signal_id: str
    parent_id: str
    client_order_id: str
    venue_order_id: str
    venue: str
    account: str
    instrument: str
    side: Side
    kind: OrderKind
    time_in_force: TimeInForce
    state: OrderState
    price: Decimal
    quantity: Decimal
    filled: Decimal
    reason: str
    event_time_us: int
    dry_run: bool


@dataclass(frozen=True, slots=True)
class ParentEvent:
    """execution.parents: a parent order took a step; `reason` says why it closed."""

    event_id: str
    portfolio_id: str
    ledger_sequence: int
    signal_id: str
    parent_id: str
    state: ParentState
    quantity: Decimal
    filled: Decimal
    reason: str
    event_time_us: int
    dry_run: bool


@dataclass(frozen=True, slots=True)
class Fill:
    """execution.fills: one execution, once per (venue, account, trade id), in ledger order per portfolio.

    `quantity` and `leaves_quantity` (what is left of the child order) are base, `notional` is quote, `fee` is in
    `fee_asset`. `ledger_sequence` rises with every event of the portfolio.
    """

    event_id: str
    portfolio_id: str
    ledger_sequence: int
    venue: str
    account: str
    trade_id: str
    instrument: str
    base: str
    quote: str
    side: Side
    price: Decimal
    quantity: Decimal
    notional: Decimal
    fee: Decimal
    fee_asset: str
    liquidity: Liquidity
    leaves_quantity: Decimal
    signal_id: str
    parent_id: str
    client_order_id: str
    venue_order_id: str
    event_time_us: int
    dry_run: bool


@dataclass(frozen=True, slots=True)
class Break:
    """reconciliation.breaks: ledger and venue differed. `portfolio_id` is empty while it is the account's as a whole.

    `kind`: missed_fill, fee, external_transfer, external_trade, dust, unknown_order, unexplained. `difference` is
    venue minus ledger in `asset`. `resolution` says what was done; empty while it is open.
    """

    event_id: str
    portfolio_id: str
    venue: str
    account: str
    kind: str
    asset: str
    ledger: Decimal
    at_venue: Decimal
    difference: Decimal
    first_seen_us: int
    event_time_us: int
    resolution: str
    detail: str


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """drift.journal: from the frame at `frame_offset` on, `worker` decides with these records, until it says otherwise.

    A worker numbers its entries from 0 without a gap; entry 0 names the first frame it has seen. `risks` (sorted by
    quote currency) and `costs_offset` (-1 is none) are all it has, `states` (sorted) only what has changed. Whatever it
    signalled on frames up to `settled_offset` is on rebalance.signals, but for what it says is `unsent`.
    """

    event_id: str
    event_time_us: int
    worker: str
    number: int
    frame_offset: int
    settled_offset: int
    costs_offset: int
    risks: tuple[AppliedRisk, ...]
    states: tuple[AppliedState, ...]
    unsent: tuple[UnsentSignal, ...]


Message = (
    Tick
    | Book
    | Frame
    | Risk
    | Costs
    | Targets
    | PortfolioState
    | Signal
    | OrderEvent
    | ParentEvent
    | Fill
    | Break
    | JournalEntry
)
