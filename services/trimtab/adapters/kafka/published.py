"""Reads a topic back: which events are in it already, by the event id in their headers."""

import asyncio
import time
from collections.abc import Mapping

import stamina
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

from trimtab.adapters.kafka.client import Complaints, consumer_config
from trimtab.domain.errors import UnreachableError
from trimtab.settings import KafkaSettings

_ANSWER_SECONDS_MAX = 5.0
_POLL_SECONDS = 0.2
_READ_SECONDS_MAX = 25.0


class PublishedEvents:
    """Looks events up by reading partitions to the end they have now."""

    def __init__(self, kafka: KafkaSettings, event_id_header: str) -> None:
        self._kafka = kafka
        self._header = event_id_header

    async def find(self, topic: str, after: Mapping[int, int]) -> dict[str, tuple[int, int]]:
        """Return (partition, offset) by event id, of every partition from after the offset given for it to its end.

        A partition without one is read from its beginning. `topic` is named without prefix.

        Raises:
            UnreachableError: if the broker does not answer, or not fast enough to read all of it.

        """
        return await asyncio.to_thread(self._read, topic, dict(after))

    def _read(self, topic: str, after: Mapping[int, int]) -> dict[str, tuple[int, int]]:
        config = consumer_config(self._kafka, "trimtab-read-back", Complaints())
        # No group is joined and nothing is committed; librdkafka asks for a name all the same.
        consumer = Consumer(config | {"group.id": "trimtab-read-back", "isolation.level": "read_uncommitted"})
        try:
            # A broker that has just started says for a moment that it leads nothing.
            retrying = stamina.retry_context(on=KafkaException, attempts=None, timeout=_ANSWER_SECONDS_MAX)
            for attempt in retrying:
                with attempt:
                    return self._scan(consumer, f"{self._kafka.topic_prefix}{topic}", after)
            raise AssertionError("retries end with a result or an error")
        except KafkaException as error:
            raise UnreachableError("Kafka", self._kafka.bootstrap_servers, error.args[0].str()) from error
        finally:
            consumer.close()

    def _scan(self, consumer: Consumer, name: str, after: Mapping[int, int]) -> dict[str, tuple[int, int]]:
        ends = self._ends(consumer, name)
        starts = {number: after[number] + 1 if number in after else OFFSET_BEGINNING for number in ends}
        unread = {number for number, (low, high) in ends.items() if high > max(low, starts[number])}
        consumer.assign([TopicPartition(name, number, starts[number]) for number in sorted(unread)])
        found: dict[str, tuple[int, int]] = {}
        deadline = time.monotonic() + _READ_SECONDS_MAX
        while unread:
            if time.monotonic() > deadline:
                raise UnreachableError("Kafka", self._kafka.bootstrap_servers, f"{name} could not be read back in time")
            record = consumer.poll(_POLL_SECONDS)
            if record is not None and record.error() is not None:
                raise KafkaException(record.error())
            if record is not None and (event_id := self._event_id(record)):
                found[event_id] = (record.partition() or 0, record.offset() or 0)
            # Positions, not records, tell the end: the last offsets of a partition may hold none that is shown.
            for place in consumer.position([TopicPartition(name, number) for number in unread]):
                if place.offset >= ends[place.partition][1]:
                    unread.discard(place.partition)
        return found

    def _event_id(self, record: Message) -> str:
        for header, value in dict(record.headers() or ()).items():
            if header == self._header and value is not None:
                return value.decode() if isinstance(value, bytes) else value
        return ""

    def _ends(self, consumer: Consumer, name: str) -> dict[int, tuple[int, int]]:
        metadata = consumer.list_topics(name, timeout=_ANSWER_SECONDS_MAX).topics[name]
        if metadata.error is not None:
            raise KafkaException(metadata.error)
        return {
            number: consumer.get_watermark_offsets(TopicPartition(name, number), timeout=_ANSWER_SECONDS_MAX)
            for number in metadata.partitions
        }
