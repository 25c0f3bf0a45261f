"""The examples under schemas/ as messages, for suites that need realistic ones."""

from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, get_args, get_origin, get_type_hints

from trimtab.adapters.manifest import examples
from trimtab.messages import Message
from trimtab.topics import TOPICS, topic_named


def messages(topic: str) -> list[Message]:
    """Return a topic's examples."""
    return [message_of(topic_named(topic).message, example) for example in examples(topic)]


def all_messages() -> list[tuple[str, Message]]:
    """Return (topic, message) of every example."""
    return [(topic.name, message) for topic in TOPICS for message in messages(topic.name)]


def message_of(kind: Any, value: Any) -> Any:
    """Return a value of this type from an example's JSON."""
    if kind is Decimal:
        return Decimal(value)
    if get_origin(kind) is tuple:
        return tuple(message_of(get_args(kind)[0], item) for item in value)
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{field.name: message_of(hints[field.name], value[field.name]) for field in fields(kind)})
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind(value)
    return value
