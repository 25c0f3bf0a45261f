"""Whole numbers: the scale, rounding to it, roots, and linear equations without any rounding at all."""

from collections.abc import Sequence
from decimal import Context, Decimal, Inexact
from fractions import Fraction
from math import isqrt, lcm

UNIT = 10**18  # of every amount that the decision rounds
WIDE = Context(prec=400, traps=[Inexact])
FINE = 10**60  # of roots that nothing rounds


def counts(value: Decimal) -> int:
    """Return an amount in units of 1e-18; it must have no more decimals than that."""
    scaled = WIDE.scaleb(value, 18)
    whole = int(scaled)
    if whole != scaled:
        raise ValueError(f"{value} has more than 18 decimals")
    return whole


def amount(value: int) -> Decimal:
    """Return a count of 1e-18 as the decimal it stands for."""
    return Decimal(f"{value}E-18")


def nearest(numerator: int, denominator: int) -> int:
    """Return the whole number nearest to a quotient (denominator > 0), the even one of two."""
    whole, rest = divmod(numerator, denominator)
    twice = 2 * rest
    return whole + (twice > denominator or (twice == denominator and whole % 2 == 1))


def nearest_count(value: Fraction) -> int:
    """Return a fraction in units of 1e-18, rounded to the nearest."""
    return nearest(value.numerator * UNIT, value.denominator)


def root(value: Fraction) -> Fraction:
    """Return a square root, cut after 60 decimals."""
    return Fraction(isqrt(value.numerator * FINE * FINE // value.denominator), FINE)


def cube_root_count(value: Fraction) -> int:
    """Return the largest count of 1e-18 whose cube is at most `value`, by halving."""
    wanted = value.numerator * UNIT**3 // value.denominator
    low, high = 0, 1 << (wanted.bit_length() // 3 + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**3 <= wanted else (low, middle)
    return low


def solved(matrix: Sequence[Sequence[int]], columns: Sequence[Sequence[int]]) -> tuple[list[list[int]], int] | None:
    """Return (N, d) with matrix N / d = columns, exactly; None if the matrix is singular.

    Elimination without fractions (Bareiss 1968), above and below the diagonal alike; d > 0 or d < 0.
    """
    size = len(matrix)
    rows = [[*row, *(column[i] for column in columns)] for i, row in enumerate(matrix)]
    before = 1
    for place in range(size):
        pivot = next((i for i in range(place, size) if rows[i][place]), None)
        if pivot is None:
            return None
        rows[place], rows[pivot] = rows[pivot], [-value for value in rows[place]] if pivot != place else rows[place]
        own = rows[place]
        for i in range(size):
            if i != place:
                factor, head = rows[i][place], own[place]
                rows[i] = [(head * value - factor * other) // before for value, other in zip(rows[i], own, strict=True)]
        before = own[place]
    return [[rows[i][size + k] for i in range(size)] for k in range(len(columns))], before


def solution(matrix: Sequence[Sequence[int]], right: Sequence[Fraction]) -> list[Fraction] | None:
    """Return x of matrix x = right; None if the matrix is singular."""
    shared = lcm(*(value.denominator for value in right)) if right else 1
    found = solved(matrix, [[value.numerator * (shared // value.denominator) for value in right]])
    return None if found is None else [Fraction(value, found[1] * shared) for value in found[0][0]]
