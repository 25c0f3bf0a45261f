"""When a part that died is started again: the caller's choice, with growing pauses and a limit."""

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Literal

Restart = Literal["never", "on_crash"]

LIMIT = 5  # restarts of one part within the window
WINDOW_SECONDS = 60.0
FIRST_PAUSE_SECONDS = 0.25


class Restarts:
    """Counts each part's crashes and says how long to wait before the next start."""

    def __init__(self, policy: Restart, clock: Callable[[], float] = time.monotonic) -> None:
        self.policy = policy
        self._clock = clock
        self._crashes: dict[str, deque[float]] = defaultdict(deque)
        self._lock = threading.Lock()

    def pause_after_crash(self, part: str) -> float | None:
        """Note a crash; the pause in seconds before the part is started again, or None to leave it down."""
        if self.policy == "never":
            return None
        with self._lock:
            crashes = self._crashes[part]
            now = self._clock()
            while crashes and now - crashes[0] > WINDOW_SECONDS:
                crashes.popleft()
            crashes.append(now)
            if len(crashes) > LIMIT:
                return None
            return float(FIRST_PAUSE_SECONDS * 2 ** (len(crashes) - 1))
