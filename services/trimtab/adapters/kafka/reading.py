"""Topics for one command: the last records there are, and then, if wanted, those that come."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import stamina
from confluent_kafka import Consumer, KafkaException, TopicPartition

from trimtab.adapters.avro import Codec, UndecodableError, load_codec
from trimtab.adapters.kafka.client import Complaints, consumer_config
from trimtab.domain.errors import UnreachableError
from trimtab.ports.topics import M, Record
from trimtab.settings import Settings
from trimtab.topics import Topic

_ANSWER_SECONDS_MAX = 5.0
_POLL_SECONDS = 0.2


@dataclass(slots=True)
class Reading:
    """Reads in no group and commits nothing. Records that cannot be decoded are left out: their readers bury them."""

    _consumer: Consumer
    _codec: Codec
    _settings: Settings
    _places: dict[int, int] = field(default_factory=dict)

    def tail(self, topic: Topic[M], records_max: int) -> list[Record[M]]:
        """Return at most that many last records of every partition, in the order of their times.

        Raises:
            UnreachableError: if the broker does not answer.

        """
        try:
            # A broker that has just started, or made the topic, says for a moment that it leads nothing.
            for attempt in stamina.retry_context(on=KafkaException, attempts=None, timeout=_ANSWER_SECONDS_MAX):
                with attempt:
                    ends = self._assign(topic, records_max)
            found: list[tuple[int, Record[M]]] = []
            while any(self._places[number] < end for number, end in ends.items()):
                found.extend(self._poll(topic))
        except KafkaException as error:
            raise UnreachableError("Kafka", self._settings.kafka.bootstrap_servers, error.args[0].str()) from None
        return [record for _, record in sorted(found, key=lambda item: (item[0], item[1].partition, item[1].offset))]

    def follow(self, topic: Topic[M]) -> Iterator[Record[M]]:
        """Yield what comes after the last `tail` of this topic, for ever."""
        while True:
            for _, record in self._poll(topic):
                yield record

    def _assign(self, topic: Topic[M], records_max: int) -> dict[int, int]:
        """Stand before the last records of every partition; return the ends."""
        name = f"{self._settings.kafka.topic_prefix}{topic.name}"
        metadata = self._consumer.list_topics(name, timeout=_ANSWER_SECONDS_MAX).topics[name]
        if metadata.error is not None:
            raise KafkaException(metadata.error)
        marks = {
            number: self._consumer.get_watermark_offsets(TopicPartition(name, number), timeout=_ANSWER_SECONDS_MAX)
            for number in metadata.partitions
        }
        self._places = {number: max(low, high - records_max) for number, (low, high) in marks.items()}
        self._consumer.assign([TopicPartition(name, number, place) for number, place in self._places.items()])
        return {number: high for number, (_, high) in marks.items()}

    def _poll(self, topic: Topic[M]) -> Iterator[tuple[int, Record[M]]]:
        raw = self._consumer.poll(_POLL_SECONDS)
        if raw is not None:
            if raw.error() is not None:
                raise KafkaException(raw.error())
            place = (raw.partition() or 0, raw.offset() or 0)
            try:
                message = self._codec.decode(topic.name, raw.value())
            except UndecodableError:
                pass
            else:
                assert isinstance(message, topic.message)
                yield raw.timestamp()[1], Record(message, topic.name, *place)
        # Positions, not records, tell how far it is: a compacted partition's last offsets may hold none.
        for position in self._consumer.position(self._consumer.assignment()):
            self._places[position.partition] = max(self._places[position.partition], position.offset)


@contextmanager
def open_consumer(settings: Settings) -> Iterator[Consumer]:
    """Open a consumer in no group that commits nothing."""
    config = consumer_config(settings.kafka, "trimtab-cli", Complaints()) | {"group.id": "trimtab-cli-unused"}
    consumer = Consumer(config)
    try:
        yield consumer
    finally:
        consumer.close()


def read_codec(settings: Settings) -> Codec:
    """Return what decodes records; the registry is not waited for.

    Raises:
        UnreachableError: if the registry does not answer.

    """
    return load_codec(settings.registry.url, settings.kafka.topic_prefix, wait_seconds=0.1)


@contextmanager
def open_reading(settings: Settings) -> Iterator[Reading]:
    """Open Kafka and the registry for reading.

    Raises:
        UnreachableError: if the registry does not answer.

    """
    codec = read_codec(settings)
    with open_consumer(settings) as consumer:
        yield Reading(consumer, codec, settings)
