"""The clock of what runs along a tape: it stands until the tape moves it."""

import asyncio


class VirtualClock:
    """Implements ports.clock.Clock; both the wall's time and the market's."""

    def __init__(self) -> None:
        self._now_us = 0

    def now_us(self) -> int:
        """Return UTC microseconds since 1970, as of the last move."""
        return self._now_us

    def move(self, now_us: int) -> None:
        """Let time pass; it never goes back."""
        self._now_us = max(self._now_us, now_us)

    async def sleep(self, seconds: float) -> None:
        """Let others run: nothing here waits for time that only the tape brings."""
        del seconds
        await asyncio.sleep(0)
