"""Exact arithmetic for money: one context, one scale, rounding to a grid.

Every amount in trimtab is a `Decimal` with at most 18 decimals (`numeric(38,18)` in the ledger, `decimal(38,18)` on the
wire). All rounding happens here, so that the direction is always chosen in words.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal

SCALE = Decimal("1e-18")
ZERO = Decimal(0)
ONE = Decimal(1)

# Wide enough for the product of two 38-digit amounts before it is quantised again.
CONTEXT = Context(prec=80, rounding=ROUND_HALF_EVEN)


def quantise(value: Decimal) -> Decimal:
    """Return `value` on the ledger's scale (18 decimals), ties to even."""
    return value.quantize(SCALE, ROUND_HALF_EVEN, CONTEXT)  # by position: names would take four times as long


def floor_to(value: Decimal, grid: Decimal) -> Decimal:
    """Return the largest multiple of `grid` not above `value`.

    Raises:
        ValueError: if `grid` is not positive.

    """
    return _to_grid(value, grid, ROUND_FLOOR)


def ceil_to(value: Decimal, grid: Decimal) -> Decimal:
    """Return the smallest multiple of `grid` not below `value`.

    Raises:
        ValueError: if `grid` is not positive.

    """
    return _to_grid(value, grid, ROUND_CEILING)


def _to_grid(value: Decimal, grid: Decimal, rounding: str) -> Decimal:
    if grid <= 0:
        raise ValueError(f"a grid must be positive, found {grid}")
    steps = CONTEXT.divide(value, grid).quantize(ONE, rounding, CONTEXT)
    return CONTEXT.multiply(steps, grid)


def plain(value: Decimal) -> str:
    """Return `value` in plain digits, without exponent or trailing zeros: "0.001", never "1E-3"."""
    text = format(value, "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text
