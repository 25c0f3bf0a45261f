"""Plain thresholds and calendars: `drift.threshold` from its words."""

from collections.abc import Sequence
from fractions import Fraction

from oracle.bounds import Bounds
from oracle.cost import at_touch
from oracle.rounding import UNIT, nearest_count
from oracle.value import Worth
from oracle.verdict import Line, Verdict

NOTHING = Fraction(0)


def thresholds(worth: Worth, bounds: Bounds, reason: str, quote: str, paces: Sequence[int]) -> Verdict:
    """Return the verdict without its equity: once any weight is off, everything goes back to its target."""
    lines = (*_lines(worth, bounds, paces), cash_line(worth, quote, paces[-1], bounds.cash))
    if not bounds.reached(worth):
        return Verdict("within_band", lines=lines)
    off = drifted(worth)
    corrections = back(worth, off)
    if not corrections:
        return Verdict("instrument_not_tradable" if off else "within_band", lines=lines)
    return Verdict(reason, corrections=corrections, urgency=bounds.excess(worth, paces), lines=lines)


def drifted(worth: Worth) -> list[int]:
    """Return what is listed and off its target."""
    return [i for i, drift in enumerate(worth.drifts) if drift and worth.quotes[i] is not None]


def back(worth: Worth, places: Sequence[int]) -> tuple[tuple[str, Fraction], ...]:
    """Return what brings these to their targets, of what can be traded, the furthest first, then by name."""
    movable = [i for i in places if worth.quotes[i].instrument.tradable]
    movable.sort(key=lambda i: (-abs(worth.drifts[i]), worth.names[i]))
    return tuple((worth.names[i], Fraction(-worth.drifts[i], UNIT)) for i in movable)


def _lines(worth: Worth, bounds: Bounds, paces: Sequence[int]) -> list[Line]:
    return [
        Line(
            name,
            worth.weights[i],
            worth.targets[i],
            worth.drifts[i],
            worth.drifts[i],
            nearest_count(bounds.assets[i] or NOTHING),
            at_touch(worth.quotes[i]) if worth.quotes[i] else NOTHING,
            NOTHING,
            NOTHING,
            paces[i],
        )
        for i, name in enumerate(worth.names)
    ]


def cash_line(worth: Worth, quote: str, pace: int, bound: Fraction | None = None) -> Line:
    """Return the quote currency's own line; its drift counts where it has a bound."""
    drift, half = worth.cash_weight - worth.cash_target, nearest_count(bound or NOTHING)
    return Line(quote, worth.cash_weight, worth.cash_target, drift, drift if half else 0, half, *(NOTHING,) * 3, pace)
