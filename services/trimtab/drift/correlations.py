"""How assets move together: a slow average of the products of their standardised returns, pulled to its mean.

Returns in standard deviations, volatility and correlation each with a half-life of its own: Engle (2002). A few
returns make correlations of many assets too far apart and their matrix singular, so each is shrunk towards the mean
of all (Ledoit & Wolf 2004), by the share of its spread that chance explains (the variance of a sample correlation, as
Schaefer & Strimmer 2005 weigh it).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from trimtab.domain.amounts import ONE, ZERO
from trimtab.drift.memory import Memory
from trimtab.drift.semidefinite import Matrix, definite

# No correlation is quite 1: this much of the identity keeps the matrix away from singular.
RIDGE = Decimal("1e-9")
# Averaged returns overlap: they are worth one return of its own every 151/140 half-spans (Jacod et al. 2009: the
# variance of the pre-averaged estimator with the triangular weight).
_OVERLAP = Decimal("1.0786")
_HALVINGS_MAX = 30


@dataclass(slots=True)
class Pair:
    """The mean product of two assets' standardised returns, over so many points."""

    product: Decimal = ZERO
    count: int = 0


@dataclass(slots=True)
class Correlations:
    """Every pair (a, b), a <= b, of assets that moved at the same time. Runs under the caller's decimal context.

    A pair of which one asset is silent keeps what is known of it.
    """

    memory: Memory
    pairs: dict[tuple[str, str], Pair] = field(default_factory=dict)

    def learn(self, scores: Mapping[str, Decimal]) -> None:
        """Take the standardised returns of one grid point, of all assets that have one."""
        names = sorted(scores)
        weights: dict[int, Decimal] = {}  # most pairs have the same count
        for i, first in enumerate(names):
            score = scores[first]
            for second in names[i:]:
                pair = self.pairs.get((first, second))
                if pair is None:
                    pair = self.pairs[first, second] = Pair()
                pair.count += 1
                weight = weights.get(pair.count)
                if weight is None:
                    weight = weights[pair.count] = self.memory.weight(pair.count)
                pair.product += weight * (score * scores[second] - pair.product)

    def put(self, first: str, second: str, correlation: Decimal, count: int) -> None:
        """Begin with a known correlation; `first` <= `second`."""
        self.pairs[first, second] = Pair(correlation, count)

    def forget(self, asset: str) -> None:
        """Forget all pairs of an asset."""
        self.pairs = {names: pair for names, pair in self.pairs.items() if asset not in names}

    def matrix(self, names: Sequence[str], half: int) -> Matrix:
        """Return the correlations of these assets (sorted), positive definite.

        `half` is half the span of the returns, in points. Pairs that never moved at the same time have the mean.
        """
        found = self._found(names)
        counts = {(i, j): self.pairs[names[i], names[j]].count for i, j in found}
        worths = {count: self._worth(count, half) for count in set(counts.values())}
        total = sum((worths[count] for count in counts.values()), ZERO)
        mean = sum((value * worths[counts[place]] for place, value in found.items()), ZERO) / total if found else ZERO
        mean = max(mean, -ONE / max(len(names) - 1, 1))
        free = (ONE - mean * mean) ** 2
        chances = {count: free / worth for count, worth in worths.items()}
        away = {place: value - mean for place, value in found.items()}
        spread = sum((value * value - chances[counts[place]] for place, value in away.items()), ZERO)
        spread = max(spread / max(len(found), 1), ZERO)
        kept = {count: _kept(chance, spread) for count, chance in chances.items()}
        excess = {place: value * kept[counts[place]] for place, value in away.items()}
        return _definite(len(names), mean, excess)

    def _found(self, names: Sequence[str]) -> dict[tuple[int, int], Decimal]:
        """Return the correlations that are known, by place in the upper triangle.

        Where two assets were not heard of at the same points, their products' mean may exceed those of their squares.
        """
        squares = (self.pairs.get((name, name)) for name in names)
        roots = [square.product.sqrt() if square is not None else ZERO for square in squares]
        return {
            (i, j): max(-ONE, min(self.pairs[names[i], names[j]].product / (roots[i] * roots[j]), ONE))
            for i in range(len(names))
            for j in range(i + 1, len(names))
            if (names[i], names[j]) in self.pairs and roots[i] and roots[j]
        }

    def _worth(self, count: int, half: int) -> Decimal:
        """Return how many returns that do not overlap an average over so many is worth."""
        return self.memory.length(count) / (_OVERLAP * half)


def _kept(chance: Decimal, spread: Decimal) -> Decimal:
    """Return the share of a correlation's distance from the mean that is not chance."""
    return spread / (spread + chance) if spread + chance else ONE


def _definite(size: int, mean: Decimal, excess: Mapping[tuple[int, int], Decimal]) -> Matrix:
    """Return the matrix with these distances from the mean, as much nearer to it as makes it positive definite.

    Averages over the same points give a positive definite one at once. Assets that were silent or listed at different
    times need not; halfway to the mean again and again leads to one correlation for all, whose pivots are the ridge or
    more, because `mean` is from -1 / (size - 1) to 1.
    """
    share = ONE
    for _ in range(_HALVINGS_MAX):
        matrix = _spread_out(size, mean, excess, share)
        if definite(matrix, RIDGE / 2):
            return matrix
        share /= 2
    return _spread_out(size, mean, excess, ZERO)


def _spread_out(size: int, mean: Decimal, excess: Mapping[tuple[int, int], Decimal], share: Decimal) -> Matrix:
    near = ONE - RIDGE
    matrix = [[near * mean] * size for _ in range(size)]
    for i in range(size):
        matrix[i][i] = ONE
    for (i, j), value in excess.items():
        matrix[i][j] = matrix[j][i] = near * (mean + share * value)
    return matrix
