"""A batch of records, handed to a service's handler: in order per partition, partitions side by side."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic

import structlog

from trimtab.adapters import tracing
from trimtab.adapters.kafka.deadletter import DeadLetter, DeadLetters, TooManyDeadLettersError
from trimtab.adapters.kafka.incoming import Incoming
from trimtab.adapters.kafka.retries import Retries
from trimtab.domain.errors import FencedError, LedgerConflictError, UnreachableError
from trimtab.ports.topics import Handler, M, Record

# Partitions that are handled at once: while one waits for its commit, another one works. More would only take the
# database's sessions from everybody else.
_AT_ONCE = 4
# What passes, or is no fault of the record: it is handed in again for as long as that lasts.
_PASSING = (UnreachableError, LedgerConflictError, FencedError)
# A record that breaks its handler in any other way does so each time; a few tries are for what only looks like it.
TRIES_MAX = 5

# Settles what a record that is given up would leave open; it is told what the handler raised.
GiveUp = Callable[[Record[M], Exception], Awaitable[None]]

_log = structlog.get_logger("trimtab.kafka.batch")


@dataclass(frozen=True, slots=True)
class Handling(Generic[M]):
    """What one consumer does with its records, for as long as it runs."""

    handler: Handler[M]
    give_up: GiveUp[M] | None
    dead_letters: DeadLetters
    retries: Retries
    stopping: Callable[[], bool]


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

    async def run(self, handling: Handling[M]) -> None:
        """Hand every record over, each partition's in order, until told to stop.

        Raises:
            TooManyDeadLettersError: if so many are given up that the service has to stop.

        """
        partitions: dict[int, list[Incoming[M]]] = {}
        for item in self.items:
            partitions.setdefault(item.partition, []).append(item)
        turns = asyncio.Semaphore(_AT_ONCE)

        async def work(items: Sequence[Incoming[M]]) -> None:
            async with turns:
                await self._run_partition(items, handling)

        tasks = [asyncio.ensure_future(work(items)) for items in partitions.values()]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()  # of use only when one of them has failed
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _run_partition(self, items: Sequence[Incoming[M]], handling: Handling[M]) -> None:
        progress = self.progress
        for item in items:
            if handling.stopping():
                return
            try:
                await _take(item, handling)
            except TooManyDeadLettersError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever a handler raises, its record is handed in again
                progress.failures[item.partition] = (item.offset, error)
                return
            progress.positions[item.partition] = item.offset + 1
            progress.handled += 1


async def _take(item: Incoming[M], handling: Handling[M]) -> None:
    content = item.content
    if isinstance(content, UnreachableError):
        raise content
    if isinstance(content, DeadLetter):
        await handling.dead_letters.send(content)
        return
    with tracing.attached(item.headers):
        try:
            await handling.handler(content)
        except _PASSING:
            raise
        except Exception as failure:
            if handling.retries.blame(item.partition, item.offset) < TRIES_MAX:
                raise
            await _settle(content, failure, handling)
            await handling.dead_letters.send(item.letter(f"{type(failure).__name__}: {failure}"))


async def _settle(record: Record[M], failure: Exception, handling: Handling[M]) -> None:
    """Let the service settle what it gives up. If it cannot do that either, the records behind still go on."""
    if handling.give_up is None:
        return
    try:
        await handling.give_up(record, failure)
    except _PASSING:
        raise
    except Exception as error:  # noqa: BLE001 - nothing more can be done for this record, only for those behind it
        _log.exception(
            "record given up and left unsettled",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            reason=f"{type(error).__name__}: {error}",
        )
