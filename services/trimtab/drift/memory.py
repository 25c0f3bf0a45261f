"""How fast the past fades: a plain mean at first, exponentially weighted from then on (RiskMetrics 1996)."""

from dataclasses import dataclass
from decimal import Decimal

from trimtab.domain.amounts import CONTEXT, ONE, quantise

_LN2 = Decimal("0.6931471805599453094172321214581765680755")


@dataclass(frozen=True, slots=True)
class Memory:
    """`half_life` is in grid points; `newest` is the weight of the newest point once there are many."""

    half_life: Decimal
    newest: Decimal

    @classmethod
    def of(cls, half_life: Decimal) -> "Memory":
        """Return a memory of this half-life. Runs, as `weight` does, under the caller's decimal context."""
        return cls(half_life, _faded(half_life, 1))

    def weight(self, count: int, points: int = 1) -> Decimal:
        """Return the weight of the newest `points` of `count`: their share, or more once the oldest have faded."""
        faded = self.newest if points == 1 else _faded(self.half_life, points)
        return max(faded, Decimal(points) / count)

    def length(self, count: int) -> Decimal:
        """Return how many points of one weight a mean of `count` is worth."""
        return min(Decimal(count), 2 / self.newest - 1)


def weight_of_age(age_us: int, half_life_us: int) -> Decimal:
    """Return 2^(-age / half-life), what something of this age weighs, 1 at most, to 18 decimals."""
    return quantise(CONTEXT.exp(-_LN2 * max(age_us, 0) / half_life_us))


def _faded(half_life: Decimal, points: int) -> Decimal:
    # A power would not be rounded correctly on every machine; exp is.
    return ONE - (-_LN2 * points / half_life).exp()
