"""Three months of real candles: classic rules tuned on the first two, judged on the third and on all."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from trimtab.bench.row import Against, Row
from trimtab.bench.value.book import Book, Floats
from trimtab.bench.value.candles import ASSETS, CANDLE_SECONDS, Candles
from trimtab.bench.value.classic import GRIDS, best, family
from trimtab.bench.value.region import Region
from trimtab.bench.value.score import UNIT, Rule, Score, live
from trimtab.bench.value.simulated import classic_rows
from trimtab.messages import Risk

_PORTFOLIOS = 40
_CASH = (0.05, 0.3)
_STEPS_AN_HOUR = 3_600 / CANDLE_SECONDS
_YEAR_SECONDS = 365 * 86_400
_JUDGED_FROM_US = int(datetime(2024, 3, 1, tzinfo=UTC).timestamp()) * 1_000_000


@dataclass(slots=True)
class Informed:
    """A region that is given each candle's latest estimate before it is asked."""

    region: Region
    estimates: Iterator[Risk | None]
    _latest: Risk | None = None

    def changes(self, step: int, book: Book) -> Floats | None:
        """Return what the region trades on what is known by now."""
        found = next(self.estimates)
        if found is not self._latest:
            self._latest = found
            self.region.estimate(found)
        return self.region.changes(step, book)


@dataclass(frozen=True, slots=True)
class Span:
    """A run of candles, from the close of candle `first` to that of `last`."""

    name: str
    first: int
    last: int

    @property
    def years(self) -> float:
        """Return how long it lasts."""
        return (self.last - self.first) * CANDLE_SECONDS / _YEAR_SECONDS


def measure(folder: Path, seed: int) -> list[Row]:
    """Return the rows of seeded portfolios on all six assets; the goal is a quarter below the best classic rule.

    Raises:
        CandlesError: if there are no candles to read.

    """
    candles = Candles.read(folder)
    targets = portfolios(_PORTFOLIOS, seed)
    cut, end = candles.before(_JUDGED_FROM_US) - 1, len(candles.ends_us) - 1
    values = _tuned(candles, targets, Span("tuning", 0, cut))
    estimates = list(candles.estimates())
    spans = (Span("march", cut, end), Span("quarter", 0, end))
    return [row for span in spans for row in _rows(candles, targets, span, values, estimates)]


def portfolios(count: int, seed: int) -> Floats:
    """Return targets: six assets in random parts, and cash."""
    rng = np.random.default_rng(seed)
    parts = rng.dirichlet(np.ones(len(ASSETS)), count)
    return np.asarray(parts * (1 - rng.uniform(*_CASH, (count, 1))))


def _run(candles: Candles, targets: Floats, span: Span, rule: Rule) -> Score:
    return live(candles.returns[span.first : span.last], rule, targets, span.years)


def _tuned(candles: Candles, targets: Floats, span: Span) -> dict[str, float]:
    """Return the value of each family that is best for all portfolios together."""
    found = {}
    for name, values in GRIDS.items():
        rule = family(name, np.repeat(np.array(values, dtype=float), len(targets)), _STEPS_AN_HOUR)
        found[name] = best(name, _run(candles, np.tile(targets, (len(values), 1)), span, rule))
    return found


def _classic(candles: Candles, targets: Floats, span: Span, values: dict[str, float]) -> dict[str, Score]:
    return {
        name: _run(candles, targets, span, family(name, np.full(len(targets), value), _STEPS_AN_HOUR))
        for name, value in values.items()
    }


def _rows(
    candles: Candles, targets: Floats, span: Span, values: dict[str, float], estimates: list[Risk | None]
) -> list[Row]:
    prefix = f"value.candles.{span.name}"
    classic = _classic(candles, targets, span, values)
    flattered = _classic(candles, targets, span, _tuned(candles, targets, span))
    region = _run(candles, targets, span, Informed(Region(targets, ASSETS, None), iter(estimates[span.first + 1 :])))
    return [
        *(row for name, score in classic.items() for row in classic_rows(f"{prefix}.{name}", score, values[name])),
        Row(f"{prefix}.region", region.total, UNIT, _least(classic, f"of real candles, {span.name}"), goal=0.75),
        Row(f"{prefix}.region.risk", float(region.risk.mean()), UNIT),
        Row(f"{prefix}.region.cost", float(region.cost.mean()), UNIT),
        Row(f"{prefix}.region.orders", float(region.orders.mean()), "a year"),
        Row(
            f"{prefix}.region.to_hindsight",
            region.total,
            UNIT,
            _least(flattered, f"tuned on {span.name} itself, too late"),
        ),
    ]


def _least(classic: dict[str, Score], what: str) -> Against:
    name = min(classic, key=lambda key: classic[key].total)
    return Against(f"best classic rule {what}: {name}", classic[name].total)
