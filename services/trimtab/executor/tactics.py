"""What to do next with one parent order: a pure function of the order, the book and the event time.

Limit first: a child rests inside the spread. It crosses when waiting costs more than crossing, judged by the chance of
a passive fill in the time that is left; and never past the signal's slippage budget.
"""

import math
from dataclasses import dataclass
from decimal import Decimal

from trimtab.domain.amounts import ZERO, ceil_to, floor_to
from trimtab.domain.instruments import Instrument
from trimtab.domain.market import Quote
from trimtab.domain.orders import ChildOrder, OrderKind, ParentOrder, ParentState, Side, TimeInForce
from trimtab.ports.ledger import WorkItem
from trimtab.settings import ExecutorSettings

_YEAR_US = 365 * 24 * 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class Place:
    """Send a child order: quantity in base, price in quote per base, both on the instrument's grids."""

    kind: OrderKind
    time_in_force: TimeInForce
    quantity: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class Cancel:
    """Take the live child back."""

    reason: str


@dataclass(frozen=True, slots=True)
class Fund:
    """Everything that funds this parent has settled: reserve and begin to work."""


@dataclass(frozen=True, slots=True)
class Close:
    """Place nothing more for this parent."""

    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do on this frame, and why."""

    reason: str


Move = Place | Cancel | Fund | Close | Wait


def next_move(
    item: WorkItem, quote: Quote | None, now_us: int, unsettled: frozenset[str], settings: ExecutorSettings
) -> Move:
    """Return the next move for a parent.

    Args:
        item: the parent and its latest child.
        quote: the instrument's book at the latest frame, None if there is none.
        now_us: that frame's event time.
        unsettled: ids of the portfolio's parents that are not released; funds from them are not there yet.
        settings: limits of the tactics.
    """
    parent, child = item.parent, item.child
    if parent.state is ParentState.CLOSED:
        return Wait("settling")
    if item.halted:
        return withdraw(item, "halted")
    if child is not None and not child.state.terminal:
        return _tend(parent, child, quote, now_us, settings)
    if child is not None and child.recorded < child.filled:
        return Wait("fills_missing")
    if parent.leaves == 0:
        return Close("filled")
    if now_us >= parent.deadline_us:
        return Close("deadline")
    if parent.state is ParentState.WAITING and unsettled & set(parent.depends_on):
        return Wait("funding")
    if quote is None or quote.fault():
        return Wait("no_book")
    return Fund() if parent.state is ParentState.WAITING else _place(parent, quote, now_us, settings)


def withdraw(item: WorkItem, reason: str) -> Move:
    """Return the next move towards having nothing of a parent at the venue: cancel, hear of it, close."""
    child = item.child
    if child is None or (child.state.terminal and child.recorded >= child.filled):
        return Close(reason)
    if child.state.terminal:
        return Wait("fills_missing")
    return Wait("venue_answer") if child.state.unsettled or child.cancel_requested else Cancel(reason)


def _tend(parent: ParentOrder, child: ChildOrder, quote: Quote | None, now_us: int, settings: ExecutorSettings) -> Move:
    if child.state.unsettled or child.cancel_requested:
        return Wait("venue_answer")
    if now_us >= parent.deadline_us:
        return Cancel("deadline")
    if quote is None or quote.fault():
        return Wait("no_book")
    if now_us - child.placed_us < settings.rest_seconds_min * 1_000_000:
        return Wait("resting")
    if crossing_pays(parent, quote, now_us, settings):
        return Cancel("escalate")
    if passive_price(parent, quote) != child.price:
        return Cancel("reprice")
    return Wait("resting")


def _place(parent: ParentOrder, quote: Quote, now_us: int, settings: ExecutorSettings) -> Move:
    instrument = quote.instrument
    crossing = crossing_pays(parent, quote, now_us, settings)
    if crossing and not _within_budget(parent, quote):
        return Wait("beyond_budget")
    price = _on_grid(parent, parent.limit_price, instrument) if crossing else passive_price(parent, quote)
    smallest = smallest_quantity(instrument, price)
    if parent.leaves < smallest:
        return Close("remainder_below_minimum")
    cap = settings.depth_share_max * quote.depth(parent.side)
    quantity = floor_to(min(parent.leaves, cap), instrument.step)
    if quantity < smallest:
        return Wait("thin_book")
    if parent.leaves - quantity < smallest:
        # What would be left could not be traded by itself; it goes out with this slice.
        quantity = floor_to(parent.leaves, instrument.step)
    return Place(OrderKind.LIMIT, TimeInForce.IOC if crossing else TimeInForce.GTC, quantity, price)


def passive_price(parent: ParentOrder, quote: Quote) -> Decimal:
    """Return mid plus (buy) or minus (sell) a quarter spread, on the tick grid's passive side, within the budget.

    Towards the market, so that the order leads the queue without paying the spread.
    """
    reach = quote.spread / 4 * parent.side.sign
    wanted = quote.mid + reach
    bounded = min(wanted, parent.limit_price) if parent.side is Side.BUY else max(wanted, parent.limit_price)
    return _on_grid(parent, bounded, quote.instrument)


def crossing_pays(parent: ParentOrder, quote: Quote, now_us: int, settings: ExecutorSettings) -> bool:
    """Tell whether taking now is cheaper than resting.

    Resting saves the fee difference and the spread when it is filled; when it is not, the market has moved away. For a
    price without drift, stopped at the touch of a level d away, optional stopping gives E[move | no fill] = d p / (1 -
    p); to it comes what the parent's urgency charges for the standard deviation of the time that is left. The chance
    of a touch is p = erfc(d / (sigma sqrt(2 tau))) (reflection principle). As the horizon closes p goes to zero and
    crossing wins by the rule itself.
    """
    horizon_us = min(parent.deadline_us, parent.decided_us + int(settings.patience_seconds * 1_000_000))
    left_us = horizon_us - now_us
    if left_us <= 0:
        return True
    mid = float(quote.mid)
    deviation = float(parent.volatility) * mid * math.sqrt(left_us / _YEAR_US)
    if deviation == 0:
        return False
    touch = quote.ask if parent.side is Side.BUY else quote.bid
    distance = abs(float(touch - passive_price(parent, quote)))
    chance = math.erfc(distance / (deviation * math.sqrt(2)))
    fees = float(quote.instrument.taker_fee - quote.instrument.maker_fee) * mid
    saved = chance * (fees + float(quote.spread))
    risked = distance * chance + (1 - chance) * float(parent.urgency) * deviation
    return saved < risked


def smallest_quantity(instrument: Instrument, price: Decimal) -> Decimal:
    """Return the least quantity (base) that the instrument's filters accept at this price."""
    by_notional = ceil_to(instrument.min_notional / price, instrument.step)
    return max(instrument.min_quantity, by_notional, instrument.step)


def _within_budget(parent: ParentOrder, quote: Quote) -> bool:
    return quote.ask <= parent.limit_price if parent.side is Side.BUY else quote.bid >= parent.limit_price


def _on_grid(parent: ParentOrder, price: Decimal, instrument: Instrument) -> Decimal:
    rounded = floor_to if parent.side is Side.BUY else ceil_to
    return max(rounded(price, instrument.tick), instrument.tick)


def fundable(parent: ParentOrder, available: Decimal, step: Decimal) -> tuple[Decimal, Decimal]:
    """Return (quantity, reserve): what these funds allow of a parent, and what to set aside for it.

    A sell reserves base, a buy the quote it costs at its worst price. A quantity of zero means: not fundable.
    """
    if parent.side is Side.SELL:
        quantity = min(parent.quantity, floor_to(max(available, ZERO), step))
        return quantity, quantity
    quantity = min(parent.quantity, floor_to(max(available, ZERO) / parent.limit_price, step))
    return quantity, quantity * parent.limit_price
