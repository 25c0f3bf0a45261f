"""The trail from a tick to what it caused, as a port: the current trace and the times carried along with it."""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Trail(Protocol):
    """Trace context of the event being handled; it follows every message and outbox row written meanwhile."""

    def tick_us(self) -> int | None:
        """Return when (wall clock) the oldest tick behind this event was received, None if unknown."""

    def stamped(self, name: str, time_us: int) -> AbstractContextManager[None]:
        """Carry one more time along, under this name, with everything written inside."""


class Untracked:
    """Keeps no trail: for tests and simulated worlds."""

    def tick_us(self) -> int | None:
        """Return None: nobody noted it."""

    def stamped(self, name: str, time_us: int) -> AbstractContextManager[None]:
        """Carry nothing along."""
        del name, time_us
        return nullcontext()
