"""A year of correlated random walks without drift, watched every hour."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from trimtab.bench.row import Against, Row
from trimtab.bench.value.book import Floats
from trimtab.bench.value.classic import GRIDS, WEEK_HOURS, best, family
from trimtab.bench.value.region import Region, estimated
from trimtab.bench.value.score import UNIT, Rule, Score, live

_HOURS = 365 * 24
_BLOCK_HOURS = 73
_TUNING_PATHS_MAX = 200


@dataclass(frozen=True, slots=True)
class Setting:
    """Assets with yearly volatilities, one correlation, and targets; cash is the rest. Goals: see `measure`."""

    name: str
    volatilities: tuple[float, ...]
    correlation: float
    targets: tuple[float, ...]
    total_goal: float
    orders_goal: float

    @property
    def covariance(self) -> Floats:
        """Return S per year."""
        volatilities = np.array(self.volatilities)
        likeness = np.full((volatilities.size,) * 2, self.correlation)
        np.fill_diagonal(likeness, 1.0)
        return np.asarray(likeness * np.outer(volatilities, volatilities))

    def market(self, paths: int, seed: int, copies: int = 1) -> Iterator[Floats]:
        """Yield each hour's returns by account and asset: the same paths for every copy, one copy after another."""
        rng = np.random.default_rng(seed)
        root = np.linalg.cholesky(self.covariance / _HOURS)
        fall = np.square(self.volatilities) / (2 * _HOURS)
        for _ in range(_HOURS // _BLOCK_HOURS):
            noise = rng.standard_normal((_BLOCK_HOURS, paths, len(self.targets)))
            for returns in np.expm1(noise @ root.T - fall):
                yield np.tile(returns, (copies, 1)) if copies > 1 else returns

    def accounts(self, count: int) -> Floats:
        """Return the targets of so many accounts."""
        return np.tile(np.array(self.targets), (count, 1))


# The table of the design gives correlation, cost and aversion, not volatilities and weights: with these its classic
# rows come out (weekly calendar 20 and 32 bp, thresholds 14 and 18 to 19).
SETTINGS = (
    Setting("3_assets", (0.55, 0.80, 1.05), 0.7, (0.40, 0.25, 0.10), 9.5, 75),
    Setting("10_assets", tuple(np.linspace(0.55, 1.05, 10).tolist()), 0.6, (0.09,) * 10, 12.3, 125),
)


def measure(paths: int, seed: int) -> list[Row]:
    """Return each setting's rows: the best of each classic family, and the region against the best of all.

    The goals: a quarter less risk + cost than the best classic rule, and the absolute numbers of the setting.
    """
    return [row for setting in SETTINGS for row in _rows(setting, paths, seed)]


def run(setting: Setting, rule: Rule, paths: int, seed: int, copies: int = 1) -> Score:
    """Run a rule through the setting's year; `rule` sees copies times paths accounts."""
    return live(setting.market(paths, seed, copies), rule, setting.accounts(paths * copies), 1.0)


def tuned(setting: Setting, paths: int, seed: int) -> dict[str, float]:
    """Return the best value of each classic family, found on these very paths (which flatters them)."""
    found = {}
    for name, grid in GRIDS.items():
        rule = family(name, np.repeat(np.array(grid, dtype=float), paths), 1.0)
        found[name] = best(name, run(setting, rule, paths, seed, len(grid)))
    return found


def regional(setting: Setting, paths: int, seed: int) -> Score:
    """Return what the product's region does with the true covariance."""
    names = [f"A{i:02}" for i in range(len(setting.targets))]
    rule = Region(setting.accounts(paths), names, estimated(names, setting.covariance))
    return run(setting, rule, paths, seed)


def _rows(setting: Setting, paths: int, seed: int) -> list[Row]:
    prefix = f"value.{setting.name}"
    values = {"weekly": WEEK_HOURS, **tuned(setting, min(paths, _TUNING_PATHS_MAX), seed)}
    classic = {
        name: run(setting, family(name, np.full(paths, value), 1.0), paths, seed) for name, value in values.items()
    }
    region = regional(setting, paths, seed)
    least = min(classic, key=lambda name: classic[name].total)
    against = Against(f"{least}, the best classic rule with {setting.name}", classic[least].total)
    return [
        *(row for name, score in classic.items() for row in classic_rows(f"{prefix}.{name}", score, values[name])),
        Row(f"{prefix}.region", region.total, UNIT, goal=setting.total_goal),
        Row(f"{prefix}.region.risk", float(region.risk.mean()), UNIT),
        Row(f"{prefix}.region.cost", float(region.cost.mean()), UNIT),
        Row(f"{prefix}.region.orders", float(region.orders.mean()), "a year", goal=setting.orders_goal),
        Row(f"{prefix}.region.to_classic", region.total, UNIT, against, goal=0.75),
        Row(f"{prefix}.region.error", 100 * region.error / region.total, "%", goal=1.0),
    ]


def classic_rows(name: str, score: Score, value: float) -> list[Row]:
    """Return what a classic rule came to, and what it was tuned to: hours, or a fraction."""
    return [
        Row(name, score.total, UNIT),
        Row(f"{name}.orders", float(score.orders.mean()), "a year"),
        Row(
            f"{name}.tuned_to", value, "of wealth" if "absolute" in name else "of target" if "relative" in name else "h"
        ),
    ]
