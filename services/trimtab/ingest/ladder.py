"""Ladders as whole numbers of ticks and steps, the way the market topics carry them. Pure."""

from collections.abc import Iterable
from decimal import Decimal

from trimtab.domain.errors import InvalidValueError
from trimtab.domain.instruments import Instrument

Pair = tuple[Decimal, Decimal]


def units(value: Decimal, unit: Decimal, path: str) -> int:
    """Return how many `unit`s `value` is.

    Raises:
        InvalidValueError: if it is not a whole number of them, or not above zero.

    """
    quotient = value / unit
    count = int(quotient)
    if count != quotient or count <= 0:
        raise InvalidValueError(path, str(value), f"a positive multiple of {unit}")
    return count


def flatten(instrument: Instrument, levels: Iterable[Pair]) -> tuple[int, ...]:
    """Return (price, quantity) pairs laid flat, prices in ticks and quantities in steps, best first.

    Raises:
        InvalidValueError: if one of them is off the instrument's grid.

    """
    tick, step, key = instrument.tick, instrument.step, instrument.key
    flat: list[int] = []
    for price, quantity in levels:
        # As `units` counts, but without two calls a level: a backtest does this millions of times.
        ticks, steps = price / tick, quantity / step
        price_count, quantity_count = int(ticks), int(steps)
        if price_count != ticks or price_count <= 0:
            units(price, tick, f"{key}.price")
        if quantity_count != steps or quantity_count <= 0:
            units(quantity, step, f"{key}.quantity")
        flat += (price_count, quantity_count)
    return tuple(flat)
