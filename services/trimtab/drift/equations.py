"""Systems of linear equations in exact decimals that grow by one unknown at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from operator import mul


@dataclass(slots=True)
class Equations:
    """A square matrix as the product of a lower (with ones) and an upper triangular one, row by row (Crout).

    Pivots are taken as they come: stable for a symmetric positive definite matrix, also with its rows scaled (Golub &
    Van Loan 2013, 4.2). Runs under the caller's decimal context.
    """

    _lower: list[list[Decimal]] = field(default_factory=list)
    _upper: list[list[Decimal]] = field(default_factory=list)  # by column, the pivot last

    def extend(self, row: Sequence[Decimal], column: Sequence[Decimal], corner: Decimal) -> None:
        """Add an unknown: what is left of the corner, what is above it, and the corner itself.

        Raises:
            ArithmeticError: if the matrix so far is singular.

        """
        lower: list[Decimal] = []
        for value, above in zip(row, self._upper, strict=True):
            lower.append((value - sum(map(mul, lower, above))) / above[-1])
        upper: list[Decimal] = []
        for value, left in zip(column, self._lower, strict=True):
            upper.append(value - sum(map(mul, left, upper)))
        upper.append(corner - sum(map(mul, lower, upper)))
        self._lower.append(lower)
        self._upper.append(upper)

    def solve(self, right: Sequence[Decimal]) -> list[Decimal]:
        """Return x of `matrix` x = `right`.

        Raises:
            ArithmeticError: if the matrix is singular.

        """
        rest: list[Decimal] = []
        for value, left in zip(right, self._lower, strict=True):
            rest.append(value - sum(map(mul, left, rest)))
        for place in reversed(range(len(rest))):
            column = self._upper[place]
            rest[place] = found = rest[place] / column[-1]
            rest[:place] = [value - found * part for value, part in zip(rest[:place], column[:-1], strict=True)]
        return rest
