"""Group consumer: partitions shared out by Kafka, records handled in order, offsets committed by hand.

One thread owns the consumer. It takes a batch (poll for the first record, then whatever is there: asking for n at once
would wait out the whole timeout), decodes it, lets the event loop handle it, and commits what was handled. Nothing is
in flight when a rebalance comes: rebalances are served between batches.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from typing import Generic

import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage

from trimtab.adapters.avro import Codec
from trimtab.adapters.kafka.batch import Batch, GiveUp, Handling, Progress
from trimtab.adapters.kafka.client import Complaints, consumer_config
from trimtab.adapters.kafka.deadletter import DeadLetters
from trimtab.adapters.kafka.incoming import incoming
from trimtab.adapters.kafka.retries import Retries
from trimtab.adapters.kafka.threads import run_thread
from trimtab.domain.errors import FencedError, TrimtabError
from trimtab.ports.metrics import Meter, Unmetered
from trimtab.ports.topics import Handler, M
from trimtab.settings import Settings
from trimtab.topics import Topic

POLL_SECONDS = 0.1
BATCH_RECORDS_MAX = 500
LAG_SECONDS = 5.0

OnAssigned = Callable[[list[int]], Awaitable[None]]
OnRevoked = Callable[[list[int], bool], Awaitable[None]]

_log = structlog.get_logger("trimtab.kafka.group")


@dataclass(frozen=True, slots=True)
class Hooks(Generic[M]):
    """What a service does beside handling records; all of it on the event loop.

    `given_up(record, failure)` settles what a record that is set aside would leave open. `assigned(partitions)` and
    `revoked(partitions, lost)` run to their end before any record is taken; after a loss nothing is committed.
    """

    given_up: GiveUp[M] | None = None
    assigned: OnAssigned | None = None
    revoked: OnRevoked | None = None


class GroupConsumer(Generic[M]):
    """Hands every record of a topic's partitions that are ours to `handler`, at least once and in order.

    A handler that raises gets its record again, after a growing pause, and its partition waits meanwhile; other
    partitions go on. FencedError means that another process owns the partition: ours are given up, then asked for anew.
    A record that cannot be decoded goes to the dead letters, and so does one whose handler has failed `TRIES_MAX` times
    for no reason that passes (a part that does not answer, another transaction, another owner).
    """

    def __init__(
        self,
        settings: Settings,
        codec: Codec,
        group: str,
        topic: Topic[M],
        handler: Handler[M],
        hooks: Hooks[M] | None = None,
        *,
        meter: Meter | None = None,
    ) -> None:
        kafka = settings.kafka
        self._codec, self._group, self._topic = codec, group, topic
        self._name = f"{kafka.topic_prefix}{topic.name}"
        self._hooks: Hooks[M] = hooks or Hooks()
        self._meter: Meter = meter or Unmetered()
        self._complaints = Complaints()
        self._config = consumer_config(kafka, group, self._complaints) | {
            "group.id": f"{kafka.topic_prefix}{group}",
            "partition.assignment.strategy": "cooperative-sticky",  # partitions that stay are not interrupted
            "session.timeout.ms": int(kafka.session_timeout_seconds * 1_000),
            "heartbeat.interval.ms": max(int(kafka.session_timeout_seconds * 1_000 / 6), 100),
        }
        self._stopping = threading.Event()
        self._current: Future[None] | None = None
        self._positions: dict[int, int] = {}
        self._retries = Retries()
        letters = DeadLetters(kafka, group, meter=self._meter)
        self._handling = Handling(handler, self._hooks.given_up, letters, self._retries, self._stopping.is_set)
        self._lag_due = 0.0

    async def run(self) -> None:
        """Consume until cancelled: then finish the record in hand, commit, and leave the group.

        Raises:
            TooManyDeadLettersError: if so many records are given up that the service has to stop.

        """
        self._loop = asyncio.get_running_loop()
        await run_thread(self._consume, f"{self._group}-consumer", self._stopping, self._give_up)

    def _give_up(self) -> None:
        """Cancel what holds up the end; the record in hand stays uncommitted."""
        if self._current is not None:
            self._current.cancel()

    def _consume(self) -> None:
        consumer = Consumer(self._config)
        try:
            self._subscribe(consumer)
            while not self._stopping.is_set():
                self._step(consumer)
            self._commit(consumer, self._positions, wait=True)
        finally:
            consumer.close()

    def _subscribe(self, consumer: Consumer) -> None:
        consumer.subscribe([self._name], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)

    def _step(self, consumer: Consumer) -> None:
        """One turn: take a batch, handle it, commit, look after partitions that failed."""
        first = consumer.poll(POLL_SECONDS)
        self._resume(consumer)
        self._report_lag(consumer)
        if first is None:
            return
        messages = [first, *consumer.consume(BATCH_RECORDS_MAX - 1, 0)]
        progress = Progress()
        batch = Batch([incoming(message, self._topic, self._codec) for message in self._sound(messages)], progress)
        try:
            self._on_loop(batch.run(self._handling))
        except CancelledError:
            return
        finally:
            self._settle_batch(consumer, progress)

    def _sound(self, messages: list[KafkaMessage]) -> Iterable[KafkaMessage]:
        """Leave out what is no record, and what was fetched before its partition was stopped."""
        for message in messages:
            error = message.error()
            if error is not None:
                self._complaints(error)
            elif not self._retries.waiting(message.partition() or 0):
                yield message

    def _settle_batch(self, consumer: Consumer, progress: Progress) -> None:
        for partition in progress.positions.keys() - progress.failures.keys():
            self._retries.succeeded(partition)
        self._positions |= progress.positions
        self._commit(consumer, progress.positions, wait=False)
        if progress.handled:
            self._meter.count("consumer_records_total", progress.handled, topic=self._topic.name, group=self._group)
        fenced = False
        for partition, (offset, error) in progress.failures.items():
            if partition in progress.positions:  # it got further than the failure before
                self._retries.succeeded(partition)
            self._stop_partition(consumer, partition, offset, error)
            fenced = fenced or isinstance(error, FencedError)
        if fenced:
            self._rejoin(consumer)

    def _stop_partition(self, consumer: Consumer, partition: int, offset: int, error: Exception) -> None:
        """Go back to the record that failed and read no further until its time has come."""
        attempts = self._retries.failed(partition, time.monotonic())
        place = TopicPartition(self._name, partition, offset)
        with contextlib.suppress(KafkaException):  # the partition was taken from us meanwhile
            consumer.pause([place])
            consumer.seek(place)
        self._meter.count("consumer_failures_total", topic=self._topic.name, group=self._group)
        _log.error(
            "record failed; it is handed in again",
            topic=self._topic.name,
            partition=partition,
            offset=offset,
            attempts=attempts,
            reason=f"{type(error).__name__}: {error}",
            exc_info=None if isinstance(error, TrimtabError) else error,
        )

    def _resume(self, consumer: Consumer) -> None:
        for partition in self._retries.due(time.monotonic()):
            with contextlib.suppress(KafkaException):  # the partition was taken from us meanwhile
                consumer.resume([TopicPartition(self._name, partition)])

    def _rejoin(self, consumer: Consumer) -> None:
        """Leave the group and come back, so that every partition we get comes with a new epoch."""
        _log.warning("fenced off; partitions are given up and asked for anew", topic=self._topic.name)
        consumer.unsubscribe()
        self._positions.clear()
        while consumer.assignment() and not self._stopping.is_set():
            consumer.poll(POLL_SECONDS)
        self._subscribe(consumer)

    def _commit(self, consumer: Consumer, positions: dict[int, int], *, wait: bool) -> None:
        offsets = [TopicPartition(self._name, partition, offset) for partition, offset in positions.items()]
        if not offsets:
            return
        try:
            if wait:
                consumer.commit(offsets=offsets, asynchronous=False)
            else:
                consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as failure:  # what is not committed is handed in again, to whoever gets it
            self._complaints.say("commit", f"{self._topic.name}: {failure.args[0].str()}")

    def _report_lag(self, consumer: Consumer) -> None:
        now = time.monotonic()
        if now < self._lag_due:
            return
        self._lag_due = now + LAG_SECONDS
        for partition, position in self._positions.items():
            _, high = consumer.get_watermark_offsets(TopicPartition(self._name, partition), cached=True)
            if high >= 0:
                lag = max(high - position, 0)
                self._meter.set(
                    "consumer_lag", lag, topic=self._topic.name, partition=str(partition), group=self._group
                )

    def _assigned(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        numbers = self._forget(partitions)
        _log.info("partitions assigned", topic=self._topic.name, group=self._group, partitions=numbers)
        if self._hooks.assigned is None or not numbers:
            return
        attempts = Retries()
        while not self._stopping.is_set():
            try:
                self._on_loop(self._hooks.assigned(numbers))
            except Exception as error:  # noqa: BLE001 - without it no record may be taken: it is tried until it works
                now = time.monotonic()
                attempts.failed(0, now)
                self._complaints.say("on_assigned", f"{type(error).__name__}: {error}")
                while not attempts.due(time.monotonic()) and not self._stopping.wait(POLL_SECONDS):
                    pass
            else:
                return

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        leaving = {place.partition for place in partitions}
        positions = {partition: offset for partition, offset in self._positions.items() if partition in leaving}
        self._commit(consumer, positions, wait=True)
        self._gone(consumer, partitions, lost=False)

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._gone(consumer, partitions, lost=True)

    def _gone(self, consumer: Consumer, partitions: list[TopicPartition], *, lost: bool) -> None:
        with contextlib.suppress(KafkaException):
            consumer.resume(partitions)  # a partition that is paused would be so still when it comes back
        numbers = self._forget(partitions)
        _log.info("partitions gone", topic=self._topic.name, group=self._group, partitions=numbers, lost=lost)
        if self._hooks.revoked is None or not numbers:
            return
        try:
            self._on_loop(self._hooks.revoked(numbers, lost))
        except Exception as error:  # noqa: BLE001 - the partitions are gone, whatever it says
            self._complaints.say("on_revoked", f"{type(error).__name__}: {error}")

    def _forget(self, partitions: list[TopicPartition]) -> list[int]:
        numbers = sorted(place.partition for place in partitions)
        for number in numbers:
            self._retries.forget(number)
            self._positions.pop(number, None)
        return numbers

    def _on_loop(self, work: Awaitable[None]) -> None:
        self._current = asyncio.run_coroutine_threadsafe(_awaited(work), self._loop)
        try:
            self._current.result()
        finally:
            self._current = None


async def _awaited(work: Awaitable[None]) -> None:
    await work
