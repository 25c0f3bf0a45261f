"""One synthetic symbol's makers and takers: a ladder of quotes around the fair price, and trades against it."""

import math
from collections.abc import Iterator
from decimal import Decimal

import numpy as np

from trimtab.exchange.instruments import Instrument
from trimtab.exchange.liquidity import Side
from trimtab.exchange.market import MarketEvent, Snapshot
from trimtab.exchange.tick_book import TickBook

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
        self._tick, self._step = float(rules.tick), float(rules.step)
        self._fair = float(start)
        self._top_notional = _TOP_VALUE / float(worth)
        self._generator = generator
        self._heat = 1.0
        update_id = int(generator.integers(1_000_000, 2_000_000))
        self._book = TickBook(rules, update_id, int(generator.integers(100_000, 200_000)))
        self._requote()

    def snapshot(self, time_us: int) -> Snapshot:
        """The whole book now; updates follow from its id."""
        return self._book.snapshot(time_us)

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
        events += self._book.quoted(end_us)
        events += self._book.updated(end_us)
        return events

    def _take(self, time_us: int, change: float) -> Iterator[MarketEvent]:
        """A market order: one trade at the best price of the side the fair price is moving away from, mostly."""
        buys = self._generator.random() < 0.5 + 0.3 * math.copysign(1.0, change)
        side: Side = "SELL" if buys else "BUY"
        levels = self._book.side(side)
        best = min(levels) if buys else max(levels)
        share = float(self._generator.pareto(1.5)) * 0.12
        quantity = max(1, min(levels[best], int(levels[best] * share)))
        if quantity == levels[best] and len(levels) == 1:
            return
        self._book.put(side, best, levels[best] - quantity)
        yield self._book.traded(time_us, best, quantity, buyer_is_maker=not buys)
        yield from self._book.quoted(time_us)

    def _requote(self) -> None:
        """Pull the ladder to the fair price: drop what is crossed or too far, fill holes, resize some levels."""
        half = self._fair * _HALF_SPREAD * max(0.5, self._heat) * (0.6 + 0.8 * float(self._generator.random()))
        bid = math.floor((self._fair - half) / self._tick)
        ask = max(math.ceil((self._fair + half) / self._tick), bid + 1)
        self._ladder("BUY", bid, -1)
        self._ladder("SELL", ask, 1)

    def _ladder(self, side: Side, best: int, away: int) -> None:
        levels = self._book.side(side)
        spacing = max(1, round(self._fair * _HALF_SPREAD / self._tick))
        # Levels stand on a fixed grid of ticks beyond the best, so that most of them stay where they are.
        first = (best // spacing + (1 if away > 0 else 0)) * spacing if spacing > 1 else best
        wanted = [best, *(first + away * spacing * k for k in range(_LEVELS))]
        wanted = sorted({t for t in wanted if t > 0 and (t - best) * away >= 0}, reverse=away < 0)[:_LEVELS]
        keep = set(wanted)
        for tick in [t for t in levels if t not in keep]:
            self._book.put(side, tick, 0)
        picks = self._generator.integers(0, len(wanted), _REFRESHED)
        fresh = {wanted[int(i)] for i in picks} | {best}
        sizes = self._generator.standard_gamma(1.3, len(wanted)) / 1.3
        for index, tick in enumerate(wanted):
            if tick not in levels or tick in fresh:
                self._book.put(side, tick, self._size(index, float(sizes[index])))

    def _size(self, index: int, random: float) -> int:
        notional = self._top_notional * (1 + _DEPTH_GROWTH * index) * random / max(0.5, self._heat)
        return max(1, round(notional / self._fair / self._step))
