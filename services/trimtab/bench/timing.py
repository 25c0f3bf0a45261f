"""How long a call takes, on a machine that does other things too."""

import time
from collections.abc import Callable
from statistics import median

_ROUNDS = 9
_ROUND_SECONDS = 0.05


def microseconds(call: Callable[[], object]) -> float:
    """Return the median over a few rounds of a call's mean time, in microseconds; a round lasts 50 ms or so."""
    once = _timed(call, 1)
    count = max(int(_ROUND_SECONDS / max(once, 1e-7)), 1)
    return median(_timed(call, count) / count for _ in range(_ROUNDS)) * 1e6


def _timed(call: Callable[[], object], count: int) -> float:
    began = time.perf_counter()
    for _ in range(count):
        call()
    return time.perf_counter() - began
