"""A market of bars: one symbol's open, high, low, close and volume, expanded by a depth model.

Each bar becomes a way of its price from open to close (bar_path.py), and around every step of it stands a book whose
spread and depth follow what was traded and how far the price moved before (depth_model.py). A bar's book knows nothing
of the bar itself, but for the very first one. What is random in a bar comes from seed, symbol and the bar's time alone.

Volume that is less than a lot is carried into the next bar. Where bars are missing the market stands still.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from operator import attrgetter
from zlib import crc32

import numpy as np

from trimtab.exchange.bar_path import Print, path
from trimtab.exchange.bars import Bar, BarFile, Refuse, bars
from trimtab.exchange.book import ZERO
from trimtab.exchange.depth_model import Activity, DepthModel, Shape, activity
from trimtab.exchange.instruments import Instrument, known
from trimtab.exchange.liquidity import Side
from trimtab.exchange.market import MarketEvent
from trimtab.exchange.tape_file import TapeError, iso
from trimtab.exchange.tick_book import TickBook

_FIRST_ID = 1_000_000  # of updates and of trades: far from the ids that own orders and trades count from
_LUMPINESS = 4.0  # a level's size is drawn from a gamma distribution of this shape around the model's


class BarMarket:
    """The bars of one symbol's files, played one after another in the order of their times.

    `refuse` hears of rows that cannot be played; without it they are errors. Raises TapeError for files that overlap or
    whose bars differ in length.
    """

    def __init__(
        self,
        files: Sequence[BarFile],
        seed: int = 0,
        model: DepthModel | None = None,
        refuse: Refuse | None = None,
    ) -> None:
        self._files = sorted(files, key=attrgetter("first_us"))
        for one, other in pairwise(self._files):
            if other.first_us < one.end_us or other.length_us != one.length_us:
                raise TapeError(
                    f"{other.path}: bars of {other.length_us / 1e6:g} s from {iso(other.first_us)}; needed: bars of "
                    f"{one.length_us / 1e6:g} s that begin when those of {one.path} end, {iso(one.end_us)}, or later"
                )
        first = self._files[0]
        tick, step = min(file.tick for file in files), min(file.step for file in files)
        rules = known(first.base, first.quote)
        rules = rules or Instrument(f"{first.base}{first.quote}", first.base, first.quote, tick, step)
        self._rules = replace(rules, tick=min(rules.tick, tick))
        self._seed = seed
        self._model = model or DepthModel()
        self._bars = bars if refuse is None else partial(bars, refuse=refuse)

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """The listed rules, the tick made finer where prices need it; else the finest price and volume there are."""
        return {self._rules.symbol: self._rules}

    @property
    def start_us(self) -> int:
        """When the first bar opens."""
        return self._files[0].first_us

    @property
    def end_us(self) -> int:
        """When the last bar ends."""
        return self._files[-1].end_us

    def events(self) -> Iterator[MarketEvent]:
        """The events of every bar; every call begins the same market anew."""
        expansion = _Expansion(self._rules, self._model, self._seed, self._files[0].length_us)
        for file in self._files:
            for _, bar in self._bars(file.path):
                yield from expansion.events(bar)


class _Expansion:
    """One symbol's bars as events: the book as it stands, and what is remembered from bar to bar."""

    def __init__(self, rules: Instrument, model: DepthModel, seed: int, length_us: int) -> None:
        self._rules = rules
        self._model = model
        self._seed = seed
        self._length_us = length_us
        self._book = TickBook(rules, _FIRST_ID, _FIRST_ID)
        self._activity: Activity | None = None
        self._close: int | None = None
        self._carried = ZERO

    def events(self, bar: Bar) -> Iterator[MarketEvent]:
        tick, step = self._rules.tick, self._rules.step
        own = activity(float(bar.high), float(bar.low), float(bar.volume), self._length_us / 1e6)
        shape = self._model.shape(self._activity or own, float(bar.open), float(tick))
        generator = np.random.default_rng([self._seed, crc32(self._rules.symbol.encode()), bar.open_us])
        start, high, low, close = (int(price // tick) for price in (bar.open, bar.high, bar.low, bar.close))
        volume, self._carried = divmod(bar.volume + self._carried, step)
        way = path((start, high, low, close), int(volume), self._close, bar.open_us, self._length_us, generator)
        for moment in way:
            yield from self._moment(moment, shape, generator)
        self._close = close
        self._activity = own if self._activity is None else self._activity.then(own, self._model.memory_seconds)

    def _moment(self, moment: Print, shape: Shape, generator: np.random.Generator) -> Iterator[MarketEvent]:
        begins = not self._book.bids
        bid = max(1, moment.tick - shape.spread) if moment.buys else moment.tick
        ask = moment.tick if moment.buys else moment.tick + shape.spread
        self._stand("BUY", bid, shape, generator)
        self._stand("SELL", ask, shape, generator)
        if begins:
            yield self._book.snapshot(moment.time_us)
        yield from self._book.quoted(moment.time_us)
        yield from self._book.updated(moment.time_us)
        if moment.volume:
            yield self._book.traded(moment.time_us, moment.tick, moment.volume, buyer_is_maker=not moment.buys)

    def _stand(self, side: Side, best: int, shape: Shape, generator: np.random.Generator) -> None:
        """Let one side's levels stand from its best price outwards, and nowhere else."""
        away = -1 if side == "BUY" else 1
        random = generator.standard_gamma(_LUMPINESS, len(shape.offsets)) / _LUMPINESS
        sizes = shape.sizes * random / float(self._rules.step)
        wanted = {
            tick: max(1, round(float(size)))
            for offset, size in zip(shape.offsets, sizes, strict=True)
            if (tick := best + away * offset) > 0
        }
        for tick in [tick for tick in self._book.side(side) if tick not in wanted]:
            self._book.put(side, tick, 0)
        for tick, size in wanted.items():
            self._book.put(side, tick, size)
