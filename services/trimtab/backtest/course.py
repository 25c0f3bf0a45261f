"""How portfolios fared from look to look, in a bounded number of stretches: what is kept does not grow with the tape.

A stretch is a look at first. When there are more of them than may be kept, every two neighbours become one, again and
again on a long tape; so at least half as many are kept as may be.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STRETCHES_MAX = 9_000  # an even number; a year of hours has fewer


class Course:
    """Looks at several portfolios side by side, a column each.

    Attributes:
        times_us: of the first look, and of the last one of every stretch.
        equities: at these times, quote currency.
        risks: what drifting risked in every stretch, fractions of equity.
        paid: what trading cost in every stretch, fractions of equity.
        looks_each: looks of a stretch; the last stretch may have fewer.

    """

    def __init__(self, stretches_max: int | None = None) -> None:
        self.times_us: list[int] = []
        self.equities: list[Floats] = []
        self.risks: list[Floats] = []
        self.paid: list[Floats] = []
        self.looks_each = 1
        self._stretches_max = stretches_max or STRETCHES_MAX
        self._looks = 0  # of the last stretch

    def begin(self, time_us: int, equity: Floats) -> None:
        """Take the first look."""
        self.times_us.append(time_us)
        self.equities.append(equity)

    def go_on(self, time_us: int, equity: Floats, risk: Floats, paid: Floats) -> None:
        """Take another look, with what was risked and paid since the one before it."""
        if 0 < self._looks < self.looks_each:
            self.times_us[-1], self.equities[-1] = time_us, equity
            self.risks[-1] = self.risks[-1] + risk
            self.paid[-1] = self.paid[-1] + paid
            self._looks += 1
            return
        if len(self.risks) == self._stretches_max:
            self._halve()
        self.times_us.append(time_us)
        self.equities.append(equity)
        self.risks.append(risk)
        self.paid.append(paid)
        self._looks = 1

    def _halve(self) -> None:
        """Make one of every two stretches, all of which are whole."""
        self.times_us = [self.times_us[0], *self.times_us[2::2]]
        self.equities = [self.equities[0], *self.equities[2::2]]
        self.risks = [one + other for one, other in zip(self.risks[::2], self.risks[1::2], strict=True)]
        self.paid = [one + other for one, other in zip(self.paid[::2], self.paid[1::2], strict=True)]
        self.looks_each *= 2
