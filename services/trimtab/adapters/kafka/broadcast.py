"""Broadcast reader: every process reads the whole of a single-partition topic, in no group.

A thread polls, decodes and hands batches to the event loop; it takes the next batch only when the last one is handled,
so that a busy loop gets larger batches and never a growing queue.
"""

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic

import structlog
from confluent_kafka import OFFSET_END, Consumer, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage
from opentelemetry import context as otel

from trimtab.adapters import tracing
from trimtab.adapters.avro import Codec
from trimtab.adapters.kafka.client import Complaints, consumer_config
from trimtab.adapters.kafka.deadletter import DeadLetter, DeadLetters
from trimtab.adapters.kafka.incoming import Incoming, incoming
from trimtab.adapters.kafka.threads import run_thread
from trimtab.domain.errors import UnreachableError
from trimtab.ports.metrics import Meter, Unmetered
from trimtab.ports.topics import M, Record
from trimtab.settings import Settings
from trimtab.topics import Topic

PARTITION = 0
POLL_SECONDS = 0.1
RETRY_SECONDS = 0.5
LOOKUP_SECONDS_MAX = 5.0
BATCH_RECORDS_MAX = 500
HANDLED_SECONDS = 0.2
SLICE_SECONDS = 0.01  # as long, and the record in hand, others on the event loop may have to wait

_log = structlog.get_logger("trimtab.kafka.broadcast")


@dataclass(frozen=True, slots=True)
class Start:
    """Where to begin: an offset, so many seconds ago (by the records' own timestamps), or else at the end."""

    offset: int | None = None
    seconds_ago: float | None = None


FROM_BEGINNING = Start(offset=0)
FROM_END = Start()


class BroadcastReader(Generic[M]):
    """Calls `on_record` on the event loop for every record, in order, with the record's trace context current.

    `on_record` must be quick; if it raises, that is logged and counted, and the next record follows. However many
    records there are, others on the loop get their turn between them (`SLICE_SECONDS`). `end_offset` is where the topic
    ended when reading began (None before); `caught_up()` waits until everything before it was handled.
    """

    def __init__(
        self,
        settings: Settings,
        codec: Codec,
        topic: Topic[M],
        on_record: Callable[[Record[M]], None],
        *,
        start: Start = FROM_END,
        client_id: str = "trimtab-broadcast",
        meter: Meter | None = None,
    ) -> None:
        kafka = settings.kafka
        self._codec, self._topic, self._on_record, self._start = codec, topic, on_record, start
        self._name = f"{kafka.topic_prefix}{topic.name}"
        self._client_id = client_id
        self._meter: Meter = meter or Unmetered()
        self._dead_letters = DeadLetters(kafka, client_id, meter=self._meter)
        self._complaints = Complaints()
        self._config = consumer_config(kafka, client_id, self._complaints) | {
            "group.id": f"{kafka.topic_prefix}{client_id}-unused",  # the client insists on one; nothing is committed
        }
        self._stopping = threading.Event()
        self._ready = asyncio.Event()
        self.end_offset: int | None = None
        self.position = 0

    async def run(self) -> None:
        """Read until cancelled.

        Raises:
            TooManyDeadLettersError: if so many records cannot be decoded that the service has to stop.

        """
        self._loop = asyncio.get_running_loop()
        await run_thread(self._read, self._client_id, self._stopping)

    async def caught_up(self) -> None:
        """Return once every record before `end_offset` was handled."""
        await self._ready.wait()

    def _read(self) -> None:
        consumer = Consumer(self._config)
        try:
            self._assign(consumer)
            while not self._stopping.is_set():
                first = consumer.poll(POLL_SECONDS)
                if first is None:
                    continue
                messages = [first, *consumer.consume(BATCH_RECORDS_MAX - 1, 0)]
                for message in messages:
                    if (error := message.error()) is not None:
                        self._complaints(error)
                items = [self._decoded(message) for message in messages if message.error() is None]
                self._hand_over([item for item in items if item is not None])
        finally:
            consumer.close()

    def _assign(self, consumer: Consumer) -> None:
        """Find the end and the place to begin; the broker and the topic are waited for."""
        while not self._stopping.is_set():
            try:
                low, high = consumer.get_watermark_offsets(
                    TopicPartition(self._name, PARTITION), timeout=LOOKUP_SECONDS_MAX
                )
                begin = self._begin(consumer, low, high)
            except KafkaException as failure:
                self._complaints.say("start", f"{self._name}: {failure.args[0].str()}")
                self._stopping.wait(RETRY_SECONDS)
                continue
            consumer.assign([TopicPartition(self._name, PARTITION, begin)])
            self.end_offset, self.position = high, begin
            if begin >= high:
                self._loop.call_soon_threadsafe(self._ready.set)
            _log.info("reading", topic=self._topic.name, begin=begin, end=high)
            return

    def _begin(self, consumer: Consumer, low: int, high: int) -> int:
        if self._start.offset is not None:
            return min(max(self._start.offset, low), high)
        if self._start.seconds_ago is None:
            return high
        time_ms = int((time.time() - self._start.seconds_ago) * 1_000)
        place = TopicPartition(self._name, PARTITION, time_ms)
        found = consumer.offsets_for_times([place], timeout=LOOKUP_SECONDS_MAX)[0]
        return high if found.offset in {OFFSET_END, -1} else max(found.offset, low)

    def _decoded(self, message: KafkaMessage) -> Incoming[M] | None:
        """Decode a record; one that cannot be decoded goes to the dead letters. What is not answered is asked again."""
        while not self._stopping.is_set():
            item = incoming(message, self._topic, self._codec)
            try:
                if isinstance(item.content, UnreachableError):
                    raise item.content
                if isinstance(item.content, DeadLetter):
                    self._dead_letters.put(item.content)
            except UnreachableError as error:
                self._complaints.say(error.part, str(error))
                self._stopping.wait(RETRY_SECONDS)
                continue
            return item
        return None

    def _hand_over(self, items: Sequence[Incoming[M]]) -> None:
        handled = threading.Event()
        prepared = [(item.content, _context(item)) for item in items if isinstance(item.content, Record)]
        position = items[-1].offset + 1 if items else self.position
        waiting = iter(prepared)

        def deliver() -> None:
            if self._stopping.is_set():
                return
            until = time.monotonic() + SLICE_SECONDS
            for record, context in waiting:
                self._call(context, record)
                if time.monotonic() >= until:
                    self._loop.call_soon(deliver)
                    return
            self.position = position
            if position >= (self.end_offset or 0):
                self._ready.set()
            handled.set()

        self._loop.call_soon_threadsafe(deliver)
        while not handled.wait(HANDLED_SECONDS) and not self._stopping.is_set():
            pass
        self._meter.count("consumer_records_total", len(prepared), topic=self._topic.name, group=self._client_id)

    def _call(self, context: contextvars.Context, record: Record[M]) -> None:
        try:
            context.run(self._on_record, record)
        except Exception as error:  # noqa: BLE001 - a broadcast has no place to go back to; the next record follows
            self._meter.count("consumer_failures_total", topic=self._topic.name, group=self._client_id)
            _log.error("record failed", topic=self._topic.name, offset=record.offset, exc_info=error)


def _context(item: Incoming[M]) -> contextvars.Context:
    context = contextvars.copy_context()
    context.run(otel.attach, tracing.context_of(item.headers))
    return context
