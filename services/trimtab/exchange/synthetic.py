"""A synthetic market from a seed: the same seed gives the same events, whatever the wall clock does.

All symbols step together every 100 ms of market time. In a step a symbol's fair price moves (prices.py), traders hit
the book now and then, and makers pull their quotes to the new fair price; spread and sizes react to volatility.
Ids follow Binance's rules: every level change is one update id, a quote bears the id it is true after, a depth update
covers all ids since the last one.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

import numpy as np

from trimtab.exchange.instruments import CASH, DEFAULT_SYMBOLS, Instrument, listed, start_price, start_worth
from trimtab.exchange.market import MarketEvent
from trimtab.exchange.prices import Moves, Prices
from trimtab.exchange.quoting import Maker

STEP_US = 100_000


class SyntheticMarket:
    """An endless market of some of the listed symbols; the price of a pair without cash follows from its two assets.

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
        pairs = list(self._instruments.values())
        assets = tuple(dict.fromkeys([*(rules.base for rules in pairs), *(rules.quote for rules in pairs)]))
        moving = [asset for asset in assets if asset != CASH]
        prices = Prices(moving, np.random.default_rng(price_seed), STEP_US / 1e6, self._volatility)
        makers = [
            Maker(rules, self._starts[rules.symbol], start_worth(rules.quote), np.random.default_rng(child))
            for rules, child in zip(pairs, maker_seed.spawn(len(pairs)), strict=True)
        ]
        now_us = self._start_us
        for maker in makers:
            yield maker.snapshot(now_us)
        while True:
            moves = prices.step()
            events: list[MarketEvent] = []
            for maker, rules in zip(makers, pairs, strict=True):
                change, heat = _of_pair(moves, moving, rules)
                events += maker.step(now_us, now_us + STEP_US, change, heat)
            events.sort(key=lambda event: event.time_us)
            yield from events
            now_us += STEP_US


def _of_pair(moves: Moves, moving: Sequence[str], rules: Instrument) -> tuple[float, float]:
    """How far a pair's price moves in a step (log), and how hot its market is."""
    base = moving.index(rules.base)
    change, heat = float(moves.returns[base]), float(moves.heat[base])
    if rules.quote == CASH:
        return change, heat
    quote = moving.index(rules.quote)
    return change - float(moves.returns[quote]), (heat + float(moves.heat[quote])) / 2
