"""The covariance of a portfolio's own assets, out of an estimate over all."""

from decimal import Decimal

from trimtab.domain.amounts import ZERO
from trimtab.drift.holdings import Holdings
from trimtab.messages import Risk


def covariance_of(holdings: Holdings, risk: Risk) -> list[list[Decimal]]:
    """Return S per year over the portfolio's assets; zero where nothing is known of an asset that nobody wants."""
    known = {name: index for index, name in enumerate(risk.assets)}
    size = len(risk.assets)

    def entry(first: str, second: str) -> Decimal:
        if first not in known or second not in known:
            return ZERO
        row, column = sorted((known[first], known[second]))
        return risk.covariance[row * size - row * (row - 1) // 2 + column - row]

    names = [asset.name for asset in holdings.assets]
    return [[entry(a, b) for b in names] for a in names]
