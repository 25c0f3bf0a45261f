"""Exact roots: integer Newton, so that every machine agrees on the last digit."""

from decimal import Decimal

from trimtab.domain.amounts import CONTEXT, ZERO

_PLACES = 18


def cube_root(value: Decimal) -> Decimal:
    """Return the largest 18-decimal number whose cube is at most `value`.

    Raises:
        ValueError: if `value` is negative.

    """
    if value < 0:
        raise ValueError(f"a cube root of a negative number was asked for: {value}")
    scaled = int(CONTEXT.scaleb(value, 3 * _PLACES))
    if scaled == 0:
        return ZERO
    # A power of two above the root: Newton falls monotonically from there to the floor.
    root = 1 << -(-scaled.bit_length() // 3)
    while True:
        closer = (2 * root + scaled // (root * root)) // 3
        if closer >= root:
            return CONTEXT.scaleb(Decimal(root), -_PLACES)
        root = closer
