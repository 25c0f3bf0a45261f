"""What a failed request says about an order: refused, not placed, or unknown. Pure; the whole failure table is here.

Only the venue's own words count as evidence. A status of 5xx, a timeout, a reset, a cut or foreign answer says nothing
about whether the order was accepted, so all of them are unknown.
"""

from dataclasses import dataclass

from trimtab.ports.venue import Absent, NotPlaced, Refused, Unknown


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request brought no usable answer.

    Attributes:
        text: for people.
        status: HTTP status; None when no answer arrived.
        code: the venue's error code in the answer's body; None when it had none.
        message: the venue's text beside the code.
        retry_after_ms: the answer's Retry-After.
        sent: whether the request may have left this machine.

    """

    text: str
    status: int | None = None
    code: int | None = None
    message: str = ""
    retry_after_ms: int | None = None
    sent: bool = True


_TOO_MANY_REQUESTS = frozenset({418, 429})
_TOO_MANY_ORDERS = -1015  # of one account; a day's limit may last for hours, in which orders are still looked up
_TOO_MANY_CODES = frozenset({-1003, _TOO_MANY_ORDERS})
_CLOCK_SKEW = -1021
NO_SUCH_INSTRUMENT = -1121
_UNKNOWN_CODES = frozenset({-1000, -1001, -1006, -1007, -1008})
# No order is live on an instrument that is not there; what it may have filled before shows in the balances.
_ABSENT_CODES = frozenset({-2011, -2013, NO_SUCH_INSTRUMENT})
_DUPLICATE = "Duplicate order sent."

_RETRY_MS = {418: 120_000, 429: 1_000}  # where Retry-After is missing; Binance bans for two minutes at first
_RETRY_MS_DEFAULT = 1_000
_RETRY_MS_UNSENT = 250

# Binance tells filters and reasons apart only by text; first match wins.
_REFUSALS_BY_TEXT = (
    ("insufficient balance", "insufficient_balance"),
    ("immediately match and take", "would_cross"),
    ("Market is closed", "market_closed"),
    ("MARKET_LOT_SIZE", "lot_size"),
    ("LOT_SIZE", "lot_size"),
    ("PRICE_FILTER", "price_filter"),
    ("PERCENT_PRICE", "percent_price"),
    ("NOTIONAL", "notional"),
    ("MAX_NUM_ORDERS", "too_many_orders"),
    ("MAX_POSITION", "max_position"),
    ("Filter failure", "filter"),
    ("not permitted", "not_permitted"),
    ("not authorized", "not_permitted"),
    ("restricted", "not_permitted"),
    ("may not place", "not_permitted"),
)
_REFUSALS_BY_CODE = {
    -1002: "not_permitted",
    -1013: "filter",
    -1022: "not_permitted",
    -1111: "invalid_request",
    NO_SUCH_INSTRUMENT: "unknown_instrument",
    -2010: "rejected",
    -2014: "not_permitted",
    -2015: "not_permitted",
}
# Codes from here down to the end of the 11xx block name a fault in the request itself.
_REQUEST_FAULTS = range(-1199, -1099)


def place_answer(failure: Failure) -> Refused | NotPlaced | Unknown:
    """Say what a failed POST of an order means for the order."""
    if not failure.sent:
        return NotPlaced(failure.text, _RETRY_MS_UNSENT)
    if failure.status in _TOO_MANY_REQUESTS:
        return NotPlaced(failure.text, retry_after_ms(failure))
    if not _refuses(failure.status) or failure.code is None or failure.code in _UNKNOWN_CODES:
        return Unknown(failure.text)
    if failure.code in _TOO_MANY_CODES:
        return NotPlaced(failure.text, retry_after_ms(failure))
    if failure.code == _CLOCK_SKEW:
        return NotPlaced(failure.text, _RETRY_MS_DEFAULT)
    if _DUPLICATE in failure.message:
        return Unknown(f"an order with this client id is live: {failure.text}")
    refusal = _refusal(failure.code, failure.message)
    return Refused(refusal, failure.text) if refusal else Unknown(failure.text)


def lookup_answer(failure: Failure) -> Absent | Unknown:
    """Say what a failed look-up or cancel by client id means: the venue does not know the order, or nothing."""
    answered = failure.status is not None and failure.status < 500
    return Absent() if answered and failure.code in _ABSENT_CODES else Unknown(failure.text)


def silence_ms(failure: Failure) -> int | None:
    """Return for how long the venue wants no request at all from this address; None if it wants any.

    Too many orders of one account (429 as well) stop that account's orders, never its cancels and look-ups.
    """
    if failure.status not in _TOO_MANY_REQUESTS or failure.code == _TOO_MANY_ORDERS:
        return None
    return retry_after_ms(failure)


def retry_after_ms(failure: Failure) -> int:
    """Return how long the venue wants to be left alone; the venue's own word where it gave one."""
    if failure.retry_after_ms is not None:
        return failure.retry_after_ms
    return _RETRY_MS.get(failure.status or 0, _RETRY_MS_DEFAULT)


def _refuses(status: int | None) -> bool:
    """Tell whether a status is a refusal at all: only then a code in the body says what became of the request."""
    return status is not None and 400 <= status < 500


def _refusal(code: int, message: str) -> str | None:
    if code not in _REFUSALS_BY_CODE and code not in _REQUEST_FAULTS:
        return None
    for text, name in _REFUSALS_BY_TEXT:
        if text in message:
            return name
    return _REFUSALS_BY_CODE.get(code, "invalid_request")
