"""What trades at a venue, and by which rules."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, order=True)
class Instrument:
    """One spot instrument of one venue, with the rules an order must keep.

    `tick` and `step` are the grids of price (quote per base) and quantity (base); `min_notional` is in quote; fees are
    fractions of the notional (0.001 is 10 bp), as the venue states them; `charged_fee` is what takers have been found
    to pay, None as long as nothing is known of it.
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
    charged_fee: Decimal | None = None

    @property
    def key(self) -> str:
        """Key of the market topics: "binance:BTC/USDT"."""
        return f"{self.venue}:{self.symbol}"

    @property
    def expected_fee(self) -> Decimal:
        """Return what a taker has to reckon with: what is charged as far as it is known, else what is stated."""
        return self.taker_fee if self.charged_fee is None else self.charged_fee
