"""How much each asset moves now, and how much it usually does, per square root of a year."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from trimtab.domain.amounts import CONTEXT, ONE, ZERO, quantise
from trimtab.messages import Risk


@dataclass(frozen=True, slots=True)
class Volatility:
    """An asset's volatility as estimated now, and its long-run level."""

    now: Decimal
    usual: Decimal

    @property
    def level(self) -> Decimal:
        """Return the one over the other; 1 where nothing is usual."""
        return quantise(CONTEXT.divide(self.now, self.usual)) if self.usual > 0 else ONE


def volatilities(risk: Risk | None) -> Mapping[str, Volatility]:
    """Return the volatility of every asset of an estimate, by asset."""
    if risk is None:
        return {}
    found, start = {}, 0
    for i, asset in enumerate(risk.assets):
        found[asset] = Volatility(_root(risk.covariance[start]), _root(risk.long_run_variance[i]))
        start += len(risk.assets) - i
    return found


def _root(variance: Decimal) -> Decimal:
    return quantise(max(variance, ZERO).sqrt(CONTEXT))
