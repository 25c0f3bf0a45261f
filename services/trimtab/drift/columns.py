"""One market in arrays: the price, cost and fault of every asset of a cohort."""

from collections.abc import Collection

import numpy as np

from trimtab.domain.market import Market, Quote
from trimtab.drift.batch import Codes, Prices
from trimtab.drift.costs import touch_cost
from trimtab.drift.reasons import Reason

CODES = {reason: code for code, reason in enumerate(Reason, start=1)}


class Columns:
    """Prices of assets in one quote currency on one venue; only what a frame touches is read again."""

    def __init__(self, venue: str, quote: str, assets: tuple[str, ...]) -> None:
        self._places = {f"{venue}:{asset}/{quote}": place for place, asset in enumerate(assets)}
        size = len(assets)
        self._mid, self._cost = np.zeros(size), np.ones(size)
        self._fault: Codes = np.full(size, CODES[Reason.MISSING_PRICE], dtype=np.int8)
        self._time_us = np.zeros(size, dtype=np.int64)
        self._listed = np.zeros(size, dtype=bool)

    def places(self, instruments: Collection[str]) -> list[int]:
        """Return which of the assets these instruments price."""
        return [self._places[key] for key in instruments if key in self._places]

    def read(self, market: Market, touched: Collection[str] | None) -> None:
        """Take over what a frame touched; None is everything."""
        for key, place in self._places.items() if touched is None else self._touched(touched):
            self._listed[place] = key in market.instruments
            self._take(place, market.quotes.get(key))

    def at(self, event_time_us: int, quote_age_us_max: int) -> Prices:
        """Return the prices as they count at this time: a quote that is too old is none."""
        stale = (self._fault == 0) & (self._time_us < event_time_us - quote_age_us_max)
        fault = np.where(stale, CODES[Reason.STALE_PRICE], self._fault).astype(np.int8)
        return Prices(np.where(fault == 0, self._mid, 0.0), self._cost, fault, self._listed)

    def _touched(self, instruments: Collection[str]) -> list[tuple[str, int]]:
        return [(key, self._places[key]) for key in instruments if key in self._places]

    def _take(self, place: int, quote: Quote | None) -> None:
        fault = Reason.MISSING_PRICE if quote is None else quote.fault()
        self._fault[place] = CODES[Reason(fault)] if fault else 0
        if quote is not None and not fault:
            self._mid[place] = float(quote.mid)
            self._cost[place] = float(touch_cost(quote))
            self._time_us[place] = quote.event_time_us
