"""Numbers and moments as a person reads them."""

from collections.abc import Callable
from datetime import UTC, datetime

Shown = Callable[[float], str]


def moment(time_us: float) -> str:
    """Return a moment (UTC microseconds) to the second, or to the minute if there are none."""
    when = datetime.fromtimestamp(time_us / 1e6, UTC)
    return when.strftime("%Y-%m-%d %H:%M:%S" if when.second else "%Y-%m-%d %H:%M")


def money(value: float) -> str:
    """Return an amount of the quote currency with two decimals."""
    return _signless(f"{value:,.2f}")


def whole(value: float) -> str:
    """Return a count, or an amount without decimals."""
    return _signless(f"{value:,.0f}")


def percent(value: float) -> str:
    """Return a fraction as percent."""
    return f"{_signless(f'{value * 100:.2f}')} %"


def signed_percent(value: float) -> str:
    """Return a fraction as percent, with its sign."""
    return f"{value * 100:+.2f} %".replace("-", "−")


def points(value: float) -> str:
    """Return basis points, or any other plain number, with two decimals."""
    return _signless(f"{value:,.2f}")


def digits(value: float) -> str:
    """Return a price, a quantity or an axis's number with six significant digits."""
    return _signless(f"{value:,.6g}") if abs(value) < 1e6 else whole(value)


def span(length_us: float) -> str:
    """Return how long it is, in the largest unit that it has one of."""
    for unit, unit_us in (("days", 86_400e6), ("hours", 3_600e6), ("minutes", 60e6)):
        if length_us >= unit_us:
            return f"{length_us / unit_us:.3g} {unit}"
    return f"{length_us / 1e6:.3g} seconds"


def _signless(text: str) -> str:
    """Return it with a true minus sign, and none before a zero."""
    return text.lstrip("-") if not text.strip("-0.,") else text.replace("-", "−")
