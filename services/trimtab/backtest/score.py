"""How portfolios fare along a tape: equity, and what drifting from their targets has risked. Statistics, not money.

All portfolios of a world side by side, a row each; assets are columns. Drift is x = w - w*; with the assets' simple
returns r from one look to the next, x' r is what drifting has earned against standing on target, and g / 2 times its
square is what that risked (g: relative risk aversion), as `trimtab bench value` has it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from trimtab.backtest.course import Course, Floats

YEAR_US = 365 * 86_400 * 1_000_000
RISK_AVERSION = 3.0
_BASIS_POINTS = 1e4


@dataclass(frozen=True, slots=True)
class Score:
    """One portfolio's figures; fractions unless the name says otherwise.

    `risks` and `paid` are what drifting risked and trading cost from one time of `times_us` to the next, fractions of
    equity. There is a time for every look, on a long tape for every `looks_each`th (course.py); the figures are of all.
    """

    start_equity: float
    final_equity: float
    mean_equity: float
    years: float
    risk_cost_bp: float
    trading_cost_bp: float
    tracking_error: float
    max_drawdown: float
    yearly_returns: dict[str, float]
    times_us: tuple[int, ...]
    equities: tuple[float, ...]
    risks: tuple[float, ...]
    paid: tuple[float, ...]
    looks_each: int = 1

    @property
    def total_cost_bp(self) -> float:
        """Return risk and cost together, basis points of equity a year."""
        return self.risk_cost_bp + self.trading_cost_bp


class Scores:
    """Looks at prices, at most one every `pause_us`; between two looks what is held does not change but by trades."""

    def __init__(self, names: Sequence[str], assets: Sequence[str], pause_us: int) -> None:
        self._rows = {name: row for row, name in enumerate(names)}
        self._columns = {asset: column for column, asset in enumerate(assets)}
        self._held = np.zeros((len(names), len(assets)))
        self._cash = np.zeros(len(names))
        self._targets = np.zeros_like(self._held)
        self._prices: Floats = np.zeros(len(assets))
        self._pause_us = pause_us
        self._course = Course()
        self._paid_before = np.zeros(len(names))
        self._looks = 0
        self._equity_sum = np.zeros(len(names))
        self._peak = np.zeros(len(names))
        self._drawdown = np.zeros(len(names))
        self._lasts: dict[str, Floats] = {}  # equity as last seen in each calendar year

    def hold(self, name: str, quantities: dict[str, float], cash: float, targets: dict[str, float]) -> None:
        """Take what a portfolio has and wants from now on; units of assets, quote currency, fractions."""
        row = self._rows[name]
        self._cash[row] = cash
        for asset, column in self._columns.items():
            self._held[row, column] = quantities.get(asset, 0.0)
            self._targets[row, column] = targets.get(asset, 0.0)

    def due(self, time_us: int) -> bool:
        """Tell whether it is time for another look."""
        return not self._looks or time_us >= self._course.times_us[-1] + self._pause_us

    def look(self, time_us: int, prices: Sequence[float], paid: Sequence[float]) -> None:
        """Take the prices of all assets at this moment, and what everybody has paid for trading since the start."""
        now, spent = np.array(prices), np.array(paid)
        equity: Floats = self._cash + (self._held * now).sum(axis=1)
        if not self._looks:
            self._course.begin(time_us, equity)
        else:
            before = self._held * self._prices
            worth = (self._cash + before.sum(axis=1))[:, None]
            drifts = np.where(worth > 0, _share(before, worth) - self._targets, 0.0)  # of nothing, nothing has drifted
            # Sums of each row by itself: a matrix product may round differently with the number of portfolios.
            risk = RISK_AVERSION / 2 * (drifts * (now / self._prices - 1)).sum(axis=1) ** 2
            last = self._course.equities[-1]
            share = _share(spent - self._paid_before, np.where(last > 0, last, equity))
            self._course.go_on(time_us, equity, risk, share)
            # What is seen at the very start of a year closes the year before it.
            self._lasts[str(datetime.fromtimestamp((time_us - 1) / 1e6, UTC).year)] = equity
        self._paid_before = spent
        self._prices = now
        self._looks += 1
        self._equity_sum = self._equity_sum + equity
        self._peak = np.maximum(self._peak, equity)
        self._drawdown = np.maximum(self._drawdown, np.where(self._peak > 0, 1 - _share(equity, self._peak), 0.0))

    def cost_so_far(self, name: str) -> float:
        """Return what a portfolio has risked and paid up to the last look, a fraction of equity."""
        row = self._rows[name]
        return math.fsum(each[row] for series in (self._course.risks, self._course.paid) for each in series)

    def score(self, name: str) -> Score:
        """Return a portfolio's figures; there has to have been a look."""
        row, course = self._rows[name], self._course
        equities, risks, paid = (
            np.array([each[row] for each in series]) for series in (course.equities, course.risks, course.paid)
        )
        years = (course.times_us[-1] - course.times_us[0]) / YEAR_US
        risk, cost = (float(series.sum()) / years if years else 0.0 for series in (risks, paid))
        return Score(
            start_equity=float(equities[0]),
            final_equity=float(equities[-1]),
            mean_equity=float(self._equity_sum[row]) / self._looks,
            years=years,
            risk_cost_bp=risk * _BASIS_POINTS,
            trading_cost_bp=cost * _BASIS_POINTS,
            tracking_error=math.sqrt(2 / RISK_AVERSION * risk),
            max_drawdown=float(self._drawdown[row]),
            yearly_returns=_yearly(float(equities[0]), {year: float(last[row]) for year, last in self._lasts.items()}),
            times_us=tuple(course.times_us),
            equities=tuple(equities.tolist()),
            risks=tuple(risks.tolist()),
            paid=tuple(paid.tolist()),
            looks_each=course.looks_each,
        )


def _share(parts: Floats, wholes: Floats) -> Floats:
    """Divide; what is a part of nothing (an owner may take everything out) is 0."""
    found: Floats = np.divide(parts, wholes, out=np.zeros_like(parts), where=wholes > 0)
    return found


def _yearly(first: float, lasts: Mapping[str, float]) -> dict[str, float]:
    """Return by calendar year (UTC) what equity has gained in it; the first and the last may be parts of years.

    A year that began with nothing has gained nothing that could be said as a fraction: it is left out.
    """
    before, found = first, dict[str, float]()
    for year, last in lasts.items():
        if before > 0:
            found[year] = last / before - 1
        before = last
    return found
