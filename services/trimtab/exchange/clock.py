"""The exchange's clocks: the wall, its own, which can go wrong, and the market's, which can be paused and sped up."""

import time

SPEED_MAX = 1_000_000.0
"""Market seconds a second, at most."""


def wall_us() -> int:
    """Microseconds since 1970, UTC."""
    return time.time_ns() // 1000


class ServerClock:
    """The time the exchange believes it is: the wall clock's, unless it is set wrong."""

    def __init__(self) -> None:
        self._offset_us = 0
        self._drift_ppm = 0
        self._since_ns = 0

    def now_us(self) -> int:
        """Microseconds since 1970, as the exchange has them."""
        return wall_us() + self.skew_us()

    def skew_us(self) -> int:
        """How far it is ahead of the wall clock now; negative: behind."""
        elapsed_us = (time.monotonic_ns() - self._since_ns) // 1000 if self._drift_ppm else 0
        return self._offset_us + elapsed_us * self._drift_ppm // 1_000_000

    def set_wrong(self, skew_ms: int, drift_ppm: int) -> None:
        """Jump ahead of the wall clock (negative: behind), and from there gain so many microseconds a second."""
        self._offset_us, self._drift_ppm, self._since_ns = skew_ms * 1000, drift_ppm, time.monotonic_ns()

    def set_right(self) -> None:
        """Agree with the wall clock again."""
        self._offset_us = self._drift_ppm = 0


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
