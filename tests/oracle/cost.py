"""One-way costs as fractions of the notional: `drift.costs` from its words."""

from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from oracle.rounding import nearest_count, root
from trimtab.domain.market import Quote
from trimtab.domain.orders import Side

YEAR_SECONDS = 365 * 24 * 3_600


def mid(quote: Quote) -> Fraction:
    """Return the middle of the best bid and ask."""
    return _mid(quote.bids[0].price, quote.asks[0].price)


def fee(quote: Quote) -> Decimal:
    """Return what a taker pays: what own fills say, or else what the venue does."""
    known = quote.instrument.charged_fee
    return quote.instrument.taker_fee if known is None else known


def at_touch(quote: Quote) -> Fraction:
    """Return fee and half spread."""
    return _touch(fee(quote), quote.bids[0].price, quote.asks[0].price)


@lru_cache(maxsize=64)
def _touch(fee: Decimal, bid: Decimal, ask: Decimal) -> Fraction:
    return Fraction(fee) + (Fraction(ask) - Fraction(bid)) / 2 / _mid(bid, ask)


@lru_cache(maxsize=64)
def _mid(bid: Decimal, ask: Decimal) -> Fraction:
    return (Fraction(bid) + Fraction(ask)) / 2


def impact(coefficient: Fraction, variance: Fraction, lifetime_seconds: int) -> Fraction:
    """Return what a trade as large as the visible depth moves the price: Y times a volatility of 18 decimals."""
    return coefficient * Fraction(nearest_count(root(variance * lifetime_seconds / YEAR_SECONDS)), 10**18)


def seen(quote: Quote, side: Side, quantity: Fraction) -> tuple[Fraction, Fraction, Fraction]:
    """Return what a book shows to an order for more than that: quantity, average price, last price; else nothing."""
    ladder = quote.asks if side is Side.BUY else quote.bids
    depth = sum(Fraction(level.quantity) for level in ladder)
    if quantity <= depth:
        return Fraction(0), Fraction(0), Fraction(0)
    paid = sum(Fraction(level.quantity) * Fraction(level.price) for level in ladder)
    return depth, paid / depth, Fraction(ladder[-1].price)


def of_trade(quote: Quote, side: Side, notional: Fraction, moved: Fraction) -> Fraction:
    """Return what trading `notional` at once costs: the ladder level by level, and past it the square-root law."""
    middle = mid(quote)
    if notional <= 0:
        return at_touch(quote)
    ladder = [
        (Fraction(level.price), Fraction(level.quantity)) for level in (quote.asks if side is Side.BUY else quote.bids)
    ]
    left, lost = notional / middle, Fraction(0)
    for price, quantity in ladder:
        taken = min(left, quantity)
        lost += taken * abs(price - middle)
        left -= taken
    if left > 0:
        depth = sum(quantity for _, quantity in ladder)
        lost += left * (abs(ladder[-1][0] - middle) + moved * root(left / depth) * middle)
    return Fraction(fee(quote)) + lost / notional
