"""A synthetic market from a seed: the same seed gives the same events, whatever the wall clock does.

All symbols step together every 100 ms of market time. In a step a symbol's fair price moves (prices.py), traders hit
the book now and then, and makers pull their quotes to the new fair price; spread and sizes react to volatility.
Ids follow Binance's rules: every level change is one update id, a quote bears the id it is true after, a depth update
covers all ids since the last one.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

import numpy as np

from trimtab.exchange.instruments import DEFAULT_SYMBOLS, Instrument, listed, start_price
from trimtab.exchange.market import MarketEvent
from trimtab.exchange.prices import Prices
from trimtab.exchange.quoting import Maker

STEP_US = 100_000


class SyntheticMarket:
    """An endless market of some of the listed symbols.

    `volatility` multiplies natural volatility (1 is about BTC 50 % a year), `start_us` dates the first snapshot.
    Raises ValueError for a symbol that is not listed, or a volatility that is not positive.
    """

    def __init__(
        self, seed: int, symbols: Sequence[str] = DEFAULT_SYMBOLS, *, volatility: float = 1.0, start_us: int = 0
    ) -> None:
        if not volatility > 0:
            raise ValueError(f"volatility {volatility}: must be positive")
        self._seed = seed
        self._volatility = volatility
        self._start_us = start_us
        self._instruments: dict[str, Instrument] = {}
        self._starts: dict[str, Decimal] = {}
        for symbol in symbols:
            self._starts[symbol] = start_price(symbol)
            rules = listed(symbol)
            if rules is not None:
                self._instruments[symbol] = rules

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """Trading rules by symbol."""
        return self._instruments

    @property
    def start_us(self) -> int:
        """The time of the first snapshots."""
        return self._start_us

    def events(self) -> Iterator[MarketEvent]:
        """The events, endlessly; every call begins the same market anew."""
        root = np.random.SeedSequence(self._seed)
        price_seed, maker_seed = root.spawn(2)
        bases = [rules.base for rules in self._instruments.values()]
        prices = Prices(bases, np.random.default_rng(price_seed), STEP_US / 1e6, self._volatility)
        makers = [
            Maker(rules, self._starts[symbol], np.random.default_rng(child))
            for (symbol, rules), child in zip(self._instruments.items(), maker_seed.spawn(len(bases)), strict=True)
        ]
        now_us = self._start_us
        for maker in makers:
            yield maker.snapshot(now_us)
        while True:
            moves = prices.step()
            events: list[MarketEvent] = []
            for maker, change, heat in zip(makers, moves.returns, moves.heat, strict=True):
                events += maker.step(now_us, now_us + STEP_US, float(change), float(heat))
            events.sort(key=lambda event: event.time_us)
            yield from events
            now_us += STEP_US
