"""What the venue of a backtest charges."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Fees:
    """Fractions of the notional; by default what Binance spot charges who has no discount."""

    maker: Decimal = Decimal("0.001")
    taker: Decimal = Decimal("0.001")
