"""A batch of records, handed to a service's handler: in order per partition, partitions side by side."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic

from trimtab.adapters import tracing
from trimtab.adapters.kafka.deadletter import DeadLetter, DeadLetters, TooManyDeadLettersError
from trimtab.adapters.kafka.incoming import Incoming
from trimtab.domain.errors import UnreachableError
from trimtab.ports.topics import Handler, M

# Partitions that are handled at once: while one waits for its commit, another one works. More would only take the
# database's sessions from everybody else.
_AT_ONCE = 4


@dataclass(slots=True)
class Progress:
    """How far a batch came: `positions` is what to commit, `failures` the record each stopped partition is at."""

    positions: dict[int, int] = field(default_factory=dict)
    failures: dict[int, tuple[int, Exception]] = field(default_factory=dict)
    handled: int = 0


@dataclass(frozen=True, slots=True)
class Batch(Generic[M]):
    """Records in the order they came. A failed record stops its own partition; the others go on."""

    items: Sequence[Incoming[M]]
    progress: Progress

    async def run(self, handler: Handler[M], dead_letters: DeadLetters, stopping: Callable[[], bool]) -> None:
        """Hand every record over, each partition's in order, until told to stop.

        Raises:
            TooManyDeadLettersError: if so many cannot be decoded that the service has to stop.

        """
        partitions: dict[int, list[Incoming[M]]] = {}
        for item in self.items:
            partitions.setdefault(item.partition, []).append(item)
        turns = asyncio.Semaphore(_AT_ONCE)

        async def work(items: Sequence[Incoming[M]]) -> None:
            async with turns:
                await self._run_partition(items, handler, dead_letters, stopping)

        tasks = [asyncio.ensure_future(work(items)) for items in partitions.values()]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()  # of use only when one of them has failed
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _run_partition(
        self,
        items: Sequence[Incoming[M]],
        handler: Handler[M],
        dead_letters: DeadLetters,
        stopping: Callable[[], bool],
    ) -> None:
        progress = self.progress
        for item in items:
            if stopping():
                return
            try:
                await _take(item, handler, dead_letters)
            except TooManyDeadLettersError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever a handler raises, its record is handed in again
                progress.failures[item.partition] = (item.offset, error)
                return
            progress.positions[item.partition] = item.offset + 1
            progress.handled += 1


async def _take(item: Incoming[M], handler: Handler[M], dead_letters: DeadLetters) -> None:
    content = item.content
    if isinstance(content, UnreachableError):
        raise content
    if isinstance(content, DeadLetter):
        await dead_letters.send(content)
        return
    with tracing.attached(item.headers):
        await handler(content)
