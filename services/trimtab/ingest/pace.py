"""How often frames may go out: on average one an interval, a few at once after a quiet moment. Pure."""


class Pace:
    """A leaky bucket: frames that were not sent while nothing happened may be made up for, `saved_max` at most.

    So a burst after a quiet moment, which is how venues publish, waits for nothing; under load there is one frame an
    interval, however fast the venue is.
    """

    def __init__(self, interval_us: int, saved_max: int) -> None:
        self._interval_us = interval_us
        self._ahead_us = (saved_max - 1) * interval_us
        self._due_us = 0

    def wait_us(self, now_us: int) -> int:
        """Return how long the next frame has to wait."""
        return max(self._due_us - self._ahead_us - now_us, 0)

    def spend(self, now_us: int) -> None:
        """Take note of a frame that went out."""
        self._due_us = max(self._due_us, now_us) + self._interval_us
