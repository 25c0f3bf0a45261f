"""The exchange's two clocks: the wall, and the market's, which can be paused and sped up."""

import time


def wall_us() -> int:
    """Microseconds since 1970, UTC."""
    return time.time_ns() // 1000


class MarketClock:
    """Market time in microseconds; runs at `speed` times the wall clock unless paused. Never goes back."""

    def __init__(self, start_us: int, speed: float = 1.0, *, paused: bool = False) -> None:
        self._market_us = start_us
        self._anchor_ns = time.monotonic_ns()
        self._speed = speed
        self._paused = paused

    @property
    def speed(self) -> float:
        """Market seconds a second."""
        return self._speed

    @property
    def paused(self) -> bool:
        """Whether it stands."""
        return self._paused

    def now_us(self) -> int:
        """Market time."""
        if self._paused:
            return self._market_us
        return self._market_us + int((time.monotonic_ns() - self._anchor_ns) * self._speed) // 1000

    def seconds_until(self, market_us: int) -> float:
        """Wall seconds until the market time is reached; zero if it has passed, infinite while paused."""
        if self._paused:
            return float("inf")
        return max(0.0, (market_us - self.now_us()) / self._speed / 1e6)

    def set(self, *, speed: float | None = None, paused: bool | None = None) -> None:
        """Change speed or pause from this moment on.

        Raises ValueError for a speed that is not positive.
        """
        if speed is not None and not speed > 0:
            raise ValueError(f"speed {speed}: must be positive")
        self._market_us = self.now_us()
        self._anchor_ns = time.monotonic_ns()
        self._speed = self._speed if speed is None else speed
        self._paused = self._paused if paused is None else paused
