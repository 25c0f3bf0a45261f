"""What comes out of a decision, of the oracle's as of the fast path's."""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Line:
    """One asset's numbers: counts of 1e-18, those that no rounding precedes as fractions of 1."""

    asset: str
    weight: int
    target: int
    drift: int
    effective: int
    half: int
    cost: Fraction
    benefit: Fraction
    horizon: Fraction
    velocity: int


@dataclass(frozen=True)
class Verdict:
    """A reason, and what stands behind it.

    Attributes:
        reason: code of `drift.reasons`.
        blame: the instrument without a price.
        equity: in quote currency; 0 where nobody asked for it.
        corrections: (asset, change of weight) in the order in which they are wanted; empty means to hold.
        room: (asset, change) that could be sold besides.
        urgency: 0 to 1.
        lines: one per asset, cash last; empty where nothing was looked at closely.

    """

    reason: str
    blame: str = ""
    equity: Fraction = Fraction(0)
    corrections: tuple[tuple[str, Fraction], ...] = ()
    room: tuple[tuple[str, Fraction], ...] = ()
    urgency: Fraction = Fraction(0)
    lines: tuple[Line, ...] = ()
