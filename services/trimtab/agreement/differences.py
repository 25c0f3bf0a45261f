"""What came of holding one course against the other: what is equal, and each difference with its causes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from trimtab.agreement.decisions import Cause

Kind = Literal["signal", "order", "fill"]
KINDS: tuple[Kind, ...] = ("signal", "order", "fill")
UNEXPLAINED = "unexplained"
"""The cause of what has none that could be shown."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference: when (market time, UTC microseconds), and what pipeline and engine have, in words."""

    kind: Kind
    at_us: int
    signal_id: str
    pipeline: str
    engine: str
    causes: tuple[Cause, ...]

    @property
    def explained(self) -> bool:
        """Whether it has a cause, and all of it has."""
        return bool(self.causes) and all(cause.name != UNEXPLAINED for cause in self.causes)


@dataclass(slots=True)
class Tally:
    """How many of a kind each side has, and how many came out equal."""

    pipeline: int = 0
    engine: int = 0
    equal: int = 0


@dataclass(slots=True)
class Agreement:
    """The whole comparison, in the order of time. `lags_us` are how long each first order took from its frame."""

    tallies: dict[Kind, Tally] = field(default_factory=lambda: {kind: Tally() for kind in KINDS})
    differences: list[Difference] = field(default_factory=list)
    lags_us: list[int] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether nothing is left unexplained."""
        return not self.unexplained

    @property
    def unexplained(self) -> Sequence[Difference]:
        """The differences without a cause."""
        return [each for each in self.differences if not each.explained]

    def causes(self, kind: Kind) -> Counter[str]:
        """Count differences of a kind by cause; one that has several counts for each."""
        found = [each for each in self.differences if each.kind == kind]
        return Counter(name for each in found for name in sorted({cause.name for cause in each.causes}))

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        rows: dict[str, Any] = {}
        for kind, tally in self.tallies.items():
            own = [each for each in self.differences if each.kind == kind]
            explained = sum(each.explained for each in own)
            rows[f"{kind}s"] = {
                "pipeline": tally.pipeline,
                "engine": tally.engine,
                "equal": tally.equal,
                "explained": explained,
                "unexplained": len(own) - explained,
                "causes": dict(sorted(self.causes(kind).items())),
            }
        return rows
