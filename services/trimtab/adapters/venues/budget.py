"""How many requests a venue gets from this process, and who goes first when they are scarce."""

import asyncio
from dataclasses import dataclass
from enum import Enum

from aiolimiter import AsyncLimiter


class Priority(Enum):
    """Who waits for whom. Values are the share of one request that is charged.

    aiolimiter serves the smallest request first, so a cancel charged a little less overtakes everything that waits.
    """

    CANCEL = 0.99
    ORDER = 0.999
    REST = 1.0


@dataclass(frozen=True, slots=True)
class Held:
    """The budget is not to be had in time: try again after this long."""

    retry_after_ms: int


class Budget:
    """One venue's requests per second, shared by every client of this process that talks to it.

    Binance counts by address, ccxt by client object; hence one budget outside of ccxt.
    """

    def __init__(self, requests_per_second: float) -> None:
        # One second's worth may go at once; a rate below one still lets single requests through.
        self._limiter = AsyncLimiter(max(requests_per_second, 1.0), max(1.0, 1.0 / requests_per_second))
        self._held_until = 0.0

    def hold(self, milliseconds: int) -> None:
        """Let nothing through for so long: the venue asked for it."""
        self._held_until = max(self._held_until, asyncio.get_running_loop().time() + milliseconds / 1_000)

    async def take(self, priority: Priority, wait_ms_max: int) -> Held | None:
        """Wait for one request's share; `Held` when it is not to be had within `wait_ms_max`."""
        pause_ms = self.held_ms()
        if pause_ms > wait_ms_max:
            return Held(pause_ms)
        if pause_ms:
            await asyncio.sleep(pause_ms / 1_000)
        try:
            async with asyncio.timeout(wait_ms_max / 1_000):
                await self._limiter.acquire(priority.value)
        except TimeoutError:
            return Held(wait_ms_max)
        # A ban may have come while this request waited for its turn.
        pause_ms = self.held_ms()
        return Held(pause_ms) if pause_ms else None

    def left(self) -> float:
        """Return the share of the budget that could be spent at once, in tenths; 0 while the venue wants a pause."""
        if self.held_ms():
            return 0.0
        tenth = self._limiter.max_rate / 10
        return sum(self._limiter.has_capacity(tenth * share) for share in range(1, 11)) / 10

    def held_ms(self) -> int:
        """How much longer nothing may go out; 0 if requests may."""
        return max(0, round((self._held_until - asyncio.get_running_loop().time()) * 1_000))
