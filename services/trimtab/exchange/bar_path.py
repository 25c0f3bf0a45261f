"""The way of a price through one bar: drawn from a generator, from the open over both extremes to the close.

- Which extreme comes first: the low with the chance that a random walk from the open meets it first,
  `(high - open) / (high - low)` (gambler's ruin).
- Between open, extremes and close it walks at random and is held within the bar. Steps are as large as those of a walk
  whose expected range is the bar's (Feller 1951).
- Every step of the way prints a trade, in the direction the price came from: up with a buyer, down with a seller. The
  bar's volume is shared out at random, in whole steps and to the last one. A bar with less volume than steps of the way
  trades at its open, its close and its extremes first.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Ticks = tuple[int, int, int, int]
"""Open, high, low and close."""

_STEP_SECONDS = 15  # a step of the way, unless that were too few or too many of them in a bar
_STEPS_MIN, _STEPS_MAX = 8, 96
_RANGE = math.sqrt(8 / math.pi)  # expected range of a random walk of n steps, over sqrt(n) of them
_WEIGHTS = 2**20


@dataclass(frozen=True, slots=True)
class Print:
    """A moment of the way: price in ticks, volume in steps (may be zero), and whether a buyer came to the ask."""

    time_us: int
    tick: int
    volume: int
    buys: bool


def path(
    ticks: Ticks, volume: int, before: int | None, start_us: int, length_us: int, generator: np.random.Generator
) -> list[Print]:
    """The way through a bar that opens at `start_us`; `before` is the close of the bar before it, in ticks."""
    count = min(max(length_us // (_STEP_SECONDS * 1_000_000), _STEPS_MIN), _STEPS_MAX)
    stations = _stations(ticks, count, generator)
    prices = _prices(ticks, stations, generator)
    volumes = _volumes(volume, count, [index for index, _ in stations], generator)
    found: list[Print] = []
    last, bought = ticks[0] if before is None else before, bool(generator.random() < 0.5)
    moments = _moments(count, start_us, length_us, generator)
    for moment, price, share in zip(moments, prices, volumes, strict=True):
        bought = _buys(price, last, ticks, was=bought)
        found.append(Print(moment, price, share, bought))
        last = price
    return found


def _stations(ticks: Ticks, count: int, generator: np.random.Generator) -> list[tuple[int, int]]:
    """At which of `count` steps the price is where: open, the two extremes, close, in order."""
    start, high, low, close = ticks
    low_first = float(generator.random()) * (high - low) < high - start
    first, second = sorted(int(index) + 1 for index in generator.choice(count - 2, 2, replace=False))
    extremes = (low, high) if low_first else (high, low)
    return [(0, start), (first, extremes[0]), (second, extremes[1]), (count - 1, close)]


def _prices(ticks: Ticks, stations: list[tuple[int, int]], generator: np.random.Generator) -> list[int]:
    _, high, low, _ = ticks
    deviation = (high - low) / (_RANGE * math.sqrt(stations[-1][0]))
    prices = [stations[0][1]]
    for (begin, origin), (end, target) in pairwise(stations):
        walk: NDArray[np.float64] = np.cumsum(generator.standard_normal(end - begin)) * deviation
        for step in range(1, end - begin):
            share = step / (end - begin)
            # Pulled back so far at each step that it arrives: a bridge.
            price = origin + (target - origin) * share + float(walk[step - 1] - share * walk[-1])
            prices.append(min(max(round(price), low), high))
        prices.append(target)
    return prices


def _volumes(volume: int, count: int, stations: list[int], generator: np.random.Generator) -> list[int]:
    """Shares of the volume that sum to it."""
    if volume < count:
        begin, first, second, end = stations
        order = [begin, end, first, second, *(index for index in range(count) if index not in stations)]
        chosen = set(order[:volume])
        return [int(index in chosen) for index in range(count)]
    weights = [int(weight) for weight in generator.integers(1, _WEIGHTS, count)]
    whole = sum(weights)
    shares = [1 + (volume - count) * weight // whole for weight in weights]
    shares[-1] += volume - sum(shares)
    return shares


def _moments(count: int, start_us: int, length_us: int, generator: np.random.Generator) -> list[int]:
    """The open at the very start, every later step somewhere in its own part of the bar."""
    within = [int(part) for part in generator.integers(0, _WEIGHTS, count)]
    moments = (part * _WEIGHTS + within[part] for part in range(1, count))
    return [start_us, *(start_us + moment * length_us // (count * _WEIGHTS) for moment in moments)]


def _buys(price: int, last: int, ticks: Ticks, *, was: bool) -> bool:
    """Buyers lift a price, sellers press it; an extreme is met from inside. Below one tick there is no bid."""
    _, high, low, _ = ticks
    if price == 1:
        return False
    if low < high and price in {low, high}:
        return price == high
    return was if price == last else price > last
