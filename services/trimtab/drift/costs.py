"""What a trade costs, one way, as a fraction of its notional.

Up to the visible depth the book itself says it. Past it the square-root law takes over, `Y s sqrt(Q / V)` (Toth et al.
2011; Donier & Bonart 2015 for Bitcoin), where `s` is the volatility and `V` the volume over one and the same time. The
recorded frames carry no traded volume, so the visible depth stands for the volume of one signal's lifetime, and `s` is
taken over that lifetime. The fee is the one that takers are charged, and Y the one that own fills have shown, as far as
they tell (fees.py, impact.py), else the stated one and the setting. What an order may spend at worst is reckoned with
the stated fee throughout, as the ledger reserves it.
"""

from dataclasses import dataclass
from decimal import Decimal

from trimtab.domain.amounts import ONE, ZERO, ceil_to, floor_to, quantise
from trimtab.domain.market import Market, Quote
from trimtab.domain.orders import Side
from trimtab.settings import DriftSettings

YEAR_SECONDS = Decimal(365 * 24 * 3_600)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the book shows on the side that an order takes: its depth (base), average price and last price; or zeros."""

    depth: Decimal
    vwap: Decimal
    worst: Decimal


def touch_cost(quote: Quote) -> Decimal:
    """Return the cost of a trade small enough for the touch: expected taker fee and half the spread."""
    bid, ask = quote.bids[0].price, quote.asks[0].price
    return quote.instrument.expected_fee + (ask - bid) / (ask + bid)


def trade_cost(quote: Quote, side: Side, notional: Decimal, impact: Decimal) -> Decimal:
    """Return the cost of trading `notional` (quote currency) at once: fee, half spread, and what it moves the book.

    `impact` is `Y s` of the square-root law for a quantity equal to the visible depth, a fraction of the price.
    """
    mid = quote.mid
    quantity = notional / mid
    if quantity <= 0:
        return touch_cost(quote)
    taken, value = quote.walk(side, quantity)
    paid = (value - taken * mid) * side.sign
    beyond = quantity - taken
    if beyond > 0:
        last = quote.opposite(side)[-1].price
        law = impact * (beyond / quote.depth(side)).sqrt()
        paid += beyond * ((last - mid) * side.sign + law * mid)
    return quote.instrument.expected_fee + paid / notional


def shown(quote: Quote, side: Side, quantity: Decimal) -> Shown:
    """Return what the book shows to an order that goes past all of it, to 18 decimals; zeros if it stays within."""
    depth = quote.depth(side)
    if quantity <= depth:
        return Shown(ZERO, ZERO, ZERO)
    _, value = quote.walk(side, depth)
    return Shown(quantise(depth), quantise(value / depth), quantise(quote.opposite(side)[-1].price))


def impact_coefficient(market: Market, settings: DriftSettings) -> Decimal:
    """Return Y: what own fills have shown, as far as the market brings it, else the setting."""
    return settings.impact_coefficient if market.impact_coefficient is None else market.impact_coefficient


def lifetime_volatility(variance: Decimal, lifetime_seconds: int) -> Decimal:
    """Return `s`, the volatility over a signal's lifetime, to 18 decimals; `variance` is per year."""
    return quantise((max(variance, ZERO) * lifetime_seconds / YEAR_SECONDS).sqrt())


def limit_price(quote: Quote, side: Side, budget_spreads: Decimal) -> Decimal:
    """Return the worst price a trade may have: the mid plus (buy) or minus (sell) the budget, in spreads.

    Rounded to the tick so that the budget is never exceeded, but always one tick through the touch: a budget under
    half a spread would forbid to cross at all, and the order could never be escalated.
    """
    tick = quote.instrument.tick
    budget = budget_spreads * quote.spread
    if side is Side.BUY:
        return max(floor_to(quote.mid + budget, tick), quote.ask + tick)
    return max(min(ceil_to(quote.mid - budget, tick), quote.bid - tick), tick)


def net(side: Side, price: Decimal, fee: Decimal) -> Decimal:
    """Return the cash one unit of base moves, fee included: paid for a buy, received for a sell."""
    return price * (ONE + fee * side.sign)
