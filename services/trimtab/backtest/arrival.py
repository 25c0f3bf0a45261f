"""What comes to a portfolio from outside, or goes there."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Arrival:
    """What an owner brought or took out (negative) at a time (us), and what a unit was worth then, quote currency."""

    time_us: int
    asset: str
    amount: Decimal
    price: Decimal
