"""The Avro schema of an archive's records: a topic's own schema, and in front of it where and when each record stood.

Avro writes a record's fields one after another and nothing between them, so the front and the value can be read by a
schema each, and the bytes of the value are those that were on the topic.
"""

import json
from typing import Any, Final

import fastavro

from trimtab.adapters.avro import UndecodableError, plain_schema, writer_schema
from trimtab.adapters.manifest import schema_text
from trimtab.ports.topics import M
from trimtab.topics import Topic

NAMESPACE: Final = "trimtab.archive"
NOTHING, VALUE = 0, 1
"""Which branch of the value's union a record has: nothing of what could not be decoded."""

_FRONT: Final[list[dict[str, Any]]] = [
    {"name": "partition", "type": "int", "doc": "The record's partition."},
    {"name": "offset", "type": "long", "doc": "Its offset there."},
    {
        "name": "recorded_ms",
        "type": {"type": "long", "logicalType": "timestamp-millis"},
        "doc": "The time that its writer stamped on it, UTC.",
    },
    {"name": "key", "type": ["null", "bytes"], "doc": "Its key."},
    {
        "name": "framed",
        "type": ["null", "bytes"],
        "doc": "Its framed bytes, where they are not this value in the topic's schema: another schema, or unreadable.",
    },
]
_BRANCH: Final = {"name": "branch", "type": "long"}  # a union is written as the number of its branch and the value


def _front_schema() -> Any:
    """Parse the front and the branch as one record, without logical types."""
    kinds = [(each["name"], each["type"]) for each in _FRONT]
    bare = [{"name": name, "type": kind["type"] if isinstance(kind, dict) else kind} for name, kind in kinds]
    return fastavro.parse_schema(
        {"type": "record", "name": "Front", "namespace": NAMESPACE, "fields": [*bare, _BRANCH]}
    )


FRONT: Final = _front_schema()


def container_schema(topic: Topic[M]) -> dict[str, Any]:
    """Return the schema of a topic's file, with the topic's own inlined."""
    value = {
        "name": "value",
        "type": ["null", json.loads(schema_text(topic.name))],
        "default": None,
        "doc": "The record; null if it could not be decoded.",
    }
    name = f"Kept{topic.message.__name__}"
    doc = f"A record of {topic.name} as it was kept."
    return {"type": "record", "name": name, "namespace": NAMESPACE, "doc": doc, "fields": [*_FRONT, value]}


def written_schema(text: str, topic: Topic[M]) -> Any:
    """Return the schema that a file's values were written with, parsed without logical types.

    Raises:
        UndecodableError: if the file's schema is not an archive's, or another topic's.

    """
    try:
        found = json.loads(text)
        fields = found["fields"]
        front, value = fields[:-1], fields[-1]
        nothing, schema = value["type"]
    except (ValueError, TypeError, KeyError, IndexError):
        raise UndecodableError("its schema is not that of an archive's records") from None
    if found.get("name", "").rpartition(".")[2] != f"Kept{topic.message.__name__}" or nothing != "null":
        raise UndecodableError(f"its schema is {found.get('name')}; this topic has Kept{topic.message.__name__}")
    if [(each.get("name"), each.get("type")) for each in front] != [(each["name"], each["type"]) for each in _FRONT]:
        raise UndecodableError("its schema has other fields in front of the value than an archive's records have")
    return writer_schema(json.dumps(schema), topic.message.__name__)


def our_schema(topic: Topic[M]) -> Any:
    """Return this version's schema of a topic, parsed without logical types."""
    return plain_schema(json.loads(schema_text(topic.name)))
