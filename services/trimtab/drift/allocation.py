"""Weights from a covariance: inverse volatility and equal risk contribution, long only, within bounds.

With covariance `S`, every asset of a portfolio `x` contributes x_i (S x)_i to its variance. Equal risk contribution
(Maillard, Roncalli & Teiletche 2010) makes these alike; it is the one x > 0 that minimises

    x' S x / 2 - l (log x_1 + ... + log x_n)

for some l > 0 (Spinu 2013), found by cyclical coordinate descent (Griveau-Billion, Richard & Roncalli 2013): each x_i
in turn is the positive root of S_ii x_i^2 + c_i x_i - l, where c_i is what the others add to its marginal risk. Between
two rounds x is scaled to x' S x = n l, as the minimum has it, so that assets that hedge each other converge too.

With bounds, the same is minimised within them (Richard & Roncalli 2019): each root is cut off at its bounds, and l is
searched for at which x fills the portfolio. Assets between their bounds then contribute alike, those held down
contribute less and those held up more. Assets that hedge each other may leave no such l; then the weights without
bounds are scaled alike and cut off until they fill the portfolio.

Inverse volatility is the same on the diagonal of S alone. All of it runs in units of volatility, u_i = x_i s_i, and
correlations, so that a scale of S cancels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

from trimtab.domain.amounts import ONE, ZERO
from trimtab.domain.errors import TrimtabError

WEIGHT_STEP = Decimal("0.000001")
# Contributions, relative to their mean, when no bound binds.
TOLERANCE = Decimal("1e-12")
# How much weights may still move in a round, and miss the sum, when one does; far below a weight's step.
_STILL = Decimal("1e-11")
_FILLED = Decimal("1e-9")
_ROUNDS_MAX = 1_000
_STEPS_MAX = 80
# Below this part of its parts' variances, what is left of a portfolio's variance is rounding.
_HEDGED = Decimal("1e-15")
# Statistics, not money: enough digits that rounding never shows in a weight.
_CONTEXT = Context(prec=34, rounding=ROUND_HALF_EVEN)
_HALF = Decimal("0.5")
_FOUR = Decimal(4)

Matrix = Sequence[Sequence[Decimal]]
Bounds = Sequence[tuple[Decimal, Decimal]]


class UnallocatableError(TrimtabError):
    """There are no such weights; the message says why, in words for the portfolio's owner."""


def risk_weights(covariance: Matrix, bounds: Bounds, total: Decimal) -> tuple[Decimal, ...]:
    """Return long-only weights of equal risk contribution that sum to `total`, as near as the tolerance says.

    `bounds` are (least, most) for each asset, and `total` lies between their sums.

    Raises:
        UnallocatableError: if an asset has no volatility, or the assets hedge each other completely.

    """
    with localcontext(_CONTEXT):
        sigmas = _volatilities(covariance)
        problem = _Problem(_correlations(covariance, sigmas), sigmas, bounds, total)
        free = problem.unbounded()
        if all(low <= weight <= high for weight, (low, high) in zip(free, bounds, strict=True)):
            return tuple(free)
        found = problem.bounded(free) or _independent(free, bounds, total).bounded(free)
        if found is None:
            raise UnallocatableError("no weights within these bounds were found")
        return tuple(found)


def inverse_volatility(covariance: Matrix, bounds: Bounds, total: Decimal) -> tuple[Decimal, ...]:
    """Return weights in proportion to 1 / volatility that sum to `total`; those past a bound stand on it.

    Raises:
        UnallocatableError: if an asset has no volatility.

    """
    size = range(len(covariance))
    return risk_weights([[covariance[i][j] if i == j else ZERO for j in size] for i in size], bounds, total)


def on_grid(weights: Sequence[Decimal], bounds: Bounds, total: Decimal) -> tuple[Decimal, ...]:
    """Return the weights on a grid of a millionth that sum to `total` exactly, within bounds that lie on the grid.

    Each is rounded to the nearest step; what is then missing or too much goes, a step each, to those that rounding took
    most from or gave most to, the first of equals.
    """
    with localcontext(_CONTEXT):
        steps = [(weight / WEIGHT_STEP).to_integral_value() for weight in weights]
        limits = [(low / WEIGHT_STEP, high / WEIGHT_STEP) for low, high in bounds]
        steps = [min(max(step, low), high) for step, (low, high) in zip(steps, limits, strict=True)]
        while missing := total / WEIGHT_STEP - sum(steps, ZERO):
            move = ONE.copy_sign(missing)
            room = [i for i, (low, high) in enumerate(limits) if low <= steps[i] + move <= high]
            chosen = max(room, key=lambda i: ((weights[i] / WEIGHT_STEP - steps[i]) * move, -i))
            steps[chosen] += move
        return tuple(step * WEIGHT_STEP for step in steps)


@dataclass(frozen=True, slots=True)
class _Problem:
    """Correlations and volatilities of the assets, and what their weights have to keep to."""

    correlations: Matrix
    sigmas: Sequence[Decimal]
    bounds: Bounds
    total: Decimal

    def unbounded(self) -> list[Decimal]:
        """Return the weights without bounds."""
        units = [ONE] * len(self.sigmas)
        for _ in range(_ROUNDS_MAX):
            units = _scaled(self.correlations, _round(self.correlations, units, ONE))
            if _uneven(self.correlations, units) <= TOLERANCE:
                break
        else:
            raise UnallocatableError("the assets hedge each other too closely for equal contributions")
        weights = [unit / sigma for unit, sigma in zip(units, self.sigmas, strict=True)]
        share = self.total / sum(weights, ZERO)
        return [weight * share for weight in weights]

    def bounded(self, start: Sequence[Decimal]) -> list[Decimal] | None:
        """Return the weights within the bounds; None if no level of contributions fills the portfolio."""
        units: Sequence[Decimal] = [weight * sigma for weight, sigma in zip(start, self.sigmas, strict=True)]
        level = max(_variance(self.correlations, units), _HEDGED) / len(units)
        low, less = self._bracket(level, units, ONE / _FOUR)
        high, more = self._bracket(level, units, _FOUR)
        if less > _FILLED or more < -_FILLED:
            return None
        less, more, kept = min(less, ZERO), max(more, ZERO), ZERO
        for _ in range(_STEPS_MAX):
            level = (low * more - high * less) / (more - less) if more > less else low
            units = self._at(level, units)
            found = self._sum(units) - self.total
            if abs(found) <= _FILLED:
                return [unit / sigma for unit, sigma in zip(units, self.sigmas, strict=True)]
            # The false position; what an end says is halved when it stays for the second time (the Illinois rule).
            stays = found * kept > 0
            if found > 0:
                high, more, less = level, found, less * _HALF if stays else less
            else:
                low, less, more = level, found, more * _HALF if stays else more
            kept = found
        return None

    def _bracket(self, level: Decimal, units: Sequence[Decimal], factor: Decimal) -> tuple[Decimal, Decimal]:
        """Return a level on that side of this one from which on the portfolio is no longer too full, or too empty."""
        side = ONE if factor > ONE else -ONE
        for _ in range(_STEPS_MAX):
            units = self._at(level, units)
            found = self._sum(units) - self.total
            if found * side >= -_FILLED:
                break
            level *= factor
        return level, found

    def _at(self, level: Decimal, units: Sequence[Decimal]) -> Sequence[Decimal]:
        """Return the minimum within the bounds at this level of contributions."""
        limits = [(low * sigma, high * sigma) for (low, high), sigma in zip(self.bounds, self.sigmas, strict=True)]
        for _ in range(_ROUNDS_MAX):
            before, units = units, _round(self.correlations, units, level, limits)
            if max(abs(a - b) for a, b in zip(before, units, strict=True)) <= _STILL * max(units):
                break
        return units

    def _sum(self, units: Sequence[Decimal]) -> Decimal:
        return sum((unit / sigma for unit, sigma in zip(units, self.sigmas, strict=True)), ZERO)


def _independent(weights: Sequence[Decimal], bounds: Bounds, total: Decimal) -> _Problem:
    """Return a problem whose weights are these, scaled alike and cut off at the bounds."""
    size = range(len(weights))
    return _Problem(
        [[ONE if i == j else ZERO for j in size] for i in size], [ONE / weight for weight in weights], bounds, total
    )


def _round(
    correlations: Matrix, units: Sequence[Decimal], level: Decimal, limits: Bounds | None = None
) -> list[Decimal]:
    """Bring each unit in turn to where its own derivative is zero, given all the others."""
    found = list(units)
    for i, row in enumerate(correlations):
        others = sum((c * u for c, u in zip(row, found, strict=True)), ZERO) - found[i]
        root = (others * others + _FOUR * level).sqrt()
        # Of the two ways to write the root, the one without cancellation.
        unit = 2 * level / (root + others) if others > 0 else (root - others) * _HALF
        found[i] = unit if limits is None else min(max(unit, limits[i][0]), limits[i][1])
    return found


def _scaled(correlations: Matrix, units: Sequence[Decimal]) -> list[Decimal]:
    """Scale to the variance that the minimum has at level 1."""
    variance = _variance(correlations, units)
    if variance <= _HEDGED * sum((unit * unit for unit in units), ZERO):
        raise UnallocatableError("the assets hedge each other completely")
    share = (len(units) / variance).sqrt()
    return [unit * share for unit in units]


def _contributions(correlations: Matrix, units: Sequence[Decimal]) -> list[Decimal]:
    return [
        unit * sum((c * u for c, u in zip(row, units, strict=True)), ZERO)
        for row, unit in zip(correlations, units, strict=True)
    ]


def _variance(correlations: Matrix, units: Sequence[Decimal]) -> Decimal:
    return sum(_contributions(correlations, units), ZERO)


def _uneven(correlations: Matrix, units: Sequence[Decimal]) -> Decimal:
    """Return how far the worst contribution is from 1, where all are at level 1."""
    return max(abs(each - ONE) for each in _contributions(correlations, units))


def _volatilities(covariance: Matrix) -> list[Decimal]:
    variances = [row[i] for i, row in enumerate(covariance)]
    if any(variance <= 0 for variance in variances):
        raise UnallocatableError("an asset without any volatility has no weight by risk")
    return [variance.sqrt() for variance in variances]


def _correlations(covariance: Matrix, sigmas: Sequence[Decimal]) -> list[list[Decimal]]:
    return [
        [ONE if i == j else entry / (sigmas[i] * sigmas[j]) for j, entry in enumerate(row)]
        for i, row in enumerate(covariance)
    ]
