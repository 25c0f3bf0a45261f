"""What partitions of a compacted topic hold now: the last record of every key, read from the beginning to the end."""

import asyncio
import threading
from collections.abc import Collection
from typing import Generic

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage

from trimtab.adapters.avro import Codec
from trimtab.adapters.kafka.client import Complaints, consumer_config
from trimtab.adapters.kafka.deadletter import DeadLetter
from trimtab.adapters.kafka.incoming import incoming
from trimtab.domain.errors import UnreachableError
from trimtab.ports.topics import M, Record
from trimtab.settings import KafkaSettings
from trimtab.topics import Topic

ANSWER_SECONDS_MAX = 5.0
POLL_SECONDS = 0.2
BATCH_RECORDS_MAX = 1_000
RETRY_SECONDS = 0.5

_log = structlog.get_logger("trimtab.kafka.snapshot")


class SnapshotReader(Generic[M]):
    """Reads partitions in no group. Only the last record of a key is decoded; one without a value removes its key."""

    def __init__(self, kafka: KafkaSettings, codec: Codec, topic: Topic[M], *, client_id: str) -> None:
        self._codec, self._topic = codec, topic
        self._name = f"{kafka.topic_prefix}{topic.name}"
        self._complaints = Complaints()
        # No group is joined and nothing is committed; librdkafka asks for a name all the same.
        self._config = consumer_config(kafka, client_id, self._complaints) | {
            "group.id": f"{kafka.topic_prefix}{client_id}-unused"
        }
        self._stopping = threading.Event()

    async def read(self, partitions: Collection[int]) -> dict[int, list[Record[M]]]:
        """Return the last record of every key by partition, in the order of their offsets.

        Everything before the end that a partition has when this is called is looked at. Kafka and the registry are
        waited for. A last record that cannot be decoded is logged and left out.
        """
        try:
            return await asyncio.to_thread(self._read, sorted(partitions))
        except asyncio.CancelledError:
            self._stopping.set()
            raise

    def _read(self, partitions: list[int]) -> dict[int, list[Record[M]]]:
        while not self._stopping.is_set():
            consumer = Consumer(self._config)
            try:
                return self._decoded(self._scan(consumer, partitions))
            except KafkaException as failure:
                self._complaints.say("snapshot", f"{self._name}: {failure.args[0].str()}")
            except UnreachableError as error:
                self._complaints.say(error.part, str(error))
            finally:
                consumer.close()
            self._stopping.wait(RETRY_SECONDS)
        return {}

    def _scan(self, consumer: Consumer, partitions: list[int]) -> dict[int, dict[bytes | None, KafkaMessage]]:
        places = [TopicPartition(self._name, number, OFFSET_BEGINNING) for number in partitions]
        ends = {place.partition: consumer.get_watermark_offsets(place, timeout=ANSWER_SECONDS_MAX) for place in places}
        unread = {number for number, (low, high) in ends.items() if high > low}
        consumer.assign([place for place in places if place.partition in unread])
        last: dict[int, dict[bytes | None, KafkaMessage]] = {number: {} for number in partitions}
        while unread and not self._stopping.is_set():
            first = consumer.poll(POLL_SECONDS)
            for message in [] if first is None else [first, *consumer.consume(BATCH_RECORDS_MAX, 0)]:
                if (error := message.error()) is not None:
                    raise KafkaException(error)
                _keep(last, message)
            # Positions, not records, tell the end: the last offsets of a partition may hold nothing that is shown.
            for place in consumer.position([TopicPartition(self._name, number) for number in unread]):
                if place.offset >= ends[place.partition][1]:
                    unread.discard(place.partition)
        return last

    def _decoded(self, last: dict[int, dict[bytes | None, KafkaMessage]]) -> dict[int, list[Record[M]]]:
        found: dict[int, list[Record[M]]] = {number: [] for number in last}
        for number, messages in last.items():
            for message in messages.values():
                content = incoming(message, self._topic, self._codec).content
                if isinstance(content, UnreachableError):
                    raise content
                if isinstance(content, DeadLetter):
                    _log.error("state left out", topic=self._topic.name, offset=content.offset, reason=content.reason)
                    continue
                found[number].append(content)
            found[number].sort(key=lambda record: record.offset)
        return found


def _keep(last: dict[int, dict[bytes | None, KafkaMessage]], message: KafkaMessage) -> None:
    number = message.partition()
    assert number is not None
    if message.value() is None:
        last[number].pop(message.key(), None)
    else:
        last[number][message.key()] = message
