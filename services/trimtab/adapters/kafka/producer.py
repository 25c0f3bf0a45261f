"""Publisher of messages: acknowledged by all replicas, once and in order per key."""

import asyncio
import contextlib
import threading
from typing import Any

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer

from trimtab.adapters import tracing
from trimtab.adapters.avro import Codec
from trimtab.adapters.kafka.client import Complaints, producer_config
from trimtab.domain.errors import InvalidValueError, UnreachableError
from trimtab.messages import Message
from trimtab.ports.metrics import Meter, Unmetered
from trimtab.settings import KafkaSettings
from trimtab.topics import topic_of

POLL_SECONDS = 0.1
FULL_QUEUE_SECONDS = 0.005
FLUSH_SECONDS_MAX = 10.0

_MISSING = {KafkaError._UNKNOWN_TOPIC, KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_PARTITION}  # noqa: SLF001 - librdkafka's own codes begin with an underscore

_log = structlog.get_logger("trimtab.kafka.producer")


class KafkaPublisher:
    """Implements ports.topics.Publisher. Use it on one event loop; a thread of its own hears the broker's answers."""

    def __init__(
        self, kafka: KafkaSettings, codec: Codec, *, client_id: str = "trimtab", meter: Meter | None = None
    ) -> None:
        self._kafka = kafka
        self._codec = codec
        self._meter: Meter = meter or Unmetered()
        self._complaints = Complaints()
        self._config = producer_config(kafka, client_id, self._complain)
        self._failed = threading.Event()
        self._closed = threading.Event()
        self._producer = Producer(self._config)
        self._thread = threading.Thread(target=self._poll, name=f"{client_id}-producer", daemon=True)
        self._thread.start()

    async def publish(self, message: Message) -> None:
        """Return once the broker has acknowledged.

        Raises:
            InvalidValueError: if the message cannot be encoded.
            UnreachableError: if it was not acknowledged within half a minute; it may have been written all the same.

        """
        topic, key, value = self._encoded(message)
        await self.publish_raw(topic, key, value, tracing.inject_sent(topic))

    def publish_nowait(self, message: Message) -> bool:
        """Hand a message over without waiting; return False if the queue is full and it was dropped.

        For market data, where the next message says it better. A failure later is logged and counted.

        Raises:
            InvalidValueError: if the message cannot be encoded.

        """
        topic, key, value = self._encoded(message)

        def delivered(error: KafkaError | None, _: Any) -> None:
            if error is not None:
                self._complaints.say(f"{topic} {error.name()}", self._reason(topic, error))
                self._meter.count("publish_failures_total", topic=topic)

        try:
            self._produce(topic, key, value, tracing.inject_sent(topic), delivered)
        except (BufferError, UnreachableError) as error:
            self._complaints.say(f"{topic} dropped", str(error))
            self._meter.count("publish_failures_total", topic=topic)
            return False
        return True

    async def publish_raw(
        self, topic: str, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]
    ) -> tuple[int, int]:
        """Publish bytes to a topic (named without prefix) and return (partition, offset) once acknowledged.

        Raises:
            InvalidValueError: if the record is too large.
            UnreachableError: if it was not acknowledged within half a minute; it may have been written all the same.

        """
        loop = asyncio.get_running_loop()
        acknowledged: asyncio.Future[tuple[int, int]] = loop.create_future()

        def settle(error: KafkaError | None, place: tuple[int, int]) -> None:
            if acknowledged.done():
                return
            if error is None:
                acknowledged.set_result(place)
            else:
                acknowledged.set_exception(self._unreachable(topic, error))

        def delivered(error: KafkaError | None, record: Any) -> None:
            place = (record.partition(), record.offset()) if error is None else (-1, -1)
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
                loop.call_soon_threadsafe(settle, error, place)

        while True:
            try:
                self._produce(topic, key, value, headers, delivered)
            except BufferError:
                await asyncio.sleep(FULL_QUEUE_SECONDS)
            else:
                return await acknowledged

    async def close(self) -> None:
        """Send what is queued, for ten seconds at most, and stop."""
        left = await asyncio.to_thread(self._producer.flush, FLUSH_SECONDS_MAX)
        if left:
            _log.error("records not sent", records=left)
        self._closed.set()
        await asyncio.to_thread(self._thread.join)

    def _encoded(self, message: Message) -> tuple[str, bytes | None, bytes]:
        topic = topic_of(message)
        key = topic.key(message)
        return topic.name, None if key is None else key.encode(), self._codec.encode(message)

    def _produce(
        self, topic: str, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]], delivered: Any
    ) -> None:
        name = f"{self._kafka.topic_prefix}{topic}"
        try:
            self._producer.produce(name, value=value, key=key, headers=[*headers], on_delivery=delivered)
        except KafkaException as failure:
            error = failure.args[0]
            if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                size = len(value or b"")
                raise InvalidValueError(topic, f"{size} bytes", f"{self._config['message.max.bytes']} bytes") from None
            raise self._unreachable(topic, error) from None

    def _unreachable(self, topic: str, error: KafkaError) -> UnreachableError:
        return UnreachableError("Kafka", self._kafka.bootstrap_servers, self._reason(topic, error))

    def _reason(self, topic: str, error: KafkaError) -> str:
        if error.code() in _MISSING:
            return f"topic {self._kafka.topic_prefix}{topic} is not there: run trimtab topics apply"
        return f"{topic}: {error.str()}"

    def _complain(self, error: KafkaError) -> None:
        self._complaints(error)
        if error.fatal():
            self._failed.set()

    def _poll(self) -> None:
        while not self._closed.is_set():
            try:
                self._producer.poll(POLL_SECONDS)
                if self._failed.is_set():
                    self._renew()
            except Exception:  # noqa: BLE001 - whatever a callback raises, others still wait for their answers
                with contextlib.suppress(Exception):  # even if nothing can be logged any more
                    _log.exception("answer not handled")

    def _renew(self) -> None:
        """An idempotent producer that lost track of its sequence stays failed for good: put a new one in its place."""
        _log.error("producer failed for good; a new one takes its place")
        self._failed.clear()
        failed, self._producer = self._producer, Producer(self._config)
        failed.purge()
        failed.flush(1.0)  # tells everyone who waits that their record is not acknowledged
