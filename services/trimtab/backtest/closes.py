"""Bars as one book each: what stands in the market when a bar closes, until the next one does.

A market of the whole way through each bar (exchange/bar_market.py) has some sixty events a bar. Where a policy is to be
judged over months, its closes are enough to decide on, and an order meets the book that stands there: spread and depth
by the same model, from the bars so far, so that it pays for taking as it would. It never earns a spread. What an order
takes stands there again some seconds later (tape.py), as the market goes on trading.

Without costs the book is bottomless and as narrow as numbers allow, around the close exactly, and nothing is too small.
"""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import pairwise
from operator import attrgetter

import numpy as np

from trimtab.exchange.bars import Bar, BarFile, bars
from trimtab.exchange.depth_model import Activity, DepthModel, Shape, activity
from trimtab.exchange.instruments import MIN_UNIT, Instrument, known
from trimtab.exchange.market import Level, MarketEvent, Snapshot
from trimtab.exchange.tape_file import TapeError, iso

_LEVELS = 10  # of a side: as many as a frame shows
_PLENTY = Decimal(10) ** 9  # base units
_NO_LIMIT = Decimal(10) ** 15


@dataclass(frozen=True, slots=True)
class Closes:
    """The closes of several symbols' files, side by side; of each symbol one file after another.

    Raises TapeError for files of one symbol that overlap, and for bars of different lengths.
    """

    files: tuple[BarFile, ...]
    costless: bool = False
    model: DepthModel = field(default_factory=lambda: DepthModel(levels=_LEVELS))

    def __post_init__(self) -> None:
        lengths = {file.length_us: file for file in self.files}
        if len(lengths) > 1:
            one, other, *_ = lengths.values()
            raise TapeError(
                f"{other.path}: bars of {other.length_us / 1e6:g} s, those of {one.path} of {one.length_us / 1e6:g} s;"
                " needed: bars of one length"
            )
        for files in self._by_symbol().values():
            for one, other in pairwise(files):
                if other.first_us < one.end_us:
                    raise TapeError(
                        f"{other.path}: begins at {iso(other.first_us)}; needed: bars that begin when those of"
                        f" {one.path} end, {iso(one.end_us)}, or later"
                    )

    @property
    def length_us(self) -> int:
        """How long a bar is."""
        return self.files[0].length_us

    @property
    def start_us(self) -> int:
        """When the first bar of the symbol that comes last closes: then all have a book."""
        return max(files[0].first_us for files in self._by_symbol().values()) + self.length_us

    @property
    def end_us(self) -> int:
        """When the last bar closes."""
        return max(file.end_us for file in self.files)

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """The listed rules, the tick made finer where prices need it; without costs, hardly any."""
        return {symbol: self._rules(files) for symbol, files in self._by_symbol().items()}

    def events(self) -> Iterator[MarketEvent]:
        """A snapshot at every close, in the order of their times."""
        rules = self.instruments
        ways = (self._snapshots(rules[symbol], files) for symbol, files in self._by_symbol().items())
        return heapq.merge(*ways, key=attrgetter("time_us"))

    def _by_symbol(self) -> dict[str, list[BarFile]]:
        found: dict[str, list[BarFile]] = {}
        for file in sorted(self.files, key=attrgetter("base", "quote", "first_us")):
            found.setdefault(file.base + file.quote, []).append(file)
        return found

    def _rules(self, files: Sequence[BarFile]) -> Instrument:
        base, quote = files[0].base, files[0].quote
        tick, step = min(file.tick for file in files), min(file.step for file in files)
        rules = known(base, quote) or Instrument(f"{base}{quote}", base, quote, tick, step)
        rules = replace(rules, tick=min(rules.tick, tick))
        if not self.costless:
            return rules
        return replace(
            rules, tick=MIN_UNIT, step=MIN_UNIT, min_notional=Decimal(0), max_notional=_NO_LIMIT, max_price=_NO_LIMIT,
            max_quantity=_NO_LIMIT, max_market_quantity=_NO_LIMIT,
        )  # fmt: skip

    def _snapshots(self, rules: Instrument, files: Sequence[BarFile]) -> Iterator[Snapshot]:
        number, remembered = 0, None
        for file in files:
            for _, bar in bars(file.path):
                number += 1
                own = activity(float(bar.high), float(bar.low), float(bar.volume), self.length_us / 1e6)
                remembered = own if remembered is None else remembered.then(own, self.model.memory_seconds)
                bids, asks = self._book(rules, bar, remembered)
                yield Snapshot(rules.symbol, bar.open_us + self.length_us, number, bids, asks)

    def _book(self, rules: Instrument, bar: Bar, so_far: Activity) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        if self.costless:
            return ((bar.close - rules.tick, _PLENTY),), ((bar.close + rules.tick, _PLENTY),)
        shape = self.model.shape(so_far, float(bar.close), float(rules.tick))
        bid = max(1, int(bar.close // rules.tick) - shape.spread // 2)
        return tuple(_side(rules, shape, bid, -1)), tuple(_side(rules, shape, bid + shape.spread, 1))


def _side(rules: Instrument, shape: Shape, best: int, away: int) -> Iterator[Level]:
    """One side's levels from its best price (ticks) outwards."""
    unit, step = rules.tick, rules.step
    counts: list[float] = np.rint(shape.sizes / float(step)).tolist()
    for offset, count in zip(shape.offsets, counts, strict=True):
        tick = best + away * offset
        if tick > 0:
            yield tick * unit, max(1, int(count)) * step
