"""Why a portfolio is not traded now, and why it is: stable codes, one each."""

from enum import StrEnum


class Reason(StrEnum):
    """Codes of holds, in the order in which they are looked at, then of signals and of what these leave undone."""

    MARKET_INCOMPLETE = "market_incomplete"  # no full frame since the start, a new session or a gap
    HALTED = "halted"
    TARGETS_MISSING = "targets_missing"  # its file names a method, and nothing was worked out by it yet
    ORDERS_IN_FLIGHT = "orders_in_flight"
    NOT_BEFORE = "not_before"  # the executor refused the last signal and asked for a pause
    OUTSIDE_WINDOW = "outside_window"
    COOLDOWN = "cooldown"
    SIGNALS_PER_HOUR = "signals_per_hour"
    NOT_DUE = "not_due"  # a calendar's time has not come, or was acted on
    MISSING_PRICE = "missing_price"
    EMPTY_BOOK = "empty_book"
    CROSSED_BOOK = "crossed_book"
    STALE_PRICE = "stale_price"
    EQUITY_NOT_POSITIVE = "equity_not_positive"
    RISK_MISSING = "risk_missing"
    WITHIN_BAND = "within_band"
    COST_ABOVE_BENEFIT = "cost_above_benefit"
    INSTRUMENT_NOT_TRADABLE = "instrument_not_tradable"
    BELOW_MINIMUM_TRADE = "below_minimum_trade"
    INSUFFICIENT_FUNDS = "insufficient_funds"  # no account has enough of what would have to be spent

    BAND_EXCEEDED = "band_exceeded"
    MAX_DEVIATION = "max_deviation"
    THRESHOLD_REACHED = "threshold_reached"
    CALENDAR_DUE = "calendar_due"
    BENEFIT_ABOVE_COST = "benefit_above_cost"

    MAX_TRADE_SHARE = "max_trade_share"  # of an asset: the rest follows with the next signal
