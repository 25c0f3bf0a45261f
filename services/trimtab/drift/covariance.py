"""How assets move together, from one risk estimate."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from trimtab.domain.amounts import CONTEXT, ZERO, quantise
from trimtab.drift.holdings import Holdings
from trimtab.messages import Risk


@dataclass(frozen=True, slots=True)
class Covariance:
    """S per year, of log prices in the portfolio's quote currency; an asset without an estimate counts as still.

    `triangle` is the upper one, row by row, as market.risk has it; the quote currency is in none of its rows.
    """

    places: Mapping[str, int]
    triangle: tuple[Decimal, ...]

    @classmethod
    def of(cls, risk: Risk | None) -> "Covariance":
        """Read an estimate; without one, nothing moves."""
        if risk is None:
            return cls({}, ())
        return cls({asset: place for place, asset in enumerate(risk.assets)}, risk.covariance)

    def between(self, first: str, second: str) -> Decimal:
        """Return S of two assets, or of one and itself."""
        if first not in self.places or second not in self.places:
            return ZERO
        row, column = sorted((self.places[first], self.places[second]))
        return self.triangle[row * len(self.places) - row * (row - 1) // 2 + column - row]

    def variance(self, base: str, quote: str) -> Decimal:
        """Return the variance of one asset's price in another, at least zero: S_bb + S_qq - 2 S_bq."""
        both = self.between(base, base) + self.between(quote, quote) - 2 * self.between(base, quote)
        return max(both, ZERO)

    def volatility(self, base: str, quote: str) -> Decimal:
        """Return the volatility of one asset's price in another, per square root of a year."""
        return quantise(self.variance(base, quote).sqrt(CONTEXT))


def covariance_of(holdings: Holdings, risk: Risk) -> list[list[Decimal]]:
    """Return S per year over the portfolio's assets; zero where nothing is known of an asset that nobody wants."""
    known = Covariance.of(risk)
    names = [asset.name for asset in holdings.assets]
    return [[known.between(a, b) for b in names] for a in names]
