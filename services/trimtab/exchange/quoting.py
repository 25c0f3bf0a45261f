"""One synthetic symbol's makers and takers: a ladder of quotes around the fair price, trades against it, the diffs.

Prices are whole ticks and quantities whole steps inside, decimals only in the events, so that nothing is rounded twice.
"""

import math
from collections.abc import Iterator
from decimal import Decimal

import numpy as np

from trimtab.exchange.instruments import Instrument
from trimtab.exchange.market import DepthUpdate, Level, MarketEvent, Quote, Snapshot, Trade

_LEVELS = 40
_TOP_VALUE = 18_000.0  # mean at the best price when calm, in cash
_DEPTH_GROWTH = 0.12  # a level k further out holds 1 + k x this times as much
_HALF_SPREAD = 0.00006  # of the price, when calm
_REFRESHED = 6  # levels a side that get a new size in a step
_TRADES_PER_STEP = 0.35
_EVENTS_MAX = 8


class Maker:
    """The book of one symbol, with a `generator` of its own.

    `start` is the first fair price, in quote units; `worth` is what a quote unit is worth then, in cash.
    """

    def __init__(self, rules: Instrument, start: Decimal, worth: Decimal, generator: np.random.Generator) -> None:
        self._rules = rules
        self._tick, self._step = float(rules.tick), float(rules.step)
        self._fair = float(start)
        self._top_notional = _TOP_VALUE / float(worth)
        self._generator = generator
        self._heat = 1.0
        self._id = int(generator.integers(1_000_000, 2_000_000))
        self._sent_id = self._id
        self._trade_id = int(generator.integers(100_000, 200_000))
        self._bids: dict[int, int] = {}
        self._asks: dict[int, int] = {}
        self._changed: tuple[set[int], set[int]] = set(), set()
        self._quote: tuple[int, int, int, int] | None = None
        self._requote()

    def snapshot(self, time_us: int) -> Snapshot:
        """The whole book now; updates follow from its id."""
        self._changed = set(), set()
        self._sent_id = self._id
        bids = tuple(self._level(t, self._bids[t]) for t in sorted(self._bids, reverse=True))
        asks = tuple(self._level(t, self._asks[t]) for t in sorted(self._asks))
        return Snapshot(self._rules.symbol, time_us, self._id, bids, asks)

    def step(self, start_us: int, end_us: int, change: float, heat: float) -> list[MarketEvent]:
        """What happens after `start_us` up to `end_us`, when the fair price has moved by `change` (log)."""
        self._fair *= math.exp(change)
        self._heat = heat
        events: list[MarketEvent] = []
        count = min(int(self._generator.poisson(_TRADES_PER_STEP * heat)), _EVENTS_MAX)
        moments = np.sort(self._generator.integers(1, end_us - start_us, count))
        for moment in moments:
            events += self._take(start_us + int(moment), change)
        self._requote()
        events += self._quoted(end_us)
        events += self._update(end_us)
        return events

    def _take(self, time_us: int, change: float) -> Iterator[MarketEvent]:
        """A market order: one trade at the best price of the side the fair price is moving away from, mostly."""
        buys = self._generator.random() < 0.5 + 0.3 * math.copysign(1.0, change)
        book, side = (self._asks, 1) if buys else (self._bids, 0)
        best = min(book) if buys else max(book)
        share = float(self._generator.pareto(1.5)) * 0.12
        quantity = max(1, min(book[best], int(book[best] * share)))
        if quantity == book[best] and len(book) == 1:
            return
        self._set(side, best, book[best] - quantity)
        self._trade_id += 1
        price, size = self._level(best, quantity)
        yield Trade(self._rules.symbol, time_us, time_us, self._trade_id, price, size, not buys)
        yield from self._quoted(time_us)

    def _requote(self) -> None:
        """Pull the ladder to the fair price: drop what is crossed or too far, fill holes, resize some levels."""
        half = self._fair * _HALF_SPREAD * max(0.5, self._heat) * (0.6 + 0.8 * float(self._generator.random()))
        bid = math.floor((self._fair - half) / self._tick)
        ask = max(math.ceil((self._fair + half) / self._tick), bid + 1)
        self._ladder(0, self._bids, bid, -1)
        self._ladder(1, self._asks, ask, 1)

    def _ladder(self, side: int, book: dict[int, int], best: int, away: int) -> None:
        spacing = max(1, round(self._fair * _HALF_SPREAD / self._tick))
        # Levels stand on a fixed grid of ticks beyond the best, so that most of them stay where they are.
        first = (best // spacing + (1 if away > 0 else 0)) * spacing if spacing > 1 else best
        wanted = [best, *(first + away * spacing * k for k in range(_LEVELS))]
        wanted = sorted({t for t in wanted if t > 0 and (t - best) * away >= 0}, reverse=away < 0)[:_LEVELS]
        keep = set(wanted)
        for tick in [t for t in book if t not in keep]:
            self._set(side, tick, 0)
        picks = self._generator.integers(0, len(wanted), _REFRESHED)
        fresh = {wanted[int(i)] for i in picks} | {best}
        sizes = self._generator.standard_gamma(1.3, len(wanted)) / 1.3
        for index, tick in enumerate(wanted):
            if tick not in book or tick in fresh:
                self._set(side, tick, self._size(index, float(sizes[index])))

    def _size(self, index: int, random: float) -> int:
        notional = self._top_notional * (1 + _DEPTH_GROWTH * index) * random / max(0.5, self._heat)
        return max(1, round(notional / self._fair / self._step))

    def _set(self, side: int, tick: int, size: int) -> None:
        book = self._asks if side else self._bids
        if book.get(tick, 0) == size:
            return
        self._id += 1
        self._changed[side].add(tick)
        if size:
            book[tick] = size
        else:
            del book[tick]

    def _quoted(self, time_us: int) -> Iterator[MarketEvent]:
        """The best bid and ask, if they have changed."""
        bid, ask = max(self._bids), min(self._asks)
        quote = bid, self._bids[bid], ask, self._asks[ask]
        if quote == self._quote:
            return
        self._quote = quote
        (price, size), (ask_price, ask_size) = self._level(*quote[:2]), self._level(*quote[2:])
        yield Quote(self._rules.symbol, time_us, self._id, price, size, ask_price, ask_size)

    def _update(self, time_us: int) -> Iterator[MarketEvent]:
        """The levels that changed since the last update, if any."""
        if self._id == self._sent_id:
            return
        first, self._sent_id = self._sent_id + 1, self._id
        bids = tuple(self._level(t, self._bids.get(t, 0)) for t in sorted(self._changed[0], reverse=True))
        asks = tuple(self._level(t, self._asks.get(t, 0)) for t in sorted(self._changed[1]))
        self._changed = set(), set()
        yield DepthUpdate(self._rules.symbol, time_us, time_us, first, self._id, bids, asks)

    def _level(self, tick: int, size: int) -> Level:
        return tick * self._rules.tick, size * self._rules.step
