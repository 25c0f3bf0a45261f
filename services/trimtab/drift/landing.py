"""Bringing several drifted assets back to the edges of their bands at once, exactly.

The changes d of the active assets' weights minimise

    (x + d)' P (x + d) / 2 + sum of edge_i P_ii |d_i|,   within bounds

which is to land: a traded asset ends on the edge of the side it came from, never beyond, and an untraded one inside.
The sum is convex and quadratic on pieces, where each change is free on one side of zero or fixed, at zero or a bound.
This goes from piece to piece as an active set method does (Nocedal & Wright 2006, 16.5): to the minimum over the free
changes, or to where the first of them meets zero or its bound and is fixed; at a minimum, the fixed change with the
most to gain is freed.

It ends: `_RIDGE` on the diagonal of A makes the sum strictly convex, also for assets that cannot be told apart. A freed
change has the only slope at the minimum it leaves, so once what stands in its way is fixed, of which there is less with
every step, the next minimum is lower. So no piece comes twice, and pieces are finitely many.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal

from trimtab.domain.amounts import ONE, ZERO, quantise
from trimtab.drift.equations import Equations

# Moves an edge by so much of a change; a weight is good to 1e-18, an instrument's step is far above both.
_RIDGE = Decimal("1e-14")
# Slopes below this are rounding.
_FLAT = Decimal("1e-24")
# Never met: an asset is freed or fixed about twice at most. What was reached would be within bounds all the same.
_PIECES_PER_ASSET_MAX = 50


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far one weight may move, as fractions of equity; `lowest` <= `highest`."""

    lowest: Decimal
    highest: Decimal

    def clamp(self, change: Decimal) -> Decimal:
        return max(self.lowest, min(change, self.highest))


@dataclass(frozen=True, slots=True)
class _Side:
    """One side of zero on which a change is free: how far it goes, and the drift that it leads to."""

    lowest: Decimal
    highest: Decimal
    drift: Decimal


class Landing:
    """Where weights and effective drifts are after the changes of the assets activated so far.

    `changes` are good to 18 decimals, `effective` are the drifts after them. `effects` has P_ij / P_ii in row i, with P
    symmetric and positive semidefinite. Runs under the caller's decimal context.
    """

    def __init__(
        self,
        effective: Sequence[Decimal],
        effects: Sequence[Sequence[Decimal]],
        edges: Sequence[Decimal],
        bounds: Sequence[Bounds],
    ) -> None:
        self.changes = [ZERO] * len(effective)
        self.effective = list(effective)
        self._alone, self._effects, self._edges, self._bounds = effective, effects, edges, bounds
        self._exact = [ZERO] * len(effective)
        self._active: list[int] = []
        self._free: dict[int, _Side] = {}  # in the order of the equations
        self._equations = Equations()

    def activate(self, index: int) -> None:
        """Let one more asset's weight change, and bring all active ones to where they land together."""
        self._active.append(index)
        self._exact[index] = self._bounds[index].clamp(ZERO)
        with suppress(ArithmeticError):  # P has a direction that goes down for ever: it came from no covariance
            self._land(index)
        self._settle()

    def _land(self, index: int) -> None:
        while self._exact[index] and not self._advance():
            pass
        for _ in range(_PIECES_PER_ASSET_MAX * len(self._active)):
            gain = max(self._gains(), key=lambda found: (found[0], -found[1]), default=None)
            if gain is None:
                return
            self._release(gain[1], gain[2])
            while not self._advance():
                pass

    def _advance(self) -> bool:
        """Move towards the minimum over what is free; tell whether it was reached."""
        wanted = self._minimum()
        first, part = None, ONE
        for i, side in self._free.items():
            end = side.lowest if wanted[i] < side.lowest else side.highest if wanted[i] > side.highest else None
            if end is None:
                continue
            share = (end - self._exact[i]) / (wanted[i] - self._exact[i])
            if first is None or share < part:
                first, part = i, share
        for i, side in self._free.items():
            reached = self._exact[i] + part * (wanted[i] - self._exact[i])
            self._exact[i] = max(side.lowest, min(reached, side.highest))
        if first is None:
            return True
        side = self._free[first]
        self._exact[first] = side.lowest if wanted[first] < side.lowest else side.highest
        self._fix(first)
        return False

    def _minimum(self) -> dict[int, Decimal]:
        fixed = [j for j in self._active if j not in self._free and self._exact[j]]
        right = [
            side.drift - self._alone[i] - sum((self._effects[i][j] * self._exact[j] for j in fixed), ZERO)
            for i, side in self._free.items()
        ]
        return dict(zip(self._free, self._equations.solve(right), strict=True))

    def _gains(self) -> Iterator[tuple[Decimal, int, _Side]]:
        """Yield what each fixed change would gain at first, if it may move, and on which side."""
        for i in self._active:
            if i in self._free:
                continue
            change, edge, bound = self._exact[i], self._edges[i], self._bounds[i]
            drift = self._alone[i] + sum((self._effects[i][j] * self._exact[j] for j in self._active), _RIDGE * change)
            sales = _Side(bound.lowest, min(bound.highest, ZERO), edge)
            buys = _Side(max(bound.lowest, ZERO), bound.highest, -edge)
            down, up = (buys if change > 0 else sales), (sales if change < 0 else buys)
            if change > bound.lowest and drift - down.drift > _FLAT:
                yield drift - down.drift, i, down
            if change < bound.highest and up.drift - drift > _FLAT:
                yield up.drift - drift, i, up

    def _release(self, index: int, side: _Side) -> None:
        row, before = self._effects[index], list(self._free)
        self._equations.extend([row[j] for j in before], [self._effects[j][index] for j in before], row[index] + _RIDGE)
        self._free[index] = side

    def _fix(self, index: int) -> None:
        del self._free[index]
        rest, self._free, self._equations = self._free, {}, Equations()
        for i, side in rest.items():
            self._release(i, side)

    def _settle(self) -> None:
        for i in self._active:
            step = quantise(self._exact[i]) - self.changes[i]
            if step:
                self.changes[i] += step
                self.effective = [v + row[i] * step for v, row in zip(self.effective, self._effects, strict=True)]
