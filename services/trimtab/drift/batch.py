"""Many portfolios held against one market at once, as arrays of binary floats: which of them certainly hold.

Nothing is decided in floats. They tell of a portfolio that it is clear of every bound, or that it has to be looked at
exactly. With u = 2^-53, U assets and k = (|cash| + sum |value|) / equity, a weight is computed with an error below
(U + 4) k u and an effective drift below (2 U + 8) k u R_i, where R_i is the sum of |A_ij| over the row (Higham 2002,
ch. 3). Up to `ASSETS_MAX` assets that is a thousandth of TOLERANCE k and TOLERANCE k R_i, by which a portfolio must be
clear.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Codes = NDArray[np.int8]

ASSETS_MAX = 1_000
TOLERANCE = 1e-9
_LEVERAGE_MAX = 1e3  # k above which nothing is said
# A slice of this many multiplications stays in the cache, and below the size at which BLAS starts threads of its own.
_SLICE_PRODUCTS = 200_000


@dataclass(frozen=True, slots=True)
class Prices:
    """One market, an entry an asset: mid (0 without a price), cost at the touch, code of the fault (0: none)."""

    mid: Floats
    cost: Floats
    fault: Codes
    listed: Flags


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at a market, an entry a portfolio.

    Attributes:
        fault: code of the first price that is needed and missing, 0 for none.
        sound: whether there is an equity to speak of.
        clear: whether it certainly is inside every bound.
        ratio: how far the worst asset is towards its bound, 1 at it; a measure, good to a few digits.

    """

    fault: Codes
    sound: Flags
    clear: Flags
    ratio: Floats


class Batch:
    """Holdings, targets and bounds, a row an asset and a column a portfolio; `count` of the columns are in use.

    Attributes:
        assets: names of the rows, sorted.
        quantities: projected holdings, in units of the asset.
        targets: fractions of equity.
        wanted: what a portfolio holds or has as a target, and so may need a price for.
        cash, cash_target: quote currency, fraction of equity.
        base, cash_base: bounds of |x| before volatility scales them; infinite where the policy has none.
        widening: what scales them: level at least, level at most, factor of the volatility; a column a portfolio.
        deviation, cash_deviation: bounds of |x| as they hold.
        cubed: the bound of |y|, cubed and over the cost; infinite where there is none, never above the exact one.
        effects: S_ij / S_ii in row i; one for all portfolios.

    """

    def __init__(self, assets: Sequence[str] = (), size: int = 0) -> None:
        shape = (len(assets), size)
        self.assets = tuple(assets)
        self.count = 0
        self.quantities: Floats = np.zeros(shape)
        self.targets: Floats = np.zeros(shape)
        self.wanted: Flags = np.zeros(shape, dtype=bool)
        self.cash: Floats = np.zeros(size)
        self.cash_target: Floats = np.zeros(size)
        self.base: Floats = np.full(shape, np.inf)
        self.cash_base: Floats = np.full(size, np.inf)
        self.widening: Floats = np.tile([[1.0], [1.0], [0.0]], size)
        self.deviation: Floats = np.full(shape, np.inf)
        self.cash_deviation: Floats = np.full(size, np.inf)
        self.cubed: Floats = np.full(shape, np.inf)
        self.effects: Floats = np.eye(len(assets))

    def grown(self, assets: Sequence[str], size: int) -> "Batch":
        """Return a batch with at least these assets and places; effects and scaled bounds are to be worked out anew."""
        larger = Batch(sorted({*self.assets, *assets}), max(size, self.cash.size))
        larger.count = used = self.count
        rows = [larger.assets.index(asset) for asset in self.assets]
        for name in ("quantities", "targets", "wanted", "base"):
            getattr(larger, name)[rows, :used] = getattr(self, name)[:, :used]
        for name in ("cash", "cash_target", "cash_base"):
            getattr(larger, name)[:used] = getattr(self, name)[:used]
        larger.widening[:, :used] = self.widening[:, :used]
        return larger

    def move(self, source: int, target: int) -> None:
        """Write one portfolio's column over another's."""
        tables = (self.quantities, self.targets, self.wanted, self.base, self.deviation, self.cubed, self.widening)
        for table in tables:
            table[:, target] = table[:, source]
        for row in (self.cash, self.cash_target, self.cash_base, self.cash_deviation):
            row[target] = row[source]

    def widen(self, levels: Floats, volatility: Floats, part: slice) -> None:
        """Scale the bounds of |x|; `levels` (volatility over its usual) and `volatility` have an entry an asset.

        A bound that can be reached (k is at most a thousand) is that way good to a millionth of TOLERANCE.
        """
        low, high, factor = self.widening[:, part]
        targets = self.targets[:, part]
        scale = np.clip(levels[:, None], low, high) * (1 + volatility[:, None] * factor)
        total = targets.sum(axis=0)
        mean = np.divide((scale * targets).sum(axis=0), total, out=np.ones_like(total), where=total > 0)
        self.deviation[:, part] = self.base[:, part] * scale
        self.cash_deviation[part] = self.cash_base[part] * mean

    def look(self, prices: Prices, *, ratios: bool = False) -> Seen:
        """Hold every portfolio against a market; the ratios are left zero unless they are asked for."""
        sound, clear, ratio = np.zeros(self.count, bool), np.zeros(self.count, bool), np.zeros(self.count)
        for part in self._slices():
            sound[part], clear[part], ratio[part] = self._part(prices, part, ratios=ratios)
        return Seen(self._faults(prices), sound, clear, ratio)

    def _slices(self) -> Iterator[slice]:
        step = max(_SLICE_PRODUCTS // max(len(self.assets), 1) ** 2, 1)
        return (slice(start, min(start + step, self.count)) for start in range(0, self.count, step))

    def _part(self, prices: Prices, part: slice, *, ratios: bool) -> tuple[Flags, Flags, Floats | float]:
        cash, values = self.cash[part], self.quantities[:, part] * prices.mid[:, None]
        equity = cash + values.sum(axis=0)
        gross = np.abs(cash) + np.abs(values).sum(axis=0)
        sound = (equity > 0) & (gross < _LEVERAGE_MAX * equity)
        safe = np.where(sound, equity, 1.0)
        slack = TOLERANCE * gross / safe
        drifts = values / safe - self.targets[:, part]
        off, cash_off = np.abs(drifts), np.abs(cash / safe - self.cash_target[part])
        clear = sound & (cash_off + slack < self.cash_deviation[part])
        clear &= (off + slack < self.deviation[:, part]).all(axis=0)
        towards: list[Floats] = []
        if np.isfinite(self.cubed[:, part]).any():  # else no policy here looks at assets together
            effective, bound = np.abs(self.effects @ drifts), self.cubed[:, part] * prices.cost[:, None]
            reach = effective + slack * np.abs(self.effects).sum(axis=1)[:, None]
            clear &= (reach * reach * reach < bound * (1 - TOLERANCE)).all(axis=0)
            if ratios:
                with np.errstate(divide="ignore", invalid="ignore"):
                    towards.append(np.nan_to_num(effective / np.cbrt(bound)))
        if not ratios:
            return sound, clear, 0.0
        towards += [_over(off, self.deviation[:, part]), _over(cash_off, self.cash_deviation[part])[None]]
        return sound, clear, np.where(sound, np.concatenate(towards).max(axis=0), 0.0)

    def _faults(self, prices: Prices) -> Codes:
        if not prices.fault.any():
            return np.zeros(self.count, dtype=np.int8)
        needed = self.wanted & (prices.listed[:, None] | (self.targets != 0))
        bad = (needed & (prices.fault != 0)[:, None])[:, : self.count]
        return np.where(bad.any(axis=0), prices.fault[bad.argmax(axis=0)], 0).astype(np.int8)


def _over(drifts: Floats, bounds: Floats) -> Floats:
    """Return how far drifts are towards their bounds; 0 where a calendar leaves them no room to go."""
    return np.asarray(np.divide(drifts, bounds, out=np.zeros_like(drifts), where=bounds > 0))
