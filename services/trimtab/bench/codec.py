"""Messages to bytes and back, against fastavro alone on plain dictionaries."""

import io
import json

import fastavro

from trimtab.adapters.avro import HEADER, Codec, plain_schema
from trimtab.adapters.manifest import schema_text
from trimtab.adapters.records import conversion
from trimtab.bench.inputs import THRESHOLD, frame, signal
from trimtab.bench.row import Against, Row
from trimtab.bench.timing import microseconds
from trimtab.messages import Message
from trimtab.topics import TOPICS, topic_of

_WHAT = "fastavro alone, dictionaries without amounts and records"


def measure() -> list[Row]:
    """Return the rows of a frame of twelve books and of a signal of nine trades."""
    codec = Codec({topic.name: number for number, topic in enumerate(TOPICS, 1)})
    messages: dict[str, Message] = {"frame": frame(), "signal": signal(THRESHOLD)}
    return [row for name, message in messages.items() for row in _rows(name, message, codec)]


def _rows(name: str, message: Message, codec: Codec) -> list[Row]:
    topic = topic_of(message)
    schema = plain_schema(json.loads(schema_text(topic.name)))
    plain = conversion(topic.message).to_record(message)
    value = codec.encode(message)
    body = value[HEADER.size :]
    assert codec.decode(topic.name, value) == message

    def write() -> None:
        fastavro.schemaless_writer(io.BytesIO(), schema, plain)

    encode = Against(_WHAT, microseconds(write))
    decode = Against(_WHAT, microseconds(lambda: fastavro.schemaless_reader(io.BytesIO(body), schema, None)))
    return [
        Row(f"codec.{name}.encode", microseconds(lambda: codec.encode(message)), "us", encode),
        Row(f"codec.{name}.decode", microseconds(lambda: codec.decode(topic.name, value)), "us", decode),
        Row(f"codec.{name}.size", float(len(value)), "bytes"),
    ]
