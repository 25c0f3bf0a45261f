"""Where the time from a tick to an order's answer goes: stages from the times that an order event carries. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from trimtab.demo.measures import Measures
from trimtab.messages import OrderEvent

# The times in the order they are taken, by the names the trail has for them, and what each stage before is called.
_TIMES = (
    ("trimtab.tick_us", ""),
    ("trimtab.sent_us.market.frames", "tick_to_frame"),
    ("trimtab.sent_us.rebalance.signals", "frame_to_signal"),
    ("trimtab.taken_us", "signal_to_executor"),
    ("trimtab.committed_us", "intake_and_commit"),
    ("trimtab.answered_us", "commit_to_answer"),
)
STAGES = tuple(stage for _, stage in _TIMES[1:])


@dataclass(frozen=True, slots=True)
class Path:
    """One order that a signal placed at once: wall clock of the tick (microseconds), and each stage in milliseconds."""

    tick_us: int
    stages_ms: Mapping[str, float]

    @property
    def total_ms(self) -> float:
        """From the tick to the venue's answer."""
        return sum(self.stages_ms.values())

    @classmethod
    def of(cls, times_us: Mapping[str, int]) -> "Path | None":
        """Return the path that these times tell; None if it did not lead through a signal and intake."""
        if any(name not in times_us for name, _ in _TIMES):
            return None
        stages = {stage: (times_us[name] - times_us[before]) / 1_000 for (before, _), (name, stage) in pairwise(_TIMES)}
        return cls(times_us["trimtab.tick_us"], stages)


@dataclass(slots=True)
class StagedMeasures(Measures):
    """A run's measures, and the path of every order that was placed in the transaction that admitted its signal."""

    paths: dict[str, Path] = field(default_factory=dict)

    def on_order(self, event: OrderEvent, times_us: dict[str, int]) -> None:
        """Count an order's step, and keep the path of its first answer."""
        Measures.on_order(self, event, times_us)
        path = Path.of(times_us)
        if path is not None:
            self.paths.setdefault(event.client_order_id, path)
