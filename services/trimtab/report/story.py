"""What a report tells of one policy: its figures, its values over time, its trades."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from trimtab.backtest.diary import Deal, Diary
from trimtab.backtest.outcome import Outcome
from trimtab.backtest.score import RISK_AVERSION, YEAR_US
from trimtab.messages import Term
from trimtab.report.series import Series

_DAY_US = 86_400_000_000
_TRAIL_DAYS_MAX = 30


@dataclass(frozen=True)
class Story:
    """One policy by the name that its result is reported under; `figures` are those of the JSON document."""

    name: str
    figures: Mapping[str, Any]
    outcome: Outcome
    diary: Diary

    @cached_property
    def deals(self) -> Sequence[Deal]:
        """Its trades, in the order in which they were decided."""
        return tuple(self.diary.deals.values())

    @cached_property
    def assets(self) -> Sequence[str]:
        """What it holds or wants to hold and what has a band, in the order of its terms."""
        return tuple(dict.fromkeys(term.asset for look in self.diary.looks for term in look.terms if term.half_band))

    def equity(self) -> Series:
        """Return its worth, quote currency."""
        return Series(self.name, self.outcome.score.times_us, self.outcome.score.equities)

    def drawdown(self) -> Series:
        """Return how far equity is below its highest so far, a fraction that is never positive."""
        values = np.array(self.outcome.score.equities)
        return Series(self.name, self.outcome.score.times_us, (values / np.maximum.accumulate(values) - 1).tolist())

    def turnover(self) -> Series:
        """Return what was traded so far over mean equity; a trade counts from when it was decided on."""
        mean = self.outcome.score.mean_equity
        times, sums = [self.outcome.score.times_us[0]], [0.0]
        for deal in self.deals:
            times.append(deal.signal.event_time_us)
            sums.append(float(deal.traded) / mean)
        times.append(self.outcome.score.times_us[-1])
        return Series(self.name, times, [*accumulate(sums), sum(sums)])

    def tracking(self, trail_us: int) -> Series:
        """Return the tracking error of the time that lies back so far, per square root of a year.

        Where looks lie further apart, it is of the time from one to the next.
        """
        times = np.array(self.outcome.score.times_us)
        squares = np.array(self.outcome.score.risks) * 2 / RISK_AVERSION
        sums = np.concatenate((np.zeros(1), np.cumsum(squares)))
        lasts = np.nonzero(times >= times[0] + max(trail_us, 1))[0]
        firsts = np.minimum(np.searchsorted(times, times[lasts] - trail_us), lasts - 1)
        years = (times[lasts] - times[firsts]) / YEAR_US
        values = np.sqrt(np.maximum(sums[lasts] - sums[firsts], 0) / years)
        return Series(self.name, times[lasts].tolist(), values.tolist())

    def trail_us(self) -> int:
        """Return how far `tracking` is to look back: a sixth of the tape, thirty days at most."""
        times = self.outcome.score.times_us
        return min((times[-1] - times[0]) // 6, _TRAIL_DAYS_MAX * _DAY_US)

    def drift(self, asset: str) -> tuple[Series, Series]:
        """Return an asset's drift that counts and the half-width of its band, fractions of equity."""
        found = [(look.time_us, term) for look in self.diary.looks for term in look.terms if term.asset == asset]
        times = [time_us for time_us, _ in found]
        drifts = [float(term.effective_drift) for _, term in found]
        return Series(self.name, times, drifts), Series(self.name, times, [float(term.half_band) for _, term in found])

    def outside(self) -> dict[str, float]:
        """Return by asset the part of the time that it was past its band; "any": that at least one was."""
        spans = dict.fromkeys((*self.assets, "any"), 0)
        total = 0
        for look, following in pairwise(self.diary.looks):
            if not look.terms:
                continue
            length = following.time_us - look.time_us
            total += length
            past = [term.asset for term in look.terms if _past(term)]
            for asset in (*past, *(["any"] if past else [])):
                spans[asset] += length
        return {asset: span / total for asset, span in spans.items()} if total else {}


def _past(term: Term) -> bool:
    return bool(term.half_band) and abs(term.effective_drift) > term.half_band
