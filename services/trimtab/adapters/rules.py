"""What a record must satisfy beyond its types: one declarative table per message.

A record that breaks a rule is absurd: no producer of ours can mean it, so acting on it would be wrong. The rules are
the weakest that still say so; what is merely unusual passes. A test holds every field named here against its dataclass.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from trimtab import messages as m
from trimtab.cost_rows import ChargedFee, PendingTrade
from trimtab.journal_rows import AppliedRisk, AppliedState, UnsentSignal

_YEAR_2000_US = 946_684_800_000_000
_YEAR_2100_US = 4_102_444_800_000_000
_VARIANCE_MAX = 10**9  # per year: prices that change a thousandfold an hour
_RETURN_MAX = 100  # log of a price that changes by 43 orders of magnitude
_COEFFICIENT_MAX = 1_000  # `drift.impact_coefficient` goes no further
_SUM_MAX = 10**12  # weighted sums over trades stay far below it
_LIFETIME_US_MAX = 86_400_000_000  # `drift.signal_lifetime_seconds` goes no further
# A plan trades an asset against cash at most once in each account, and each order between two assets ends one of them:
# 100 assets and 16 accounts, the most of a portfolio file, make 1,700. Some are added for what is held besides.
TRADES_MAX = 2_000
PENDING_MAX = 1_000  # drift follows a tenth of them


@dataclass(frozen=True, slots=True)
class Rule:
    """A predicate and, for people, what it allows."""

    holds: Callable[[Any], bool]
    allowed: str


def _sane_time(value: int) -> bool:
    return _YEAR_2000_US <= value < _YEAR_2100_US


def _ladder(value: tuple[int, ...]) -> bool:
    return not value or (len(value) % 2 == 0 and min(value) > 0)


def _falling(value: tuple[int, ...]) -> bool:
    prices = value[::2]
    return _ladder(value) and list(prices) == sorted(set(prices), reverse=True)


def _rising(value: tuple[int, ...]) -> bool:
    prices = value[::2]
    return _ladder(value) and list(prices) == sorted(set(prices))


def _covariance(risk: m.Risk) -> bool:
    """Tell whether it is a triangle, row by row, whose diagonal can be one."""
    size = len(risk.assets)
    if len(risk.covariance) != size * (size + 1) // 2:
        return False
    diagonal = (row * size - row * (row - 1) // 2 for row in range(size))
    return all(0 <= risk.covariance[place] <= _VARIANCE_MAX for place in diagonal)


def _grid(value: str) -> bool:
    try:
        grid = Decimal(value)
    except InvalidOperation:
        return False
    return grid.is_finite() and grid > 0


NOT_EMPTY = Rule(bool, "not empty")
NAMED = Rule(all, "no empty name in it")
POSITIVE = Rule(lambda value: value > 0, "more than 0")
NOT_NEGATIVE = Rule(lambda value: value >= 0, "0 or more")
OFFSET = Rule(lambda value: value >= -1, "an offset, or -1 for none")
FEE = Rule(lambda value: -1 < value < 1, "a fraction between -1 and 1")
COEFFICIENT = Rule(lambda value: 0 <= value <= _COEFFICIENT_MAX, f"a number from 0 to {_COEFFICIENT_MAX}")
SUM = Rule(lambda value: 0 <= value <= _SUM_MAX, f"0 to {_SUM_MAX}")
PART = Rule(lambda value: 0 < value < 1, "a fraction between 0 and 1")
SHARE = Rule(lambda value: 0 <= value <= 1, "a fraction from 0 to 1")
SLIPPAGE = Rule(lambda value: -1 <= value <= 1, "a fraction from -1 to 1")
TIME = Rule(_sane_time, "a time from the year 2000 to 2099, in microseconds")
TIME_OR_NONE = Rule(lambda value: value == 0 or _sane_time(value), f"0 or {TIME.allowed}")
TIMES = Rule(lambda value: all(map(_sane_time, value)), TIME.allowed)
BIDS = Rule(_falling, "pairs of price and quantity, all more than 0, prices falling")
ASKS = Rule(_rising, "pairs of price and quantity, all more than 0, prices rising")
GRID = Rule(_grid, "a decimal number more than 0")
WHOLE = Rule(lambda value: min(value, default=-1) >= 0 and sum(value) == 1, "weights of 0 or more that sum to 1")
OFFSETS = Rule(lambda value: min(value, default=0) >= 0, "offsets of 0 or more")
SORTED_NAMES = Rule(lambda value: all(value) and list(value) == sorted(set(value)), "names, sorted, each once")

FIELDS: Mapping[type, Mapping[str, Rule]] = {
    m.Tick: {
        "venue": NOT_EMPTY,
        "instrument": NOT_EMPTY,
        "trade_id": NOT_EMPTY,
        "event_time_us": TIME,
        "received_us": TIME,
        "tick": GRID,
        "step": GRID,
        "price": POSITIVE,
        "quantity": POSITIVE,
    },
    m.Book: {
        "venue": NOT_EMPTY,
        "instrument": NOT_EMPTY,
        "update_id": NOT_NEGATIVE,
        "event_time_us": TIME,
        "received_us": TIME,
        "tick": GRID,
        "step": GRID,
        "bids": BIDS,
        "asks": ASKS,
    },
    m.InstrumentRules: {
        "venue": NOT_EMPTY,
        "instrument": NOT_EMPTY,
        "base": NOT_EMPTY,
        "quote": NOT_EMPTY,
        "tick": POSITIVE,
        "step": POSITIVE,
        "min_quantity": NOT_NEGATIVE,
        "min_notional": NOT_NEGATIVE,
        "maker_fee": FEE,
        "taker_fee": FEE,
    },
    m.FrameQuote: {
        "venue": NOT_EMPTY,
        "instrument": NOT_EMPTY,
        "event_time_us": TIME_OR_NONE,  # none before its first book
        "update_id": NOT_NEGATIVE,
        "bids": BIDS,
        "asks": ASKS,
    },
    m.Frame: {"session": NOT_EMPTY, "sequence": NOT_NEGATIVE, "event_time_us": TIME},
    m.Risk: {
        "event_id": NOT_EMPTY,
        "event_time_us": TIME,
        "frame_offset": OFFSET,
        "quote": NOT_EMPTY,
        "method": NOT_EMPTY,
        "observations": NOT_NEGATIVE,
        "assets": SORTED_NAMES,
        "long_run_variance": Rule(lambda value: all(v >= 0 for v in value), "variances of 0 or more"),
        "recent_returns": Rule(
            lambda value: all(abs(v) <= _RETURN_MAX for v in value), f"log returns up to {_RETURN_MAX}"
        ),
    },
    ChargedFee: {
        "venue": NOT_EMPTY,
        "instrument": NOT_EMPTY,
        "stated": FEE,
        "fee": FEE,
        "fills": NOT_NEGATIVE,
        "notional": NOT_NEGATIVE,
    },
    PendingTrade: {
        "trade_id": NOT_EMPTY,
        "venue": NOT_EMPTY,
        "instrument": NOT_EMPTY,
        "event_time_us": TIME,
        "deadline_us": TIME,
        "quantity": POSITIVE,
        "decision_price": POSITIVE,
        "volatility": POSITIVE,
        "depth": PART,
        "depth_slippage": SLIPPAGE,
        "worst_slippage": SLIPPAGE,
        "taken": SHARE,
        "made": SHARE,
        "slippage": SLIPPAGE,
        "ledger_sequence": OFFSET,
    },
    m.Costs: {
        "event_id": NOT_EMPTY,
        "sequence": NOT_NEGATIVE,
        "previous_offset": OFFSET,
        "event_time_us": TIME,
        "frame_offset": OFFSET,
        "fills_offsets": OFFSETS,
        "signals_offsets": OFFSETS,
        "impact_coefficient": COEFFICIENT,
        "impact_prior": COEFFICIENT,
        "impact_trades": SUM,
        "impact_squares": SUM,
        "impact_taken": SUM,
        "impact_products": Rule(lambda value: abs(value) <= _SUM_MAX, f"-{_SUM_MAX} to {_SUM_MAX}"),
        "pending": Rule(lambda value: len(value) <= PENDING_MAX, f"at most {PENDING_MAX} trades"),
    },
    m.Targets: {
        "event_id": NOT_EMPTY,
        "portfolio_id": NOT_EMPTY,
        "document_version": NOT_NEGATIVE,
        "due_us": TIME,
        "event_time_us": TIME,
        "frame_offset": OFFSET,
        "risk_offset": OFFSET,
        "previous_offset": OFFSET,
        "method": NOT_EMPTY,
        "assets": SORTED_NAMES,
        "weights": WHOLE,
        "computed": WHOLE,
    },
    m.Position: {
        "account": NOT_EMPTY,
        "venue": NOT_EMPTY,
        "asset": NOT_EMPTY,
        "posted": NOT_NEGATIVE,
        "reserved": NOT_NEGATIVE,
    },
    m.OpenOrder: {
        "parent_id": NOT_EMPTY,
        "account": NOT_EMPTY,
        "instrument": NOT_EMPTY,
        "base": NOT_EMPTY,
        "quote": NOT_EMPTY,
        "leaves": NOT_NEGATIVE,
        "limit_price": POSITIVE,
    },
    m.PortfolioState: {
        "event_id": NOT_EMPTY,
        "portfolio_id": NOT_EMPTY,
        "ledger_version": NOT_NEGATIVE,
        "event_time_us": TIME_OR_NONE,  # none before the first market event that changed it
        "document_version": NOT_NEGATIVE,
        "document": NOT_EMPTY,
        "not_before_us": TIME_OR_NONE,
        "recent_signals_us": TIMES,
    },
    m.Trade: {
        "trade_id": NOT_EMPTY,
        "venue": NOT_EMPTY,
        "account": NOT_EMPTY,
        "instrument": NOT_EMPTY,
        "base": NOT_EMPTY,
        "quote": NOT_EMPTY,
        "quantity": POSITIVE,
        "decision_price": POSITIVE,
        "limit_price": POSITIVE,
        "volatility": NOT_NEGATIVE,
        "depends_on": NAMED,
        "depth": NOT_NEGATIVE,
        "depth_vwap": NOT_NEGATIVE,
        "depth_worst": NOT_NEGATIVE,
    },
    m.Term: {
        "asset": NOT_EMPTY,
        "half_band": NOT_NEGATIVE,
        "horizon_years": NOT_NEGATIVE,
    },
    m.Deferral: {"asset": NOT_EMPTY, "reason": NOT_EMPTY},
    m.Signal: {
        "signal_id": NOT_EMPTY,
        "portfolio_id": NOT_EMPTY,
        "ledger_version": NOT_NEGATIVE,
        "document_version": NOT_NEGATIVE,
        "frame_offset": OFFSET,
        "risk_offset": OFFSET,
        "event_time_us": TIME,
        "deadline_us": TIME,
        "policy": NOT_EMPTY,
        "urgency": NOT_NEGATIVE,
        "equity": NOT_NEGATIVE,
        "targets_offset": OFFSET,
        "costs_offset": OFFSET,
        "trades": Rule(lambda value: len(value) <= TRADES_MAX, f"at most {TRADES_MAX} trades"),
    },
    m.OrderEvent: {
        "event_id": NOT_EMPTY,
        "portfolio_id": NOT_EMPTY,
        "ledger_sequence": NOT_NEGATIVE,
        "parent_id": NOT_EMPTY,
        "client_order_id": NOT_EMPTY,
        "venue": NOT_EMPTY,
        "account": NOT_EMPTY,
        "instrument": NOT_EMPTY,
        "price": NOT_NEGATIVE,
        "quantity": POSITIVE,
        "filled": NOT_NEGATIVE,
        "event_time_us": TIME,
    },
    m.ParentEvent: {
        "event_id": NOT_EMPTY,
        "portfolio_id": NOT_EMPTY,
        "ledger_sequence": NOT_NEGATIVE,
        "signal_id": NOT_EMPTY,
        "parent_id": NOT_EMPTY,
        "quantity": NOT_NEGATIVE,
        "filled": NOT_NEGATIVE,
        "event_time_us": TIME,
    },
    m.Fill: {
        "event_id": NOT_EMPTY,
        "portfolio_id": NOT_EMPTY,
        "ledger_sequence": NOT_NEGATIVE,
        "venue": NOT_EMPTY,
        "account": NOT_EMPTY,
        "trade_id": NOT_EMPTY,
        "instrument": NOT_EMPTY,
        "base": NOT_EMPTY,
        "quote": NOT_EMPTY,
        "price": POSITIVE,
        "quantity": POSITIVE,
        "notional": NOT_NEGATIVE,
        "leaves_quantity": NOT_NEGATIVE,
        "parent_id": NOT_EMPTY,
        "client_order_id": NOT_EMPTY,
        "event_time_us": TIME,
    },
    AppliedRisk: {"quote": NOT_EMPTY, "offset": NOT_NEGATIVE},
    AppliedState: {
        "portfolio_id": NOT_EMPTY,
        "partition": NOT_NEGATIVE,
        "offset": OFFSET,
        "ledger_version": NOT_NEGATIVE,
        "targets_offset": OFFSET,
    },
    UnsentSignal: {"portfolio_id": NOT_EMPTY, "frame_offset": NOT_NEGATIVE},
    m.JournalEntry: {
        "event_id": NOT_EMPTY,
        "event_time_us": TIME,
        "worker": NOT_EMPTY,
        "number": NOT_NEGATIVE,
        "frame_offset": NOT_NEGATIVE,
        "settled_offset": OFFSET,
        "costs_offset": OFFSET,
    },
    m.Break: {
        "event_id": NOT_EMPTY,
        "venue": NOT_EMPTY,
        "account": NOT_EMPTY,
        "kind": NOT_EMPTY,
        "asset": NOT_EMPTY,
        "first_seen_us": TIME,
        "event_time_us": TIME,
    },
}

# Rules over several fields; the first field is the one an error names.
ACROSS: Mapping[type, Mapping[str, Rule]] = {
    m.Frame: {"rules": Rule(lambda frame: frame.full or not frame.rules, "none unless the frame is full")},
    m.Risk: {
        "covariance": Rule(
            _covariance,
            f"n (n + 1) / 2 numbers for n assets, variances from 0 to {_VARIANCE_MAX} a year",
        ),
        "long_run_variance": Rule(
            lambda risk: len(risk.long_run_variance) == len(risk.assets), "as many numbers as assets"
        ),
        "recent_returns": Rule(
            lambda risk: len(risk.recent_returns) in (0, len(risk.assets)), "none, or as many numbers as assets"
        ),
    },
    PendingTrade: {
        "deadline_us": Rule(
            lambda row: 0 < row.deadline_us - row.event_time_us <= _LIFETIME_US_MAX, "up to a day after the event"
        ),
        "taken": Rule(lambda row: row.taken + row.made <= 1, "with what was made no more than 1"),
    },
    m.Targets: {
        "weights": Rule(lambda targets: len(targets.weights) == len(targets.assets), "as many numbers as assets"),
        "computed": Rule(lambda targets: len(targets.computed) == len(targets.assets), "as many numbers as assets"),
    },
    m.Signal: {
        "deadline_us": Rule(
            lambda signal: 0 <= signal.deadline_us - signal.event_time_us <= _LIFETIME_US_MAX,
            "not before the event, nor more than a day after it",
        )
    },
    m.JournalEntry: {
        "settled_offset": Rule(lambda entry: entry.settled_offset < entry.frame_offset, "before the entry's own frame")
    },
    m.OrderEvent: {"filled": Rule(lambda event: event.filled <= event.quantity, "not above the quantity")},
}
