"""Bands by the formulas of `drift.bands`: A, D and k over all assets of a market, one vector of targets at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

from oracle.rounding import FINE, UNIT, nearest, nearest_count, solved

OWN = 10_000  # an asset's own part is one in so many of its variance
WIDEST = 8  # k^3


@dataclass(frozen=True)
class Moves:
    """A risk estimate over some assets: covariance per year with its diagonal raised, in units of 1e-18 / OWN, and A.

    `effects` counts 1e-18; an asset without variance has a row and a column of its own.
    """

    assets: tuple[str, ...]
    covariance: tuple[tuple[int, ...], ...]
    effects: tuple[tuple[int, ...], ...]

    def variance(self, i: int) -> Fraction:
        return Fraction(self.covariance[i][i], UNIT * OWN)

    def dead(self, i: int) -> bool:
        return self.covariance[i][i] <= 0


def moves(assets: Sequence[str], covariance: Mapping[tuple[str, str], int]) -> Moves:
    """Return S, raised, and A; `covariance` counts 1e-18 and lacks what nothing is known of."""
    raised = tuple(tuple(covariance.get((a, b), 0) * (OWN + (a == b)) for b in assets) for a in assets)
    effects = tuple(tuple(_effect(raised, i, j) for j in range(len(assets))) for i in range(len(assets)))
    return Moves(tuple(assets), raised, effects)


def _effect(raised: Sequence[Sequence[int]], i: int, j: int) -> int:
    if i == j:
        return UNIT
    shared, own, other = raised[i][j], raised[i][i], raised[j][j]
    if not shared or own <= 0 or other <= 0:
        return 0
    alone = max(own * other - shared * shared, 0)  # (1 - r^2) S_ii S_jj
    lasting = isqrt(alone * FINE * FINE // (own * other))
    return nearest(shared * UNIT * FINE, own * (FINE + lasting))


def flows(found: Moves, targets: Sequence[int]) -> list[int]:
    """Return k^3 D_i in units of 1e-18, zero for an asset without variance; `targets` count 1e-18."""
    size = range(len(targets))
    spread = _spread(found, targets)
    drifts = []
    for row in found.effects:
        loads = [sum(row[j] * spread[j][m] for j in size) for m in size]
        drifts.append(max(sum(loads[m] * row[m] for m in size), 0))
    cubed = _width_cubed(found, targets, spread, drifts)
    scale = UNIT**2 * UNIT**5 * OWN  # of A C A'
    return [
        0 if found.dead(i) else nearest(drifts[i] * cubed.numerator * UNIT, scale * cubed.denominator) for i in size
    ]


def _spread(found: Moves, targets: Sequence[int]) -> list[list[int]]:
    """Return C = M S M' in units of 1e-90 / OWN, where M = diag(w) - w w'."""
    size = range(len(targets))
    pull = [[(UNIT * (i == j) - targets[j]) * targets[i] for j in size] for i in size]  # 1e-36
    half = [[sum(pull[i][m] * found.covariance[m][j] for m in size) for j in size] for i in size]
    return [[sum(half[i][m] * pull[j][m] for m in size) for j in size] for i in size]


def _width_cubed(
    found: Moves, targets: Sequence[int], spread: Sequence[Sequence[int]], drifts: Sequence[int]
) -> Fraction:
    """Return k^3 = tr(P C)^2 / (sum S_ii D_i  tr(S P^-1 V C)) of what is wanted and moves, 8 at most; else 1."""
    wanted = [i for i, weight in enumerate(targets) if weight > 0 and not found.dead(i)]
    covariance, effects = found.covariance, found.effects
    traded = sum(covariance[i][i] * effects[i][j] * spread[j][i] for i in wanted for j in wanted)
    moved = sum(covariance[i][i] * drifts[i] for i in wanted)
    inverse = solved(
        [[effects[i][j] for j in wanted] for i in wanted], [[spread[i][j] for i in wanted] for j in wanted]
    )
    if inverse is None:
        return Fraction(1)
    columns, shared = inverse
    total = sum(covariance[j][i] * columns[q][p] for p, i in enumerate(wanted) for q, j in enumerate(wanted))
    left = Fraction(total, shared)
    if moved <= 0:
        return Fraction(1)
    if left <= 0:
        return Fraction(WIDEST)
    return min(Fraction(traded * traded) / (moved * left * UNIT), Fraction(WIDEST))  # A's units: two above, one below


def cube(flow: int, aversion: Fraction, variance: Fraction) -> int:
    """Return 3 k^3 D / (2 g S_ii), h's cube over the cost, in units of 1e-18."""
    return nearest_count(Fraction(3 * flow, UNIT) / (2 * aversion * variance))
