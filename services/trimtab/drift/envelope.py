"""The no-trade region from inside: for many portfolios at once, bounds that are never above the exact ones.

With loads L = w* (A_i - A_i w*) the flow D_i = L S L' is a sum of U^2 products of four rounded factors, so its error is
below (2 U + 12) u times the sum of their absolute values (Higham 2002, ch. 3); `_DOUBT` is a thousandfold that at
`batch.ASSETS_MAX` assets, and is taken off before the bound is built.
"""

from dataclasses import dataclass

import numpy as np

from trimtab.drift.batch import Flags, Floats
from trimtab.messages import Risk

_DOUBT = 1e-9
_SCALE = 1e-17  # the exact bound's own constants are rounded to 18 decimals


@dataclass(frozen=True, slots=True)
class Estimate:
    """A risk estimate over a batch's assets; `covariance` is zero where nothing is known of an asset."""

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
        variance = np.diag(covariance)
        effects = np.divide(covariance, variance[:, None], out=np.zeros_like(covariance), where=variance[:, None] > 0)
        return cls(covariance, effects, known)

    def cubed(self, targets: Floats, aversion: Floats, reach: Floats) -> Floats:
        """Return what the cube of |y| over the cost certainly may be, by asset and portfolio.

        `targets` has a column a portfolio, `aversion` and `reach` (trigger times k) an entry; without an aversion (nan)
        there is no bound, nor for an asset without variance.
        """
        bounds = np.full(targets.shape, np.inf)
        regions = np.flatnonzero(~np.isnan(aversion))
        weights = targets[:, regions]
        means, sizes = self.effects @ weights, np.abs(self.effects) @ weights
        magnitude = np.abs(self.covariance)
        for i in np.flatnonzero(np.diag(self.covariance) > 0):
            loads = weights * (self.effects[i][:, None] - means[i])
            flow = ((self.covariance @ loads) * loads).sum(axis=0)
            gross = weights * (np.abs(self.effects[i])[:, None] + sizes[i])
            flow -= _DOUBT * ((magnitude @ gross) * gross).sum(axis=0)
            factor = 3 * reach[regions] ** 3 / (2 * aversion[regions] * self.covariance[i, i])
            bounds[i, regions] = np.maximum(factor * np.maximum(flow, 0) * (1 - _DOUBT) - _SCALE, 0)
        return bounds
