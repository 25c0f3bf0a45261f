"""A market after its base or quote asset was redenominated: the same worth in other units."""

from dataclasses import dataclass, replace
from decimal import Decimal

from trimtab.exchange.errors import VenueError
from trimtab.exchange.instruments import MIN_UNIT, Instrument
from trimtab.exchange.market import DepthUpdate, Level, MarketEvent, Quote, Snapshot

_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Scale:
    """By what prices and quantities of a symbol are multiplied: powers of ten, so that no digit is lost."""

    price: Decimal = _ONE
    quantity: Decimal = _ONE

    @classmethod
    def of(cls, rules: Instrument, asset: str, ratio: Decimal) -> "Scale":
        """What a redenomination (new units for each old one) does to a symbol's market."""
        if rules.base == asset:
            return cls(_ONE / ratio, ratio)
        return cls(ratio, _ONE) if rules.quote == asset else cls()

    def then(self, other: "Scale") -> "Scale":
        """One after the other."""
        return Scale(self.price * other.price, self.quantity * other.quantity)

    def rules(self, rules: Instrument) -> Instrument:
        """A symbol's rules in the new units.

        Raises VenueError -1100 if its tick or step would have more than 8 decimals.
        """
        worth = self.price * self.quantity
        tick, step = rules.tick * self.price, rules.step * self.quantity
        if tick % MIN_UNIT or step % MIN_UNIT:
            raise VenueError(
                -1100, f"ratio: {rules.symbol} would have tick {tick:f} and step {step:f}; 8 decimals at most"
            )
        return replace(
            rules,
            tick=tick,
            step=step,
            min_notional=rules.min_notional * worth,
            max_notional=rules.max_notional * worth,
            max_price=rules.max_price * self.price,
            max_quantity=rules.max_quantity * self.quantity,
            max_market_quantity=rules.max_market_quantity * self.quantity,
        )

    def levels(self, levels: tuple[Level, ...]) -> tuple[Level, ...]:
        """Levels in the new units."""
        return tuple((price * self.price, size * self.quantity) for price, size in levels)

    def event(self, event: MarketEvent) -> MarketEvent:
        """An event of the market in the new units."""
        match event:
            case Snapshot():
                return replace(event, bids=self.levels(event.bids), asks=self.levels(event.asks))
            case DepthUpdate():
                return replace(event, bids=self.levels(event.bids), asks=self.levels(event.asks), raw=None)
            case Quote():
                (bid, bid_size), (ask, ask_size) = self.levels(
                    ((event.bid, event.bid_size), (event.ask, event.ask_size))
                )
                return replace(event, bid=bid, bid_size=bid_size, ask=ask, ask_size=ask_size, raw=None)
            case _:
                return replace(event, price=event.price * self.price, quantity=event.quantity * self.quantity, raw=None)
