"""Why a portfolio is not traded now, and why it is: stable codes, one each."""

from collections.abc import Mapping
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


MEANINGS: Mapping[Reason, str] = {
    Reason.MARKET_INCOMPLETE: "a frame was missed; until the next full one nobody knows the whole market",
    Reason.HALTED: "it is halted, by itself or by a kill switch",
    Reason.TARGETS_MISSING: "its file names a method, and no targets were worked out by it yet",
    Reason.ORDERS_IN_FLIGHT: "orders of its last signal are still out",
    Reason.NOT_BEFORE: "its last signal was refused, with a pause before the next one",
    Reason.OUTSIDE_WINDOW: "its file allows no trading at this time",
    Reason.COOLDOWN: "its cooldown after the last accepted signal is not over",
    Reason.SIGNALS_PER_HOUR: "it had as many signals within the hour as its file allows",
    Reason.NOT_DUE: "its calendar's time has not come, or was acted on",
    Reason.MISSING_PRICE: "a price that it needs is not there",
    Reason.EMPTY_BOOK: "a book that it needs has no bids or no asks",
    Reason.CROSSED_BOOK: "a book that it needs has bids at or above its asks",
    Reason.STALE_PRICE: "a price that it needs is too old",
    Reason.EQUITY_NOT_POSITIVE: "it is worth nothing, so it has no weights",
    Reason.RISK_MISSING: "there is no estimate of risk yet that its policy can use",
    Reason.WITHIN_BAND: "every asset is inside its band",
    Reason.COST_ABOVE_BENEFIT: "correcting the drift costs more than it is worth",
    Reason.INSTRUMENT_NOT_TRADABLE: "the venue does not let what it would trade be traded",
    Reason.BELOW_MINIMUM_TRADE: "what it would trade is too small for the venue or its file",
    Reason.INSUFFICIENT_FUNDS: "no account has enough of what would have to be spent",
    Reason.BAND_EXCEEDED: "an asset is past the trigger of its band, and correcting it is worth its cost",
    Reason.MAX_DEVIATION: "an asset is past its hard outer bound",
    Reason.THRESHOLD_REACHED: "a drift has reached its bound",
    Reason.CALENDAR_DUE: "its calendar's time has come",
    Reason.BENEFIT_ABOVE_COST: "a drift has reached its bound, and correcting it is worth its cost",
    Reason.MAX_TRADE_SHARE: "one trade may be no larger a part of the portfolio",
}
"""Each code in words: why it holds, trades, or leaves something undone."""
