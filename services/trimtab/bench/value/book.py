"""Many portfolios' weights in arrays, moved by a market and by trades, with what both cost them."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RISK_AVERSION = 3.0
COST = 12e-4  # one way, of a trade's notional


class Book:
    """Weights of some accounts, a row an account and a column an asset; cash is what is left of 1.

    Attributes:
        targets: fractions of wealth, by account and asset.
        weights: fractions of wealth now.
        risk: so far, g / 2 times the variance of what drift earned: (x' r)^2 over steps with returns r.
        cost: so far, a fraction of wealth.
        orders: so far; one asset against cash is one order.

    """

    def __init__(self, targets: Floats) -> None:
        count = targets.shape[0]
        self.targets = targets
        self.weights: Floats = targets.copy()
        self.cash: Floats = 1 - targets.sum(axis=1)
        self.cash_targets: Floats = self.cash.copy()
        self.risk: Floats = np.zeros(count)
        self.cost: Floats = np.zeros(count)
        self.orders: Floats = np.zeros(count)

    @property
    def drifts(self) -> Floats:
        """Return x = w - w*, by account and asset."""
        return self.weights - self.targets

    @property
    def cash_drifts(self) -> Floats:
        """Return the cash's drift, by account."""
        return self.cash - self.cash_targets

    def move(self, returns: Floats) -> None:
        """Let one step's simple returns pass, by account and asset or by asset alone."""
        self.risk += RISK_AVERSION / 2 * (self.drifts * returns).sum(axis=1) ** 2
        self.weights *= 1 + returns
        self._scale(self.cash + self.weights.sum(axis=1))

    def trade(self, changes: Floats) -> None:
        """Trade these changes of weights, each against cash, at COST."""
        costs = COST * np.abs(changes).sum(axis=1)
        self.orders += np.count_nonzero(changes, axis=1)
        self.cost += costs
        self.weights += changes
        self.cash -= changes.sum(axis=1) + costs
        self._scale(1 - costs)

    def _scale(self, wealth: Floats) -> None:
        self.weights /= wealth[:, None]
        self.cash /= wealth
