"""Bringing several drifted assets back to the edges of their bands at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from trimtab.domain.amounts import ZERO, quantise

# Weights are good to a step of the instrument; this is far below one.
_TOLERANCE = Decimal("1e-11")
_SWEEPS_MAX = 300


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far one weight may move, as fractions of equity; `lowest` <= `highest`."""

    lowest: Decimal
    highest: Decimal

    def clamp(self, change: Decimal) -> Decimal:
        return max(self.lowest, min(change, self.highest))


def land(
    effective: Sequence[Decimal],
    changes: Sequence[Decimal],
    effects: Sequence[Sequence[Decimal]],
    edges: Sequence[Decimal],
    bounds: Sequence[Bounds],
    active: Sequence[int],
) -> tuple[list[Decimal], list[Decimal]]:
    """Return (change of each weight, effective drift afterwards) that brings the active assets inside their edges.

    The changes d minimise (x + d)' S (x + d) / 2 + sum of edge_i S_ii |d_i| over the active assets, within bounds, by
    coordinate descent with soft thresholds (Friedman et al. 2007): a traded asset ends on the edge of the side it came
    from, never beyond, and an untraded one inside. `effects` has S_ij / S_ii in row i. The descent begins at `changes`,
    with which the drifts are `effective`; where it begins only saves time.
    """
    after, changes = list(effective), list(changes)
    for _ in range(_SWEEPS_MAX):
        moved = ZERO
        for i in active:
            change = quantise(bounds[i].clamp(_soft(after[i] - changes[i], edges[i])))
            step = change - changes[i]
            if step:
                changes[i] = change
                after = [value + row[i] * step for value, row in zip(after, effects, strict=True)]
                moved = max(moved, abs(step))
        if moved <= _TOLERANCE:
            break
    return changes, after


def _soft(alone: Decimal, edge: Decimal) -> Decimal:
    """Return the change that brings an effective drift (without its own change) to the nearer edge."""
    if alone > edge:
        return edge - alone
    return -edge - alone if alone < -edge else ZERO
