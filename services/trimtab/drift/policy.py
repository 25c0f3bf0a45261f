"""The one interface of every policy: look at a portfolio, say which weights should change, and why."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from trimtab.domain.amounts import ONE, ZERO, quantise
from trimtab.domain.market import Quote
from trimtab.drift.holdings import View
from trimtab.drift.reasons import Reason
from trimtab.messages import Term


@dataclass(frozen=True, slots=True)
class Correction:
    """How far one asset's weight should move, as a fraction of equity: negative is a sale."""

    asset: str
    change: Decimal


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a policy says of a portfolio.

    Attributes:
        reason: why to trade, or without corrections why not.
        corrections: most urgent first; empty means hold.
        room: how far each asset could be sold beyond its correction without leaving its landing band, the one that
            most wants to go down first; buys that cash cannot pay are funded from here.
        urgency: 0 to 1, how far past its bound the worst asset is, or will soon be (velocity.py).
        terms: one per asset, cash last.

    """

    reason: Reason
    corrections: tuple[Correction, ...] = ()
    room: tuple[Correction, ...] = ()
    urgency: Decimal = ZERO
    terms: tuple[Term, ...] = ()


class Rule(Protocol):
    """A policy made ready for one portfolio and one risk estimate. Runs under the caller's decimal context."""

    def breached(self, view: View) -> bool:
        """Tell whether any bound is passed. The common answer is no, and this is the cheap way to it."""

    def assess(self, view: View) -> Assessment:
        """Say what should change, with every term, whether or not a bound is passed."""


def excess(bound: Decimal, found: Decimal) -> Decimal:
    """Return how far `found` is past `bound`, from 0 (not) towards 1 (infinitely)."""
    return max(ONE - bound / found, ZERO) if found > 0 else ZERO


def tradable(quote: Quote | None) -> bool:
    """Tell whether the instrument exists and its venue takes orders for it."""
    return quote is not None and quote.instrument.tradable


def cash_term(view: View, quote: str, velocity: Decimal, bound: Decimal | None = None) -> Term:
    """Return the quote currency's own line: no risk of its own, and no band but a threshold's bound on its drift."""
    drift = quantise(view.cash_weight - view.cash_target)
    half = quantise(bound or ZERO)
    effective = drift if half else ZERO
    weight, target = quantise(view.cash_weight), quantise(view.cash_target)
    return Term(quote, weight, target, drift, effective, half, *(ZERO,) * 3, velocity)
