"""What is told about a market in sums: the 24-hour ticker and candles, counted from its trades since the start."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from trimtab.exchange.book import ZERO
from trimtab.exchange.market import Snapshot, Trade

MINUTE_US = 60_000_000
DAY_US = 86_400_000_000
KEPT_US = 7 * DAY_US
"""How far back candles reach at least."""
_MINUTES_KEPT = KEPT_US // MINUTE_US
_MINUTES_OVER = DAY_US // MINUTE_US  # how many more there may be before the oldest are dropped, all at once

INTERVALS_US: Mapping[str, int] = {
    interval: minutes * MINUTE_US
    for interval, minutes in {
        "1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "6h": 360, "8h": 480,
        "12h": 720, "1d": 1440, "3d": 4320, "1w": 10080,
    }.items()
}  # fmt: skip
"""The intervals that candles may have."""


@dataclass(slots=True)
class Candle:
    """Prices in quote units, volume in base and quote units, from `open_us` on."""

    open_us: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal = ZERO
    quote_volume: Decimal = ZERO
    trades: int = 0
    bought: Decimal = ZERO
    bought_quote: Decimal = ZERO
    first_trade_id: int = -1
    last_trade_id: int = -1
    last_quantity: Decimal = ZERO

    def add(self, other: "Candle") -> None:
        """Put a later candle onto this one."""
        self.high, self.low = max(self.high, other.high), min(self.low, other.low)
        self.close = other.close
        self.volume += other.volume
        self.quote_volume += other.quote_volume
        self.trades += other.trades
        self.last_quantity = other.last_quantity or self.last_quantity
        self.bought += other.bought
        self.bought_quote += other.bought_quote
        if self.first_trade_id < 0:
            self.first_trade_id = other.first_trade_id
        self.last_trade_id = max(self.last_trade_id, other.last_trade_id)


class Tape:
    """One symbol's minutes, without a hole from its first moment on, or from seven days ago."""

    def __init__(self) -> None:
        self._minutes: list[Candle] = []

    def begin(self, snapshot: Snapshot) -> None:
        """Start at the snapshot's mid price."""
        if snapshot.bids and snapshot.asks and not self._minutes:
            mid = (snapshot.bids[0][0] + snapshot.asks[0][0]) / 2
            self._minutes.append(Candle(_minute(snapshot.time_us), mid, mid, mid, mid))

    def trade(self, trade: Trade) -> None:
        """Count a trade."""
        cost = trade.price * trade.quantity
        bought, bought_quote = (ZERO, ZERO) if trade.buyer_is_maker else (trade.quantity, cost)
        price, identity = trade.price, trade.trade_id
        single = Candle(
            _minute(trade.time_us), price, price, price, price, trade.quantity, cost, 1, bought, bought_quote,
            identity, identity, trade.quantity,
        )  # fmt: skip
        self._extend(single.open_us)
        index = bisect_left(self._minutes, single.open_us, key=_opened)
        if index == len(self._minutes) or self._minutes[index].open_us != single.open_us:
            self._minutes.insert(index, single)
        elif self._minutes[index].trades:
            self._minutes[index].add(single)
        else:
            self._minutes[index] = single
        # Where the clock has run ahead of the events, later minutes were asked for before this one was over.
        for later in self._minutes[index + 1 :]:
            later.open = later.high = later.low = later.close = price

    def rescale(self, price: Decimal, quantity: Decimal) -> None:
        """Tell what has been in other units: every price and every quantity multiplied."""
        for minute in self._minutes:
            for name in ("open", "high", "low", "close"):
                setattr(minute, name, getattr(minute, name) * price)
            for name in ("volume", "bought", "last_quantity"):
                setattr(minute, name, getattr(minute, name) * quantity)
            for name in ("quote_volume", "bought_quote"):
                setattr(minute, name, getattr(minute, name) * price * quantity)

    def candles(self, interval_us: int, now_us: int) -> list[Candle]:
        """Candles of a whole number of minutes up to now, aligned to the epoch."""
        self._extend(_minute(now_us) + MINUTE_US)
        found: list[Candle] = []
        for minute in self._minutes:
            start_us = minute.open_us // interval_us * interval_us
            if found and found[-1].open_us == start_us:
                found[-1].add(minute)
            else:
                found.append(_copy(minute, start_us))
        return found

    def candle(self, open_us: int, interval_us: int, now_us: int) -> Candle | None:
        """The candle that began at `open_us`, up to now; None before the first event."""
        self._extend(_minute(now_us) + MINUTE_US)
        first, end = (bisect_left(self._minutes, at, key=_opened) for at in (open_us, open_us + interval_us))
        whole = total(self._minutes[first:end])
        return None if whole is None else _copy(whole, open_us)

    def day(self, now_us: int) -> Candle | None:
        """The last 24 hours as one candle; None before the first event."""
        latest = self._minutes[-(DAY_US // MINUTE_US) :]
        return total([minute for minute in latest if minute.open_us > now_us - DAY_US])

    def _extend(self, end_us: int) -> None:
        """Minutes without trades, up to (not including) `end_us`."""
        if not self._minutes:
            return
        last, close = self._minutes[-1].open_us, self._minutes[-1].close
        if end_us > last + KEPT_US:  # of a gap of years only what is kept is made
            self._minutes.clear()
            last = end_us - KEPT_US - MINUTE_US
        for open_us in range(last + MINUTE_US, end_us, MINUTE_US):
            self._minutes.append(Candle(open_us, close, close, close, close))
        if len(self._minutes) > _MINUTES_KEPT + _MINUTES_OVER:
            del self._minutes[:-_MINUTES_KEPT]


def total(candles: Sequence[Candle]) -> Candle | None:
    """Consecutive candles as one."""
    if not candles:
        return None
    whole = _copy(candles[0], candles[0].open_us)
    for candle in candles[1:]:
        whole.add(candle)
    return whole


def _opened(candle: Candle) -> int:
    return candle.open_us


def _minute(time_us: int) -> int:
    return time_us // MINUTE_US * MINUTE_US


def _copy(candle: Candle, open_us: int) -> Candle:
    return replace(candle, open_us=open_us)
