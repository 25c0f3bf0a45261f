"""Covariances that stay positive semidefinite when they are rounded to the ledger's scale."""

from collections.abc import Sequence
from decimal import Decimal
from operator import mul

from trimtab.domain.amounts import SCALE, ZERO, quantise

Matrix = list[list[Decimal]]


def definite(matrix: Sequence[Sequence[Decimal]], least: Decimal) -> bool:
    """Tell whether every pivot of L D L' is at least `least`, a positive number (symmetric matrix, unit diagonal).

    Runs under the caller's decimal context. The pivots are those of a matrix that differs from this one by less than
    2 n u in every entry, u the context's relative rounding error (Higham 2002, theorem 10.3).
    """
    lower: list[list[Decimal]] = []
    pivots: list[Decimal] = []
    for i, row in enumerate(matrix):
        scaled: list[Decimal] = []  # the row of L times D
        for j in range(i):
            scaled.append(row[j] - sum(map(mul, scaled, lower[j]), ZERO))
        unit = [value / pivot for value, pivot in zip(scaled, pivots, strict=True)]
        pivot = row[i] - sum(map(mul, scaled, unit), ZERO)
        if pivot < least:
            return False
        lower.append(unit)
        pivots.append(pivot)
    return True


def rounded(correlations: Sequence[Sequence[Decimal]], variances: Sequence[Decimal]) -> Matrix:
    """Return the covariance matrix on the ledger's scale, positive semidefinite as it stands there, not nearly.

    `correlations` is positive definite. Rounding moves an entry by half a unit of the last place at most: what it adds
    to the matrix has row sums of n / 2 units at most, so no eigenvalue below -n / 2 units (Gershgorin). n units on the
    diagonal outweigh that, and leave as much again for the errors of the computation.
    """
    size = len(variances)
    roots = [variance.sqrt() for variance in variances]
    matrix = [[ZERO] * size for _ in variances]
    for i, variance in enumerate(variances):
        matrix[i][i] = quantise(variance) + size * SCALE
        for j in range(i):
            matrix[i][j] = matrix[j][i] = quantise(correlations[i][j] * roots[i] * roots[j])
    return matrix
