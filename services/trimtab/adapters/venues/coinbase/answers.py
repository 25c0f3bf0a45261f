"""What a failed request to Coinbase says about an order: refused, not placed, or unknown. Pure.

Only the venue's own words count as evidence: a status of 4xx with a text. Whatever else happens, the order may be live.
"""

from uuid import UUID

from trimtab.adapters.venues.answers import Failure, retry_after_ms
from trimtab.ports.venue import Absent, NotPlaced, Refused, Unknown

_TOO_MANY_REQUESTS, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TIMED_OUT = 429, 401, 403, 404, 408
_EXPIRED = "request timestamp expired"
_GONE = frozenset({"NotFound", "order not found"})

_WRONG_KEY = frozenset({"invalid api key", "invalid signature", "invalid passphrase"})

_RETRY_MS = 1_000
_RETRY_MS_UNSENT = 250

# Coinbase has texts and no codes; first match wins.
_REFUSALS_BY_TEXT = (
    ("insufficient funds", "insufficient_balance"),
    ("size is too small", "lot_size"),
    ("size is too large", "lot_size"),
    ("size is too accurate", "lot_size"),
    ("price is too accurate", "price_filter"),
    ("price too small", "price_filter"),
    ("price too precise", "price_filter"),
    ("funds is too small", "notional"),
    ("product not found", "unknown_instrument"),
    ("trading pair not available", "market_closed"),
    ("cancel only mode", "market_closed"),
    ("limit only mode", "market_closed"),
    ("post only mode", "market_closed"),
    ("open orders", "too_many_orders"),
)


def place_answer(failure: Failure) -> Refused | NotPlaced | Unknown:
    """Say what a failed POST of an order means for the order."""
    if not failure.sent:
        return NotPlaced(failure.text, _RETRY_MS_UNSENT)
    if failure.status == _TOO_MANY_REQUESTS:
        return NotPlaced(failure.text, retry_after_ms(failure))
    if not _refuses(failure):
        return Unknown(failure.text)
    if _EXPIRED in failure.message:
        return NotPlaced(failure.text, _RETRY_MS)
    return Refused(_refusal(failure), failure.text)


def lookup_answer(failure: Failure) -> Absent | Unknown:
    """Say what a failed look-up or cancel means: there is no such order, or it ended without a trade; or nothing.

    "Order already done" is said of one that traded: how much, a look-up has to tell.
    """
    gone = failure.status == _NOT_FOUND and failure.message in _GONE
    return Absent() if gone else Unknown(failure.text)


def names_an_order(answer: object) -> bool:
    """Tell whether the answer of a cancellation is one of success: the id that the order was named by."""
    try:
        return isinstance(answer, str) and bool(UUID(answer.strip().strip('"')))
    except ValueError:
        return False


def lists_no_such_product(failure: Failure) -> bool:
    """Tell whether the venue says that it does not have what was asked for."""
    return failure.status == _NOT_FOUND and failure.message in _GONE


def is_wrong_key(failure: Failure) -> bool:
    """Tell whether the venue says that key, secret or passphrase is wrong, which no later request will change."""
    return failure.status == _UNAUTHORIZED and failure.message.lower() in _WRONG_KEY


def rejection(reason: str) -> Refused:
    """Say what an order means that was answered with success, and rejected."""
    return Refused("would_cross" if reason == "post only" else "rejected", f"rejected: {reason}")


def _refuses(failure: Failure) -> bool:
    status = failure.status
    return status is not None and 400 <= status < 500 and status != _TIMED_OUT and bool(failure.message)


def _refusal(failure: Failure) -> str:
    if failure.status in {_UNAUTHORIZED, _FORBIDDEN}:
        return "not_permitted"
    said = failure.message.lower()
    return next((name for text, name in _REFUSALS_BY_TEXT if text in said), "invalid_request")
