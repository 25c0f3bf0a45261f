"""When a partition whose record failed is tried again, and how often a record failed by itself."""

import random

FIRST_SECONDS = 0.1
SECONDS_MAX = 10.0


class Retries:
    """Backoff per partition: doubling from 0.1 s to 10 s, half of it jitter. Times are the caller's clock."""

    def __init__(self) -> None:
        self._waiting: dict[int, float] = {}
        self._attempts: dict[int, int] = {}
        self._blamed: dict[int, tuple[int, int]] = {}  # by partition: offset, and how often it was to blame

    def failed(self, partition: int, now: float) -> int:
        """Note a failure; return how many there were in a row."""
        attempts = self._attempts.get(partition, 0) + 1
        self._attempts[partition] = attempts
        wait = min(FIRST_SECONDS * 2 ** min(attempts - 1, 16), SECONDS_MAX)
        self._waiting[partition] = now + wait * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, no secret
        return attempts

    def blame(self, partition: int, offset: int) -> int:
        """Note that a record failed and nothing else can be to blame; return how often this one has."""
        known, times = self._blamed.get(partition, (offset, 0))
        times = times + 1 if known == offset else 1
        self._blamed[partition] = offset, times
        return times

    def succeeded(self, partition: int) -> None:
        """Forget a partition's failures."""
        self._attempts.pop(partition, None)

    def forget(self, partition: int) -> None:
        """Forget a partition that is ours no more."""
        self._attempts.pop(partition, None)
        self._blamed.pop(partition, None)
        self._waiting.pop(partition, None)

    def waiting(self, partition: int) -> bool:
        """Tell whether a partition must not be read yet."""
        return partition in self._waiting

    def due(self, now: float) -> list[int]:
        """Return and release the partitions whose time has come."""
        partitions = [partition for partition, due in self._waiting.items() if due <= now]
        for partition in partitions:
            del self._waiting[partition]
        return partitions
