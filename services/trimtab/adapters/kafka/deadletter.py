"""Dead letters: records that are given up, kept as they were, with the reason and where they stood."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer

from trimtab.adapters.avro import schema_id_of
from trimtab.adapters.kafka.client import Complaints, producer_config
from trimtab.domain.errors import TrimtabError, UnreachableError
from trimtab.ports.metrics import Meter, Unmetered
from trimtab.settings import KafkaSettings
from trimtab.topics import topic_named

ACKNOWLEDGED_SECONDS_MAX = 35.0  # a little more than the producer itself takes to give up
REASON_CHARACTERS_MAX = 1_000
MINUTE_SECONDS = 60.0

_log = structlog.get_logger("trimtab.kafka.deadletter")


class TooManyDeadLettersError(TrimtabError):
    """More records are given up than a few bad ones explain: rather the service stops than throws all away."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record as it was found; `topic` is named without prefix."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    reason: str


class DeadLetters:
    """Writes dead letters to their topics, acknowledged, at most `kafka.dead_letters_per_minute_max` a minute.

    Usable from any thread.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        consumer: str,
        *,
        meter: Meter | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`consumer` names who gives the records up."""
        self._kafka = kafka
        self._consumer = consumer
        self._per_minute_max = kafka.dead_letters_per_minute_max
        self._meter: Meter = meter or Unmetered()
        self._clock = clock
        self._times: deque[float] = deque()
        self._lock = threading.Lock()
        self._producer: Producer | None = None

    def put(self, letter: DeadLetter) -> None:
        """Write one letter and return once it is acknowledged.

        Raises:
            TooManyDeadLettersError: if this minute has had its share; the record is not written.
            UnreachableError: if Kafka does not acknowledge it.

        """
        with self._lock:
            self._admit(letter)
            self._send(letter)
            self._times.append(self._clock())
        self._meter.count("dead_letters_total", topic=letter.topic)
        _log.error(
            "dead letter",
            topic=letter.topic,
            partition=letter.partition,
            offset=letter.offset,
            reason=letter.reason,
        )

    async def send(self, letter: DeadLetter) -> None:
        """Do as `put` does, without holding up the event loop."""
        await asyncio.to_thread(self.put, letter)

    def _admit(self, letter: DeadLetter) -> None:
        now = self._clock()
        while self._times and now - self._times[0] >= MINUTE_SECONDS:
            self._times.popleft()
        if len(self._times) >= self._per_minute_max:
            raise TooManyDeadLettersError(
                f"{self._consumer} gave up {len(self._times)} records within a minute (allowed: "
                f"{self._per_minute_max}) and stops before {letter.topic}, partition {letter.partition}, "
                f"offset {letter.offset}: {letter.reason}"
            )

    def _send(self, letter: DeadLetter) -> None:
        if self._producer is None:
            self._producer = Producer(producer_config(self._kafka, self._consumer, Complaints()))
        answers: list[KafkaError | None] = []

        def delivered(error: KafkaError | None, _: Any) -> None:
            answers.append(error)

        topic = f"{self._kafka.topic_prefix}{topic_named(letter.topic).dead_letters}"
        try:
            self._producer.produce(
                topic,
                value=letter.value,
                key=letter.key,
                headers=_headers(letter, self._consumer),
                on_delivery=delivered,
            )
        except (KafkaException, BufferError) as failure:
            raise UnreachableError("Kafka", self._kafka.bootstrap_servers, f"{topic}: {failure}") from None
        self._producer.flush(ACKNOWLEDGED_SECONDS_MAX)
        error = answers[0] if answers else "no answer"
        if error is not None:
            raise UnreachableError("Kafka", self._kafka.bootstrap_servers, f"{topic}: {error}")


def _headers(letter: DeadLetter, consumer: str) -> list[tuple[str, str | bytes | None]]:
    schema_id = schema_id_of(letter.value)
    notes = {
        "dlq.reason": letter.reason[:REASON_CHARACTERS_MAX],
        "dlq.topic": letter.topic,
        "dlq.partition": str(letter.partition),
        "dlq.offset": str(letter.offset),
        "dlq.timestamp_ms": str(letter.timestamp_ms),
        "dlq.schema_id": "" if schema_id is None else str(schema_id),
        "dlq.consumer": consumer,
    }
    return [*letter.headers, *((name, text) for name, text in notes.items())]
