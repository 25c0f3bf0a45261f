"""Topics and schemas as a deploy step: `apply` makes broker and registry match the manifest, `check` only compares.

Nothing is ever deleted or made smaller, and partitions are never added to a topic that exists: keys would move.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined] # its __init__ re-exports them without saying so
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from trimtab.adapters.kafka.client import Complaints, client_config
from trimtab.adapters.manifest import Manifest, load_manifest, schema_text
from trimtab.adapters.registry import COMPATIBILITY, SchemaRegistry, subject_of
from trimtab.domain.errors import UnreachableError
from trimtab.settings import Settings

ANSWER_SECONDS_MAX = 15.0
BROKER_DEFAULT = -1


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
class _Wanted:
    partitions: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Found:
    partitions: int
    config: Mapping[str, str]


def apply_topics(settings: Settings, manifest: Manifest | None = None) -> list[Row]:
    """Make the broker's topics and the registry's schemas match the manifest; can be repeated.

    All schemas are checked before anything is changed. Returns what was done, and what differs and was left alone.

    Raises:
        UnreachableError: if the broker or the registry does not answer.
        IncompatibleSchemaError: if the registry refuses a schema in the end; the rows of check say it before.

    """
    manifest = manifest or load_manifest()
    registry = SchemaRegistry(settings.registry.url)
    rows = _apply_levels(settings, registry, manifest)  # first, since a registry checks by the level that is set
    refused = [row for row in _check_schemas(settings, registry, manifest) if row.what == "schema incompatible"]
    if refused:
        return rows + refused
    broker = _Broker(settings)
    wanted = _wanted(manifest, settings.kafka.topic_prefix)
    found = broker.topics(wanted)
    missing = {name: topic for name, topic in wanted.items() if name not in found}
    broker.create(missing)
    rows += [Row(name, "created", f"{topic.partitions} partitions") for name, topic in missing.items()]
    changes = {name: change for name, topic in found.items() if (change := _changed(wanted[name], topic))}
    broker.change(changes)
    rows += [Row(name, "config changed", _shown(change)) for name, change in changes.items()]
    rows += [row for row in _check_found(wanted, found) if row.what == "partitions differ"]
    rows += _apply_schemas(settings, registry, manifest)
    rows += _apply_levels(settings, registry, manifest)
    return rows or [Row("all topics and schemas", "unchanged")]


def check_topics(settings: Settings, manifest: Manifest | None = None) -> list[Row]:
    """Return every difference between the manifest and what broker and registry have; none if the list is empty.

    Raises:
        UnreachableError: if the broker or the registry does not answer.

    """
    manifest = manifest or load_manifest()
    wanted = _wanted(manifest, settings.kafka.topic_prefix)
    found = _Broker(settings).topics(wanted)
    rows = [Row(name, "topic missing") for name in wanted if name not in found]
    rows += _check_found(wanted, found)
    rows += _check_schemas(settings, SchemaRegistry(settings.registry.url), manifest)
    return rows


def _wanted(manifest: Manifest, prefix: str) -> dict[str, _Wanted]:
    wanted: dict[str, _Wanted] = {}
    for name, topic in manifest.topics.items():
        wanted[f"{prefix}{name}"] = _Wanted(topic.partitions, topic.config)
        wanted[f"{prefix}{name}.dlq"] = _Wanted(manifest.dead_letters.partitions, manifest.dead_letters.config)
    return wanted


def _check_found(wanted: Mapping[str, _Wanted], found: Mapping[str, _Found]) -> Iterator[Row]:
    for name, topic in found.items():
        want = wanted[name].partitions
        if topic.partitions != want:
            yield Row(name, "partitions differ", f"found {topic.partitions}, wanted {want}: keys would move")
        change = _changed(wanted[name], topic)
        if change:
            yield Row(name, "config differs", _shown({key: topic.config.get(key, "") for key in change}, change))


def _changed(wanted: _Wanted, found: _Found) -> dict[str, str]:
    return {key: value for key, value in wanted.config.items() if found.config.get(key) != value}


def _shown(values: Mapping[str, str], wanted: Mapping[str, str] | None = None) -> str:
    if wanted is None:
        return ", ".join(f"{key}={value}" for key, value in values.items())
    return ", ".join(f"{key}: found {value}, wanted {wanted[key]}" for key, value in values.items())


def _check_schemas(settings: Settings, registry: SchemaRegistry, manifest: Manifest) -> list[Row]:
    rows: list[Row] = []
    for name in manifest.topics:
        subject, schema = subject_of(name, settings.kafka.topic_prefix), schema_text(name)
        if registry.schema_id(subject, schema) is None:
            if registry.compatible(subject, schema):
                rows.append(Row(subject, "schema missing"))
            else:
                rows.append(Row(subject, "schema incompatible", "could not read what earlier versions wrote"))
        level = registry.compatibility(subject)
        if level != COMPATIBILITY:
            rows.append(Row(subject, "compatibility differs", f"found {level}, wanted {COMPATIBILITY}"))
    return rows


def _apply_schemas(settings: Settings, registry: SchemaRegistry, manifest: Manifest) -> list[Row]:
    rows: list[Row] = []
    for name in manifest.topics:
        subject, schema = subject_of(name, settings.kafka.topic_prefix), schema_text(name)
        if registry.schema_id(subject, schema) is None:
            rows.append(Row(subject, "schema registered", f"id {registry.register(subject, schema)}"))
    return rows


def _apply_levels(settings: Settings, registry: SchemaRegistry, manifest: Manifest) -> list[Row]:
    """Set the compatibility level of every subject that exists."""
    rows: list[Row] = []
    for name in manifest.topics:
        subject = subject_of(name, settings.kafka.topic_prefix)
        if registry.exists(subject) and registry.compatibility(subject) != COMPATIBILITY:
            registry.set_compatibility(subject)
            rows.append(Row(subject, "compatibility set", COMPATIBILITY))
    return rows


class _Broker:
    """The few things asked of the broker."""

    def __init__(self, settings: Settings) -> None:
        self._address = settings.kafka.bootstrap_servers
        self._admin = AdminClient(client_config(settings.kafka, "trimtab-topics", Complaints()))

    def topics(self, names: Mapping[str, _Wanted]) -> dict[str, _Found]:
        """Return those of these topics that exist."""
        try:
            metadata = self._admin.list_topics(timeout=ANSWER_SECONDS_MAX).topics
        except KafkaException as failure:
            raise UnreachableError("Kafka", self._address, failure.args[0].str()) from None
        present = {name: len(metadata[name].partitions) for name in names if name in metadata}
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in present]
        asked = self._admin.describe_configs(resources, request_timeout=ANSWER_SECONDS_MAX) if resources else {}
        configs = {resource.name: self._answer(future) for resource, future in asked.items()}
        return {
            name: _Found(partitions, {key: entry.value for key, entry in configs[name].items()})
            for name, partitions in present.items()
        }

    def create(self, topics: Mapping[str, _Wanted]) -> None:
        """Create topics; one that another process created meanwhile is left as it is."""
        new = [
            NewTopic(
                name, num_partitions=topic.partitions, replication_factor=BROKER_DEFAULT, config=dict(topic.config)
            )
            for name, topic in topics.items()
        ]
        asked = self._admin.create_topics(new, request_timeout=ANSWER_SECONDS_MAX) if new else {}
        for future in asked.values():
            self._answer(future, harmless=KafkaError.TOPIC_ALREADY_EXISTS)

    def change(self, changes: Mapping[str, Mapping[str, str]]) -> None:
        """Set these configuration entries and leave the others."""
        resources = [
            ConfigResource(
                ResourceType.TOPIC,
                name,
                incremental_configs=[
                    ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
                    for key, value in change.items()
                ],
            )
            for name, change in changes.items()
        ]
        asked = (
            self._admin.incremental_alter_configs(resources, request_timeout=ANSWER_SECONDS_MAX) if resources else {}
        )
        for future in asked.values():
            self._answer(future)

    def _answer(self, future: "Future[Any]", harmless: int | None = None) -> Any:
        try:
            return future.result()
        except KafkaException as failure:
            error = failure.args[0]
            if error.code() == harmless:
                return None
            raise UnreachableError("Kafka", self._address, error.str()) from None
