"""Refusals in Coinbase's words. A refusal is a status and a text; `code` is the status once more, for the journal.

Texts are those that clients of the exchange report; `funds is too small` is known of market orders and used for all.
"""

from decimal import Decimal

from trimtab.exchange import errors
from trimtab.exchange.coinbase.names import fixed
from trimtab.exchange.errors import VenueError


def refused(text: str, status: int = 400) -> VenueError:
    """Any refusal."""
    return VenueError(status, text, status)


def not_found() -> VenueError:
    """Nothing there: a path, a product, or an order that is asked for."""
    return refused("NotFound", 404)


def order_not_found() -> VenueError:
    """A cancellation of an order that is not there."""
    return refused("order not found", 404)


def already_done() -> VenueError:
    """A cancellation of an order that has ended."""
    return refused("Order already done")


def invalid(what: str) -> VenueError:
    """A value that is none."""
    return refused(f"Invalid {what}")


def too_accurate(what: str, unit: Decimal) -> VenueError:
    """An amount between two multiples of its increment."""
    return refused(f"{what} is too accurate. Smallest unit is {fixed(unit)}")


def too_small(what: str, least: Decimal) -> VenueError:
    """An amount below the least."""
    return refused(f"{what} is too small. Minimum size is {fixed(least)}")


def too_large(what: str, most: Decimal) -> VenueError:
    """An amount above the most."""
    return refused(f"{what} is too large. Maximum size is {fixed(most)}")


def product_not_found() -> VenueError:
    """An order on a product that is not listed."""
    return refused("Product not found")


def too_many_open() -> VenueError:
    """More open orders on a product than a profile may have. The text is not known."""
    return refused("Maximum number of open orders reached")


def unauthorized(text: str) -> VenueError:
    """A request that nobody may have sent: key, signature, timestamp or passphrase."""
    return refused(text, 401)


def rate_limited(whose: str) -> VenueError:
    """An address ("Public") or a profile ("Private") that asks too much."""
    return refused(f"{whose} rate limit exceeded", 429)


_TRANSLATED = {
    errors.insufficient_balance().text: refused("Insufficient funds"),
    errors.too_little_liquidity(empty=True).text: refused("Insufficient funds"),
    errors.too_little_liquidity(empty=False).text: refused("Insufficient funds"),
    errors.market_closed().text: refused("Cancel only mode"),
    errors.invalid_symbol().text: product_not_found(),
    errors.unknown_order().text: order_not_found(),
    errors.too_large().text: refused("request entity too large", 413),
    errors.illegal_bytes().text: refused("Bad Request"),
}


def translated(error: VenueError) -> VenueError:
    """A refusal of the venue behind all dialects, in Coinbase's words; others as they are."""
    return _TRANSLATED.get(error.text, error)


def is_post_only(error: VenueError) -> bool:
    """Whether an order was turned away because it would have taken: that is an answer of success, with a reason."""
    return error.text == errors.would_take().text
