"""Systems of linear equations in exact decimals, for matrices that need no exchange of rows."""

from collections.abc import Sequence
from decimal import Decimal

from trimtab.domain.amounts import ZERO


def solve(matrix: Sequence[Sequence[Decimal]], right: Sequence[Sequence[Decimal]]) -> list[list[Decimal]]:
    """Return X of `matrix` X = `right` (a row of `right` and of X per row of `matrix`), by Gaussian elimination.

    The pivots are taken as they come: that is stable for a symmetric positive definite matrix, also with its rows
    scaled (Golub & Van Loan 2013, 4.2). Runs under the caller's decimal context.

    Raises:
        ArithmeticError: if the matrix is singular.

    """
    size = len(matrix)
    rows = [[*left, *values] for left, values in zip(matrix, right, strict=True)]
    for pivot in range(size):
        upper = rows[pivot]
        for lower in rows[pivot + 1 :]:
            factor = lower[pivot] / upper[pivot]
            if factor:
                lower[pivot + 1 :] = [
                    a - factor * b for a, b in zip(lower[pivot + 1 :], upper[pivot + 1 :], strict=True)
                ]
    found: list[list[Decimal]] = [[]] * size
    for i in reversed(range(size)):
        row, known = rows[i], found[i + 1 :]
        coefficients = row[i + 1 : size]
        found[i] = [
            (value - sum((c * x[k] for c, x in zip(coefficients, known, strict=True)), ZERO)) / row[i]
            for k, value in enumerate(row[size:])
        ]
    return found
