"""Messages to bytes and back: Confluent's framing (0x00, 4-byte schema id) around Avro.

Ids are loaded when a codec is made, so that nothing on the hot path asks the registry. A record may have been written
with another version of its schema: that version is looked up once, then resolved to ours by Avro's rules.
"""

import io
import json
import struct
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import fastavro
import stamina
from fastavro.schema import SchemaParseException
from fastavro.types import Schema

from trimtab.adapters.manifest import schema_text
from trimtab.adapters.records import DECIMALS, DIGITS_MAX, conversion
from trimtab.domain.errors import InvalidValueError, TrimtabError, UnreachableError
from trimtab.messages import Message
from trimtab.topics import TOPICS, Topic, topic_named, topic_of

if TYPE_CHECKING:
    from trimtab.adapters.registry import SchemaRegistry

MAGIC: Final = 0
HEADER: Final = struct.Struct(">bI")
RECORD_BYTES_MAX: Final = 1_048_576
UNKNOWN_IDS_MAX: Final = 1_024
START_SECONDS_MAX: Final = 30.0

Lookup = Callable[[int], str | None]
"""Return the schema registered under an id, or None. Raises UnreachableError if the registry does not answer."""


class UndecodableError(TrimtabError):
    """A record is not what its topic carries; the message says why, in one line."""


class SchemaMissingError(TrimtabError):
    """The registry does not have the schemas that this version writes: run trimtab topics apply."""


class _Channel:
    """One topic's way to bytes and back."""

    def __init__(self, topic: Topic[Any], schema_id: int) -> None:
        self.topic = topic
        self.schema_id = schema_id
        self.header = HEADER.pack(MAGIC, schema_id)
        self.text = schema_text(topic.name)
        self.schema = plain_schema(json.loads(self.text))
        convert = conversion(topic.message)
        self.to_record, self.from_record = convert.to_record, convert.from_record


class Codec:
    """Encodes and decodes every topic's messages. Safe to use from several threads."""

    def __init__(self, ids: Mapping[str, int], lookup: Lookup = lambda _: None) -> None:
        """`ids` has the schema id of every topic, by name without prefix; `lookup` finds other writers' schemas."""
        self._channels = {topic.name: _Channel(topic, ids[topic.name]) for topic in TOPICS}
        self._lookup = lookup
        self._writers: dict[tuple[str, int], Schema] = {}
        self._unknown: dict[int, None] = {}

    def encode(self, message: Message) -> bytes:
        """Return the framed bytes of a message.

        Raises:
            InvalidValueError: if a value cannot stand in the record: topic and field, what was found, what is allowed.

        """
        channel = self._channels[topic_of(message).name]
        buffer = io.BytesIO(channel.header)
        buffer.seek(HEADER.size)
        try:
            fastavro.schemaless_writer(buffer, channel.schema, channel.to_record(message))
        except InvalidValueError as error:
            raise InvalidValueError(f"{channel.topic.name}: {error.path}", error.value, error.allowed) from None
        except (TypeError, OverflowError, AttributeError) as error:
            raise InvalidValueError(channel.topic.name, message, f"values of the schema's types ({error})") from None
        return buffer.getvalue()

    def decode(self, topic: str, value: bytes | None) -> Message:
        """Return the message in these framed bytes; `topic` is named without prefix.

        Raises:
            UndecodableError: if they hold none, or an absurd one.
            UnreachableError: if their schema is new to us and the registry does not answer: the record may be good.

        """
        return self.message(topic, self.record(topic, value))

    def record(self, topic: str, value: bytes | None) -> dict[str, Any]:
        """Return the Avro record in these framed bytes, in our schema's shape and without logical types.

        Raises as `decode` does, but for what only the message's own rules refuse.
        """
        channel = self._channels[topic_named(topic).name]
        schema_id, body = _unframed(value)
        writer = None if schema_id == channel.schema_id else self._writer(channel, schema_id)
        return _read(body, channel.schema, writer)

    def message(self, topic: str, record: dict[str, Any]) -> Message:
        """Return the message of such a record, which is used up.

        Raises:
            UndecodableError: if it breaks one of the message's rules.

        """
        try:
            message: Message = self._channels[topic_named(topic).name].from_record(record)
        except InvalidValueError as error:
            raise UndecodableError(f"{error}") from None
        return message

    def schema_id(self, topic: str) -> int:
        """Return the id that records of this topic are written with."""
        return self._channels[topic_named(topic).name].schema_id

    def _writer(self, channel: _Channel, schema_id: int) -> Schema:
        known = self._writers.get((channel.topic.name, schema_id))
        if known is not None:
            return known
        text = None if schema_id in self._unknown else self._lookup(schema_id)
        if text is None:
            if len(self._unknown) < UNKNOWN_IDS_MAX:
                self._unknown[schema_id] = None
            raise UndecodableError(f"unknown schema id: {schema_id} is not in the registry")
        schema = writer_schema(text, channel.topic.message.__name__)
        self._writers[channel.topic.name, schema_id] = schema
        return schema


def load_codec(registry_url: str, topic_prefix: str = "", *, wait_seconds: float = START_SECONDS_MAX) -> Codec:
    """Return a codec with the ids that the registry has for exactly our schemas.

    Blocks for as long as the registry does not answer, `wait_seconds` at most.

    Raises:
        UnreachableError: if the registry does not answer.
        SchemaMissingError: if one of our schemas is not registered.

    """
    from trimtab.adapters.registry import SchemaRegistry  # noqa: PLC0415 - slow to import; only services need it

    registry = SchemaRegistry(registry_url)
    ids: dict[str, int] = {}
    missing: list[str] = []
    for attempt in stamina.retry_context(on=UnreachableError, attempts=None, timeout=wait_seconds, wait_max=2.0):
        with attempt:
            ids, missing = _ids(registry, topic_prefix)
    if missing:
        raise SchemaMissingError(
            f"schema registry at {registry.address} does not have this version's schema of {', '.join(missing)}: "
            "run trimtab topics apply"
        )
    return Codec(ids, registry.schema)


def _ids(registry: "SchemaRegistry", topic_prefix: str) -> tuple[dict[str, int], list[str]]:
    from trimtab.adapters.registry import subject_of  # noqa: PLC0415 - as above

    found = {
        topic.name: registry.schema_id(subject_of(topic.name, topic_prefix), schema_text(topic.name))
        for topic in TOPICS
    }
    ids = {name: schema_id for name, schema_id in found.items() if schema_id is not None}
    return ids, [name for name, schema_id in found.items() if schema_id is None]


def schema_id_of(value: bytes | None) -> int | None:
    """Return the schema id that framed bytes carry, or None if they are not framed."""
    if value is None or len(value) < HEADER.size or value[0] != MAGIC:
        return None
    return int(HEADER.unpack_from(value)[1])


def plain_schema(schema: dict[str, Any]) -> Schema:
    """Parse a schema for `records`: logical types left out, which changes no byte on the wire."""
    parsed = fastavro.parse_schema(_without_logical_types(schema))
    _make_defaults_bytes(parsed)
    return parsed


def writer_schema(text: str, message: str) -> Schema:
    """Parse another writer's schema of this message.

    Raises:
        UndecodableError: if it is another record's, or has amounts or times on another scale than ours.

    """
    try:
        schema = json.loads(text)
        odd = _odd_type(schema)
        parsed = plain_schema(schema)
    except (ValueError, SchemaParseException) as error:
        raise UndecodableError(f"writer's schema is not Avro: {error}") from None
    name = parsed.get("name") if isinstance(parsed, dict) else None
    if name != f"trimtab.{message}":
        raise UndecodableError(f"writer's schema is of {name}; this topic carries trimtab.{message}")
    if odd is not None:
        raise UndecodableError(f"writer's schema has {odd}; allowed: decimal(38,18) and timestamp-micros")
    return parsed


def _unframed(value: bytes | None) -> tuple[int, io.BytesIO]:
    if not value:
        raise UndecodableError("empty: a record has a value")
    if len(value) > RECORD_BYTES_MAX:
        raise UndecodableError(f"absurd: {len(value)} bytes; at most {RECORD_BYTES_MAX} are allowed")
    if value[0] != MAGIC:
        raise UndecodableError(f"bad magic byte: {value[0]}; a framed record starts with {MAGIC}")
    if len(value) < HEADER.size:
        raise UndecodableError(f"truncated: {len(value)} bytes; the frame alone has {HEADER.size}")
    body = io.BytesIO(value)
    body.seek(HEADER.size)
    return HEADER.unpack_from(value)[1], body


def _read(body: io.BytesIO, schema: Schema, writer: Schema | None) -> dict[str, Any]:
    try:
        record = (
            fastavro.schemaless_reader(body, schema, None)
            if writer is None
            else fastavro.schemaless_reader(body, writer, schema)
        )
    except (EOFError, IndexError):  # fastavro raises the second at an end in front of a boolean or an array
        raise UndecodableError("truncated: the record ends in the middle of a field") from None
    except Exception as error:  # noqa: BLE001 - whatever fastavro makes of foreign bytes, the line goes on
        raise UndecodableError(f"malformed: {type(error).__name__}: {error}") from None
    trailing = len(body.read())
    if trailing:
        raise UndecodableError(f"trailing bytes: {trailing} after the end of the record")
    if not isinstance(record, dict):
        raise UndecodableError(f"malformed: a {type(record).__name__} where a record belongs")
    return record


def _without_logical_types(schema: Any) -> Any:
    if isinstance(schema, dict):
        if "logicalType" in schema:
            return schema["type"]
        return {name: _without_logical_types(value) for name, value in schema.items()}
    return [_without_logical_types(item) for item in schema] if isinstance(schema, list) else schema


def _make_defaults_bytes(schema: Any) -> None:
    """Turn the defaults of bytes, which are strings in JSON, into bytes: fastavro hands them out as they are."""
    if isinstance(schema, list):
        for item in schema:
            _make_defaults_bytes(item)
    elif isinstance(schema, dict):
        if schema.get("type") == "bytes" and isinstance(schema.get("default"), str):
            schema["default"] = schema["default"].encode("latin-1")
        for value in schema.values():
            _make_defaults_bytes(value)


def _odd_type(schema: Any) -> str | None:
    """Return the first type in a schema that would read as a wrong number if its logical type were ignored."""
    if isinstance(schema, list):
        return next((odd for item in schema if (odd := _odd_type(item)) is not None), None)
    if not isinstance(schema, dict):
        return str(schema) if schema == "bytes" else None
    logical = schema.get("logicalType")
    if logical == "timestamp-micros":
        return None
    if logical == "decimal" and schema.get("type") == "bytes":
        scale, precision = schema.get("scale", 0), schema.get("precision")
        return None if (precision, scale) == (DIGITS_MAX, DECIMALS) else f"decimal({precision},{scale})"
    if logical is not None:
        return str(logical)
    parts = [schema.get("type"), schema.get("items"), schema.get("values"), *(schema.get("fields") or [])]
    return _odd_type([part for part in parts if part is not None])
