"""The rules everybody knows: everything back to its target, by the calendar or past a threshold."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from trimtab.bench.value.book import Book, Floats
from trimtab.bench.value.score import Rule, Score

# What each family is tuned over. Calendar in hours: half a day to a quarter; thresholds on |x| and on |x| / w*.
GRIDS: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "calendar": (12, 24, 48, 84, 168, 336, 504, 730, 1_095, 1_460, 2_190),
        "absolute": (0.01, 0.015, 0.02, 0.025, 0.03, 0.035, 0.04, 0.05, 0.06, 0.07, 0.09),
        "relative": (0.08, 0.12, 0.16, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.8),
    }
)
WEEK_HOURS = 168.0


@dataclass(frozen=True, slots=True)
class Calendar:
    """Trades every so many steps, an entry an account."""

    steps: Floats

    def changes(self, step: int, book: Book) -> Floats | None:
        """Return every account's way back whose turn it is."""
        return _back(book, step % self.steps == 0)


@dataclass(frozen=True, slots=True)
class Absolute:
    """Trades when a weight, or cash, is off by so much of wealth, an entry an account."""

    bounds: Floats

    def changes(self, step: int, book: Book) -> Floats | None:
        """Return every account's way back that is past its bound."""
        del step
        beyond = (np.abs(book.drifts).max(axis=1) >= self.bounds) | (np.abs(book.cash_drifts) >= self.bounds)
        return _back(book, beyond)


@dataclass(frozen=True, slots=True)
class Relative:
    """Trades when a weight, or cash, is off by so much of its target, an entry an account."""

    bounds: Floats

    def changes(self, step: int, book: Book) -> Floats | None:
        """Return every account's way back that is past its bound; no target, no bound."""
        del step
        beyond = (np.abs(book.drifts) >= self.bounds[:, None] * _or_never(book.targets)).any(axis=1)
        return _back(book, beyond | (np.abs(book.cash_drifts) >= self.bounds * _or_never(book.cash_targets)))


def family(name: str, values: Floats, steps_an_hour: float) -> Rule:
    """Return the rule of this family (a key of GRIDS, or weekly), with a value an account."""
    match name:
        case "calendar" | "weekly":
            return Calendar(np.round(values * steps_an_hour))
        case "absolute":
            return Absolute(values)
        case _:
            return Relative(values)


def best(name: str, score: Score) -> float:
    """Return the value of a family's grid with the least risk + cost, from a run of it, accounts value by value."""
    size = score.risk.size // len(GRIDS[name])
    totals = [score.part(slice(i * size, (i + 1) * size)).total for i in range(len(GRIDS[name]))]
    return GRIDS[name][int(np.argmin(totals))]


def _back(book: Book, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Floats | None:
    return np.where(chosen[:, None], -book.drifts, 0.0) if chosen.any() else None


def _or_never(targets: Floats) -> Floats:
    return np.where(targets > 1e-12, targets, np.inf)
