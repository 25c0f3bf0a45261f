"""Drift velocity and what it adds to the urgency: `drift.velocity` from its words."""

from collections.abc import Sequence
from fractions import Fraction

from oracle.rounding import UNIT, counts, nearest
from oracle.value import Worth
from trimtab.messages import Risk


def paces(worth: Worth, risk: Risk | None) -> list[int]:
    """Return what prices have added to each drift, cash last, in counts of 1e-18.

    A weight is w_i e^m_i over the sum of all of them, cash with e^0; its derivative at m = 0 is what is asked for.
    """
    known = {}
    if risk is not None and risk.recent_returns:
        known = {asset: counts(change) for asset, change in zip(risk.assets, risk.recent_returns, strict=True)}
    moved = [known.get(name, 0) for name in worth.names]
    grown = sum(map(int.__mul__, worth.weights, moved))  # of the whole, in counts of 1e-36
    own = [nearest(w * (m * UNIT - grown), UNIT * UNIT) for w, m in zip(worth.weights, moved, strict=True)]
    return [*own, nearest(-worth.cash_weight * grown, UNIT * UNIT)]


def soon(drift: Fraction, pace: Fraction) -> Fraction:
    """Return how far off it is or, if it is on its way out, will be after as long again."""
    return max(abs(drift), abs(drift + pace)) if drift * pace > 0 else abs(drift)


def past(bound: Fraction, found: Sequence[Fraction]) -> list[Fraction]:
    """Return how far past its bound each is that is past it, from 0 towards 1."""
    return [1 - bound / size for size in found if size > bound]
