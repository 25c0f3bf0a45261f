"""A record as it comes in: decoded, or with the reason why not."""

from collections.abc import Callable
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
    registry does not answer, that error: then nothing can be said of the record yet. `letter` makes one of any record,
    for a reason.
    """

    partition: int
    offset: int
    headers: RawHeaders
    content: Record[M] | DeadLetter | UnreachableError
    letter: Callable[[str], DeadLetter]


def incoming(message: KafkaMessage, topic: Topic[M], codec: Codec) -> Incoming[M]:
    """Decode what a consumer got."""
    partition, offset = message.partition(), message.offset()
    assert partition is not None
    assert offset is not None
    headers = raw_headers(message)

    def letter(reason: str) -> DeadLetter:
        time_ms, key, value = message.timestamp()[1], message.key(), message.value()
        return DeadLetter(topic.name, partition, offset, time_ms, key, value, headers, reason)

    content: Record[M] | DeadLetter | UnreachableError
    try:
        decoded = codec.decode(topic.name, message.value())
    except UndecodableError as error:
        content = letter(str(error))
    except UnreachableError as error:
        content = error
    else:
        assert isinstance(decoded, topic.message)
        content = Record(decoded, topic.name, partition, offset)
    return Incoming(partition, offset, headers, content, letter)


def raw_headers(message: KafkaMessage) -> RawHeaders:
    """Return a record's headers, values as bytes."""
    return tuple(
        (str(name), value.encode() if isinstance(value, str) else value)
        for name, value in list(message.headers() or ())
    )
