"""Values over time, and fewer of them for a drawing, with every extreme still there."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

POINTS_MAX = 800


@dataclass(frozen=True, slots=True)
class Series:
    """A policy's values by moment (UTC microseconds, in order); it keeps a value until its next."""

    name: str
    times_us: Sequence[int]
    values: Sequence[float]

    def at(self, time_us: float) -> float | None:
        """Return the value at a moment; None before the first."""
        place = bisect_right(self.times_us, time_us) - 1
        return self.values[place] if place >= 0 else None

    def thinned(self, points_max: int = POINTS_MAX) -> "Series":
        """Return at most so many points: of each of equally many spans the first that is least and the first that is
        greatest, and the two ends. Nothing is averaged, so peaks and troughs keep their heights and moments.
        """
        count = len(self.values)
        if count <= points_max:
            return self
        values = np.array(self.values)
        edges = np.linspace(0, count, (points_max - 2) // 2 + 1).astype(int)
        kept = {0, count - 1}
        for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            kept |= {start + int(values[start:end].argmin()), start + int(values[start:end].argmax())}
        places = sorted(kept)
        return Series(self.name, [self.times_us[i] for i in places], [self.values[i] for i in places])
