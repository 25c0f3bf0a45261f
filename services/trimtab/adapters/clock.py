"""The system's wall clock."""

import asyncio
import time


class SystemClock:
    """Implements ports.clock.Clock."""

    def now_us(self) -> int:
        """Return UTC microseconds since 1970."""
        return time.time_ns() // 1_000

    async def sleep(self, seconds: float) -> None:
        """Wait; other tasks run meanwhile."""
        await asyncio.sleep(seconds)
