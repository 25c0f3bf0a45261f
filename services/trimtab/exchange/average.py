"""The mean price of a symbol's last trades, which filters hold orders against (Binance spot API, "Filters")."""

from collections import deque
from dataclasses import dataclass
from decimal import Decimal

from trimtab.exchange.book import ZERO
from trimtab.exchange.market import Trade

AVERAGE_MINUTES = 5
_MINUTE_US = 60_000_000


@dataclass(slots=True)
class _Minute:
    number: int
    volume: Decimal = ZERO
    quote_volume: Decimal = ZERO


class AveragePrice:
    """Volume-weighted over this minute and the four before it, in market time."""

    __slots__ = ("_last", "_minutes")

    def __init__(self) -> None:
        self._minutes: deque[_Minute] = deque(maxlen=AVERAGE_MINUTES)
        self._last: Decimal | None = None

    def trade(self, trade: Trade) -> None:
        """Count a public trade."""
        number = trade.time_us // _MINUTE_US
        if not self._minutes or self._minutes[-1].number != number:
            self._minutes.append(_Minute(number))
        minute = self._minutes[-1]
        minute.volume += trade.quantity
        minute.quote_volume += trade.price * trade.quantity
        self._last = trade.price

    def rescale(self, price: Decimal, quantity: Decimal) -> None:
        """Tell what has been in other units: every price and every quantity multiplied."""
        for minute in self._minutes:
            minute.volume *= quantity
            minute.quote_volume *= price * quantity
        self._last = None if self._last is None else self._last * price

    def price(self, time_us: int) -> Decimal | None:
        """The mean in quote units; the last trade's price where none was in that time, None before the first."""
        first = time_us // _MINUTE_US - AVERAGE_MINUTES + 1
        minutes = [minute for minute in self._minutes if minute.number >= first]
        volume = sum((minute.volume for minute in minutes), ZERO)
        if not volume:
            return self._last
        return sum((minute.quote_volume for minute in minutes), ZERO) / volume
