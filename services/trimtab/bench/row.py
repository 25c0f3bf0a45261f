"""One measure as `trimtab bench` reports it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trimtab.demo.measures import percentile

_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Against:
    """What a value is held against, measured in the same run and the same unit."""

    what: str
    value: float


@dataclass(frozen=True, slots=True)
class Row:
    """A measure. `goal` bounds the ratio if there is something to hold against, else the value; None: no goal.

    `value` is None when nothing could be measured: then a goal is not met.
    """

    name: str
    value: float | None
    unit: str
    against: Against | None = None
    goal: float | None = None

    @property
    def ratio(self) -> float | None:
        """Return value over what it is held against."""
        if self.value is None or self.against is None or self.against.value <= 0:
            return None
        return self.value / self.against.value

    @property
    def met(self) -> bool | None:
        """Tell whether the goal is met; None without one."""
        if self.goal is None:
            return None
        bounded = self.value if self.against is None else self.ratio
        return bounded is not None and bounded <= self.goal

    def document(self) -> dict[str, Any]:
        """Return the measure as the contract has it."""
        against = self.against and {"what": self.against.what, "value": _short(self.against.value)}
        return {
            "name": self.name,
            "value": _short(self.value),
            "unit": self.unit,
            "against": against,
            "ratio": _short(self.ratio),
            "goal": self.goal,
            "met": self.met,
        }


def percentile_rows(
    name: str, unit: str, values: Sequence[float], floor: Sequence[float], what: str, goal: float | None = None
) -> list[Row]:
    """Return p50 and p99 of values, each against the same percentile of the floor; the goal is for p99."""
    rows = []
    for label, share in (("p50", 0.50), ("p99", 0.99)):
        least = percentile(floor, share)
        against = None if least is None else Against(f"{what}, {label}", least)
        rows.append(Row(f"{name}.{label}", percentile(values, share), unit, against, goal if label == "p99" else None))
    return rows


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{_DIGITS}g}")
