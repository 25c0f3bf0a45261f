"""What is wrong with imported data: how often, and where first."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

PLACES_MAX: Final = 5
"""So many places of a kind are named; all are counted."""

GAP, DUPLICATE, DISORDER, NONSENSE, CROSSED, OFF_GRID = KINDS = (
    "gap",
    "duplicate",
    "disorder",
    "nonsense",
    "crossed",
    "off_grid",
)


@dataclass(slots=True)
class Findings:
    """Counts by kind, one of `KINDS`."""

    _counts: dict[str, int] = field(default_factory=dict)
    _places: dict[str, list[str]] = field(default_factory=dict)

    def note(self, kind: str, place: str) -> None:
        """Take note of one."""
        assert kind in KINDS, kind
        self._counts[kind] = self._counts.get(kind, 0) + 1
        places = self._places.setdefault(kind, [])
        if len(places) < PLACES_MAX:
            places.append(place)

    def count(self, kind: str) -> int:
        """Return how many there were of a kind."""
        return self._counts.get(kind, 0)

    def document(self) -> Mapping[str, Mapping[str, Any]]:
        """Return count and first places of every kind."""
        return {kind: {"count": self.count(kind), "first": self._places.get(kind, [])} for kind in KINDS}
