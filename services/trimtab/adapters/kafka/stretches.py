"""Part of a topic, from given offsets to the end it has now, read on demand and in no group."""

import asyncio
import threading
from collections.abc import Mapping
from contextlib import closing
from typing import Generic

import stamina
import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition

from trimtab.adapters.avro import Codec
from trimtab.adapters.kafka.client import Complaints, consumer_config
from trimtab.adapters.kafka.deadletter import DeadLetter
from trimtab.adapters.kafka.incoming import incoming
from trimtab.domain.errors import UnreachableError
from trimtab.ports.topics import M, Record, Stretch
from trimtab.settings import KafkaSettings
from trimtab.topics import Topic

ANSWER_SECONDS_MAX = 5.0
POLL_SECONDS = 0.2
BATCH_RECORDS_MAX = 1_000

_log = structlog.get_logger("trimtab.kafka.stretches")


class StretchReader(Generic[M]):
    """Reads every partition of a topic. A record that cannot be decoded is logged and passed over."""

    def __init__(self, kafka: KafkaSettings, codec: Codec, topic: Topic[M], *, client_id: str) -> None:
        self._codec, self._topic, self._servers = codec, topic, kafka.bootstrap_servers
        self._name = f"{kafka.topic_prefix}{topic.name}"
        self._complaints = Complaints()
        # No group is joined and nothing is committed; librdkafka asks for a name all the same.
        self._config = consumer_config(kafka, client_id, self._complaints) | {
            "group.id": f"{kafka.topic_prefix}{client_id}-unused"
        }
        self._stopping = threading.Event()

    async def read(self, begin: tuple[int, ...], records_max: int) -> Stretch[M]:
        """Return what stands from these offsets (one a partition, from 0; missing ones are 0) to the present ends.

        It stops early, wherever it is, with the batch that brings `records_max` records.

        Raises:
            UnreachableError: if Kafka or the registry does not answer.

        """
        try:
            return await asyncio.to_thread(self._read, begin, records_max)
        except asyncio.CancelledError:
            self._stopping.set()
            raise

    def _read(self, begin: tuple[int, ...], records_max: int) -> Stretch[M]:
        # A partition without a leader for a moment is no reason to give up: its topic may have just been made.
        retrying = stamina.retry_context(on=KafkaException, attempts=None, timeout=ANSWER_SECONDS_MAX)
        try:
            for attempt in retrying:
                with attempt, closing(Consumer(self._config)) as consumer:
                    return self._scan(consumer, begin, records_max)
        except KafkaException as failure:
            raise UnreachableError("Kafka", self._servers, failure.args[0].str()) from None
        raise AssertionError("retries end with a result or an error")

    def _scan(self, consumer: Consumer, begin: tuple[int, ...], records_max: int) -> Stretch[M]:
        places, ends = self._marks(consumer, begin)
        consumer.assign([TopicPartition(self._name, number, places[number]) for number in places])
        found: list[Record[M]] = []
        while any(places[number] < end for number, end in ends.items()) and not self._stopping.is_set():
            first = consumer.poll(POLL_SECONDS)
            for message in [] if first is None else [first, *consumer.consume(BATCH_RECORDS_MAX, 0)]:
                if (error := message.error()) is not None:
                    raise KafkaException(error)
                content = incoming(message, self._topic, self._codec).content
                if isinstance(content, UnreachableError):
                    raise content
                if isinstance(content, DeadLetter):
                    _log.error("passed over", topic=self._topic.name, offset=content.offset, reason=content.reason)
                else:
                    found.append(content)
            # Positions, not records, tell how far it is: the last offsets of a partition may hold nothing.
            for place in consumer.position([TopicPartition(self._name, number) for number in places]):
                places[place.partition] = max(places[place.partition], place.offset)
            if len(found) >= records_max:
                break
        return Stretch(tuple(found), tuple(places[number] for number in sorted(places)))

    def _marks(self, consumer: Consumer, begin: tuple[int, ...]) -> tuple[dict[int, int], Mapping[int, int]]:
        """Return where every partition is to be read from, and where it ends now."""
        metadata = consumer.list_topics(self._name, timeout=ANSWER_SECONDS_MAX).topics[self._name]
        if metadata.error is not None:
            raise KafkaException(metadata.error)
        places, ends = {}, {}
        for number in sorted(metadata.partitions):
            low, high = consumer.get_watermark_offsets(TopicPartition(self._name, number), timeout=ANSWER_SECONDS_MAX)
            asked = begin[number] if number < len(begin) else 0
            places[number], ends[number] = max(asked, low), high
        return places, ends
