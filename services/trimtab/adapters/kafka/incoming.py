"""A record as it comes in: decoded, or with the reason why not."""

from dataclasses import dataclass
from typing import Generic

from confluent_kafka import Message as KafkaMessage

from trimtab.adapters.avro import Codec, UndecodableError
from trimtab.adapters.kafka.deadletter import DeadLetter
from trimtab.domain.errors import UnreachableError
from trimtab.ports.topics import M, Record
from trimtab.topics import Topic

RawHeaders = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class Incoming(Generic[M]):
    """One record of a topic.

    `content` is the decoded record, or the letter for its dead letter topic, or, if its schema is new to us and the
    registry does not answer, that error: then nothing can be said of the record yet.
    """

    partition: int
    offset: int
    headers: RawHeaders
    content: Record[M] | DeadLetter | UnreachableError


def incoming(message: KafkaMessage, topic: Topic[M], codec: Codec) -> Incoming[M]:
    """Decode what a consumer got."""
    partition, offset = message.partition(), message.offset()
    assert partition is not None
    assert offset is not None
    headers = raw_headers(message)
    try:
        decoded = codec.decode(topic.name, message.value())
    except UndecodableError as error:
        letter = DeadLetter(
            topic=topic.name,
            partition=partition,
            offset=offset,
            timestamp_ms=message.timestamp()[1],
            key=message.key(),
            value=message.value(),
            headers=headers,
            reason=str(error),
        )
        return Incoming(partition, offset, headers, letter)
    except UnreachableError as error:
        return Incoming(partition, offset, headers, error)
    assert isinstance(decoded, topic.message)
    return Incoming(partition, offset, headers, Record(decoded, topic.name, partition, offset))


def raw_headers(message: KafkaMessage) -> RawHeaders:
    """Return a record's headers, values as bytes."""
    return tuple(
        (str(name), value.encode() if isinstance(value, str) else value)
        for name, value in list(message.headers() or ())
    )
