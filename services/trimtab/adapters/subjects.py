"""The topics' schemas in the registry: what is there, what differs, and how it is mended."""

from collections.abc import Iterable
from dataclasses import dataclass

from trimtab.adapters.manifest import schema_text
from trimtab.adapters.registry import COMPATIBILITY, SchemaRegistry, subject_of


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a report: the topic or subject, what was done to it or is wrong with it, and the particulars.

    `what` of apply: created, config changed, compatibility set, schema registered, unchanged. Of check and of what
    apply cannot mend: topic missing, partitions differ, config differs, compatibility differs, schema missing, schema
    incompatible.
    """

    subject: str
    what: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """A topic's subject as the registry has it; `schema_id` is None unless exactly our schema is registered."""

    name: str
    schema: str
    exists: bool
    schema_id: int | None
    level: str | None


def look(registry: SchemaRegistry, topics: Iterable[str], topic_prefix: str) -> list[Subject]:
    """Return every topic's subject. Raises UnreachableError if the registry does not answer."""
    found: list[Subject] = []
    for topic in topics:
        name, schema = subject_of(topic, topic_prefix), schema_text(topic)
        exists = registry.exists(name)  # asked one by one: a registry may cut its list of all subjects short
        schema_id = registry.schema_id(name, schema) if exists else None
        found.append(Subject(name, schema, exists, schema_id, registry.compatibility(name) if exists else None))
    return found


def check(registry: SchemaRegistry, subjects: Iterable[Subject]) -> list[Row]:
    """Return what differs."""
    rows: list[Row] = []
    for subject in subjects:
        refused = refusals(registry, [subject])
        if refused:
            rows += refused
        elif subject.schema_id is None:
            rows.append(Row(subject.name, "schema missing"))
        if subject.exists and subject.level != COMPATIBILITY:
            rows.append(Row(subject.name, "compatibility differs", f"found {subject.level}, wanted {COMPATIBILITY}"))
    return rows


def refusals(registry: SchemaRegistry, subjects: Iterable[Subject]) -> list[Row]:
    """Return the schemas that may not follow what is registered."""
    return [
        Row(subject.name, "schema incompatible", "could not read what earlier versions wrote")
        for subject in subjects
        if subject.exists and subject.schema_id is None and not registry.compatible(subject.name, subject.schema)
    ]


def set_levels(registry: SchemaRegistry, subjects: Iterable[Subject]) -> list[Row]:
    """Set the compatibility level where it is another."""
    rows: list[Row] = []
    for subject in subjects:
        if subject.level != COMPATIBILITY:
            registry.set_compatibility(subject.name)
            rows.append(Row(subject.name, "compatibility set", COMPATIBILITY))
    return rows


def register(registry: SchemaRegistry, subjects: Iterable[Subject]) -> list[Row]:
    """Register what is missing. Raises IncompatibleSchemaError if the registry refuses one after all."""
    return [
        Row(subject.name, "schema registered", f"id {registry.register(subject.name, subject.schema)}")
        for subject in subjects
        if subject.schema_id is None
    ]
