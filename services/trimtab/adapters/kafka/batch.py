"""A batch of records, handed to a service's handler one by one on its event loop."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic

from trimtab.adapters import tracing
from trimtab.adapters.kafka.deadletter import DeadLetter, DeadLetters, TooManyDeadLettersError
from trimtab.adapters.kafka.incoming import Incoming
from trimtab.domain.errors import UnreachableError
from trimtab.ports.topics import Handler, M


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
        """Hand every record over in order, until told to stop.

        Raises:
            TooManyDeadLettersError: if so many cannot be decoded that the service has to stop.

        """
        progress = self.progress
        for item in self.items:
            if stopping():
                return
            if item.partition in progress.failures:
                continue
            try:
                await _take(item, handler, dead_letters)
            except TooManyDeadLettersError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever a handler raises, its record is handed in again
                progress.failures[item.partition] = (item.offset, error)
            else:
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
