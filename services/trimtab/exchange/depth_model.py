"""How deep and how wide a book is around its price, from how much is traded there and how much the price moves.

With `v` the volume of a second (base units) and `s` the volatility of a second (of the log price), both as remembered:

- **Spread**: `s sqrt(spread_seconds)`, at least one tick. A spread is about what the price moves by from one trade to
  the next (Wyart et al. 2008, "Relation between bid-ask spread, impact and volatility in order-driven markets").
- **Depth** up to a relative distance `x` from the mid price: `v (touch_seconds + density x / s)`, on each side. What
  stands at the best price is what some seconds trade; behind it as much stands at every distance, that much more the
  more is traded, and spread out over as much more as the price moves. Recorded books are so to within a factor of three
  (docs/exchange.md has the comparison).

Neither depends on how long a bar is: v and s^2 are of a second.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Distances = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DepthModel:
    """The parameters; docs/exchange.md says where each comes from."""

    touch_seconds: float = 3.0
    density: float = 8.0  # square roots of a second: of so many seconds the volume stands within s of the mid price
    spread_seconds: float = 0.01
    reach_seconds: float = 300.0  # so much time's volume stands on one side in all
    levels: int = 20  # a side
    memory_seconds: float = 3600.0  # after so long a bar counts half

    def depth(self, activity: "Activity", distance: Distances) -> Distances:
        """Base units on one side, up to each relative distance from the mid price."""
        scale = self.density / math.sqrt(activity.variance_per_second)
        depth: Distances = activity.volume_per_second * (self.touch_seconds + scale * distance)
        return depth

    def shape(self, activity: "Activity", mid: float, tick: float) -> "Shape":
        """The book around a `mid` price; both in quote units."""
        unit = tick / mid
        # A price that did not move has still moved by up to a tick that nobody saw.
        variance = max(activity.variance_per_second, unit**2 / activity.seconds)
        moving = Activity(activity.seconds, activity.volume_per_second, variance)
        volatility = math.sqrt(moving.variance_per_second)
        spread = max(1, round(volatility * math.sqrt(self.spread_seconds) / unit))
        reach = (self.reach_seconds - self.touch_seconds) * volatility / self.density / unit
        offsets = [0]
        for index in range(1, self.levels):
            offsets.append(max(offsets[-1] + 1, round(reach * (index / (self.levels - 1)) ** 2)))
        sizes = self.depth(moving, (np.array(offsets) + spread / 2) * unit)
        sizes[1:] -= sizes[:-1].copy()  # of each level alone
        return Shape(spread, tuple(offsets), sizes)


@dataclass(frozen=True, slots=True)
class Shape:
    """A book's form: spread and each level's distance from the best price in ticks, each level's size in base units."""

    spread: int
    offsets: tuple[int, ...]
    sizes: Distances


@dataclass(frozen=True, slots=True)
class Activity:
    """What is remembered of the bars so far. `seconds` is the length of one."""

    seconds: float
    volume_per_second: float
    variance_per_second: float

    def then(self, later: "Activity", memory_seconds: float) -> "Activity":
        """With one more bar remembered, the older ones fading."""
        old = 0.5 ** (later.seconds / memory_seconds)
        volume = old * self.volume_per_second + (1 - old) * later.volume_per_second
        variance = old * self.variance_per_second + (1 - old) * later.variance_per_second
        return Activity(later.seconds, volume, variance)


def activity(high: float, low: float, volume: float, seconds: float) -> Activity:
    """Of one bar alone: its variance from its range (Parkinson 1980)."""
    return Activity(seconds, volume / seconds, math.log(high / low) ** 2 / (4 * math.log(2)) / seconds)
