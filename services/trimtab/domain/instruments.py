"""What trades at a venue, and by which rules."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, order=True)
class Instrument:
    """One spot instrument of one venue, with the rules an order must keep.

    `tick` and `step` are the grids of price (quote per base) and quantity (base); `min_notional` is in quote; fees are
    fractions of the notional (0.001 is 10 bp).
    """

    venue: str
    symbol: str  # unified: "BTC/USDT"
    base: str
    quote: str
    tick: Decimal
    step: Decimal
    min_quantity: Decimal
    min_notional: Decimal
    maker_fee: Decimal
    taker_fee: Decimal
    tradable: bool = True

    @property
    def key(self) -> str:
        """Key of the market topics: "binance:BTC/USDT"."""
        return f"{self.venue}:{self.symbol}"
