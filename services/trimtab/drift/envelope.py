"""The no-trade region from inside: for many portfolios at once, bounds that are never above the exact ones.

The exact ones are `bands`'. With loads L = w* (A_i - A_i w*) the flow D_i = L S L' is a sum of U^2 products of four
rounded factors, so its error is below (2 U + 12) u times the sum of their absolute values (Higham 2002, ch. 3);
`_DOUBT` is a thousandfold that at `batch.ASSETS_MAX` assets, and is taken off before the bound is built. The traces in
k are such sums too: tr(G C) = w' (G o S) w - 2 (w o S w)' G w + w' S w w' G w, with G = P, and G = S P^-1 V made
symmetric. How far off that inverse may be is not foreseen but found: with Z for the inverse of Q and R = I - Q Z, it is
below |Z| |R| / (1 - |R|) in the row sum norm (Higham 2002, ch. 14), the rounding of R itself and of Q added. Of an
estimate that is no covariance, with correlations beyond 1, nothing is certain.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.drift.bands import OWN_PART, WIDTH_CUBED_MAX
from trimtab.drift.batch import Flags, Floats
from trimtab.messages import Risk

_DOUBT = 1e-9
_ROUNDINGS = 200  # of an element of Q, in units of eps; the root of 1 - r^2 magnifies its own by 1 / (2 OWN_PART)^(1/2)
_SCALE = 1e-17  # the exact bound's own constants are rounded to 18 decimals


@dataclass(frozen=True, slots=True)
class Estimate:
    """A risk estimate over a batch's assets; `covariance`, its diagonal raised, is zero where nothing is known."""

    covariance: Floats
    effects: Floats
    known: Flags

    @classmethod
    def of(cls, risk: Risk, assets: tuple[str, ...]) -> "Estimate":
        """Spread a published estimate (upper triangle, row by row) over these assets."""
        size = len(risk.assets)
        full = np.zeros((size, size))
        full[np.triu_indices(size)] = [float(value) for value in risk.covariance]
        full = full + np.triu(full, 1).T
        place = {asset: index for index, asset in enumerate(risk.assets)}
        known = np.array([asset in place for asset in assets], dtype=bool)
        rows = np.array([place.get(asset, 0) for asset in assets], dtype=int)
        covariance = full[np.ix_(rows, rows)] * np.outer(known, known) if size else np.zeros((len(assets),) * 2)
        variance = np.diag(covariance) * (1 + float(OWN_PART))
        np.fill_diagonal(covariance, variance)
        return cls(covariance, _effects(covariance), known)

    def cubed(self, targets: Floats, aversion: Floats, reach: Floats) -> Floats:
        """Return what the cube of |y| over the cost certainly may be, by asset and portfolio.

        `targets` has a column a portfolio, `aversion` and `reach` (trigger times scale) an entry; without an aversion
        (nan) there is no bound, nor for an asset without variance.
        """
        bounds = np.full(targets.shape, np.inf)
        regions = np.flatnonzero(~np.isnan(aversion))
        weights = targets[:, regions]
        means, sizes = self.effects @ weights, np.abs(self.effects) @ weights
        magnitude = np.abs(self.covariance)
        moved, moving = np.zeros(regions.size), np.flatnonzero(np.diag(self.covariance) > 0)
        for i in moving:
            loads = weights * (self.effects[i][:, None] - means[i])
            flow = ((self.covariance @ loads) * loads).sum(axis=0)
            gross = weights * (np.abs(self.effects[i])[:, None] + sizes[i])
            doubt = _DOUBT * ((magnitude @ gross) * gross).sum(axis=0)
            moved += np.where(weights[i] > 0, self.covariance[i, i] * (flow + doubt), 0)
            factor = 3 * reach[regions] ** 3 / (2 * aversion[regions] * self.covariance[i, i])
            bounds[i, regions] = factor * np.maximum(flow - doubt, 0)
        width = self._width(weights, moved) if self._proper() else 0.0
        certain = bounds[np.ix_(moving, regions)] * width * (1 - _DOUBT)
        bounds[np.ix_(moving, regions)] = np.maximum(certain - _SCALE, 0)
        return bounds

    def _proper(self) -> bool:
        variance = np.diag(self.covariance)
        others = self.covariance**2 * (1 - np.eye(variance.size))
        return bool((others <= np.outer(variance, variance) * (1 - float(OWN_PART))).all())

    def _width(self, weights: Floats, moved: Floats) -> Floats:
        """Return what k^3 certainly is at least; `moved` is its sum of S_ii D_i, from above."""
        found = np.zeros(moved.size)
        patterns, group = np.unique((weights > 0).T, axis=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            columns = np.flatnonzero(group.ravel() == number)
            rows = np.flatnonzero(pattern & (np.diag(self.covariance) > 0))
            found[columns] = self._width_alike(rows, weights[np.ix_(rows, columns)], moved[columns])
        return found

    def _width_alike(self, rows: NDArray[np.intp], weights: Floats, moved: Floats) -> Floats:
        """Return it for portfolios that want the same assets."""
        covariance, effects = self.covariance[np.ix_(rows, rows)], self.effects[np.ix_(rows, rows)]
        volatility = np.sqrt(np.diag(covariance))
        scale = np.outer(volatility, volatility)
        traded, gross = _trace(covariance, effects * np.diag(covariance)[:, None], weights)
        traded = np.maximum(traded - _DOUBT * gross, 0)
        try:
            inverse, error = _inverse(effects * volatility[:, None] / volatility)
        except np.linalg.LinAlgError:
            return np.zeros_like(moved)
        rest = covariance / scale @ inverse * scale
        left, gross = _trace(covariance, (rest + rest.T) / 2, weights)
        _, most = _trace(covariance, scale, weights)
        doubt = _DOUBT * gross + error * rows.size * most
        product = moved * (left + doubt)
        certain = np.divide(traded**2, product, out=np.zeros_like(moved), where=product > 0) * (1 - _DOUBT)
        return np.asarray(np.minimum(certain, float(WIDTH_CUBED_MAX)))


def _effects(covariance: Floats) -> Floats:
    """Return A; no row for an asset without variance."""
    variance = np.diag(covariance)
    product, moving = np.outer(variance, variance), np.outer(variance > 0, variance > 0)
    square = np.divide(covariance**2, product, out=np.zeros_like(covariance), where=moving)
    shared = variance[:, None] * (1 + np.sqrt(np.maximum(1 - square, 0)))
    effects: Floats = np.divide(covariance, shared, out=np.zeros_like(covariance), where=moving)
    np.fill_diagonal(effects, np.where(variance > 0, 1.0, 0.0))
    return effects


def _inverse(matrix: Floats) -> tuple[Floats, float]:
    """Return a matrix's inverse and how far off any of its elements may be."""
    found = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
    rounding = (
        (matrix.shape[0] + _ROUNDINGS) * np.finfo(float).eps * np.linalg.norm(np.abs(matrix) @ np.abs(found), np.inf)
    )
    rest = rounding + np.linalg.norm(np.eye(matrix.shape[0]) - matrix @ found, np.inf)
    size = float(np.linalg.norm(found, np.inf))
    return found, float(size * rest / (1 - rest)) if rest < 1 else np.inf


def _trace(covariance: Floats, matrix: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return tr(G C) of each portfolio, and the sum of its terms' absolute values."""
    shared, weighted = covariance @ weights, matrix @ weights
    whole, total = (shared * weights).sum(axis=0), (weighted * weights).sum(axis=0)
    found = (((matrix * covariance) @ weights) * weights).sum(axis=0) - 2 * (shared * weights * weighted).sum(axis=0)
    sizes, weighted_sizes = np.abs(covariance) @ weights, np.abs(matrix) @ weights
    gross = (np.abs(matrix * covariance) @ weights * weights).sum(axis=0)
    gross += 2 * (sizes * weights * weighted_sizes).sum(axis=0)
    gross += (sizes * weights).sum(axis=0) * (weighted_sizes * weights).sum(axis=0)
    return found + whole * total, gross
