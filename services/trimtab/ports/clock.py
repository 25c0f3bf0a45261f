"""Wall clock, as a port."""

from typing import Protocol


class Clock(Protocol):
    """Only request stamps, look-up timers and staleness use the wall clock. Decisions live on event time."""

    def now_us(self) -> int: ...

    async def sleep(self, seconds: float) -> None: ...
