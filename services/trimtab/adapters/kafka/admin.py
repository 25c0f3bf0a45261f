"""Topics and schemas as a deploy step: `apply` makes broker and registry match the manifest, `check` only compares.

Nothing is ever deleted or made smaller, and partitions are never added to a topic that exists: keys would move.
"""

import time
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
from trimtab.adapters.manifest import Manifest, load_manifest
from trimtab.adapters.registry import SchemaRegistry
from trimtab.adapters.subjects import Row, check, look, refusals, register, set_levels
from trimtab.domain.errors import UnreachableError
from trimtab.settings import Settings

ANSWER_SECONDS_MAX = 15.0
BROKER_DEFAULT = -1
SHOWN_SECONDS = 0.05


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
    found = look(registry, manifest.topics, settings.kafka.topic_prefix)
    rows = set_levels(registry, [subject for subject in found if subject.exists])  # a registry judges by what is set
    refused = refusals(registry, found)
    if refused:
        return rows + refused
    rows += _apply_topics(settings, manifest)
    rows += register(registry, found)
    rows += set_levels(registry, [subject for subject in found if not subject.exists])
    return rows or [Row("all topics and schemas", "unchanged")]


def _apply_topics(settings: Settings, manifest: Manifest) -> list[Row]:
    broker = _Broker(settings)
    wanted = _wanted(manifest, settings.kafka.topic_prefix)
    found = broker.topics(wanted)
    missing = {name: topic for name, topic in wanted.items() if name not in found}
    broker.create(missing)
    changes = {name: change for name, topic in found.items() if (change := _changed(wanted[name], topic))}
    broker.change(changes)
    broker.wait_for({name: wanted[name] for name in (*missing, *changes)})
    return [
        *(Row(name, "created", f"{topic.partitions} partitions") for name, topic in missing.items()),
        *(Row(name, "config changed", _shown(change)) for name, change in changes.items()),
        *(row for row in _check_found(wanted, found) if row.what == "partitions differ"),
    ]


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
    registry = SchemaRegistry(settings.registry.url)
    return rows + check(registry, look(registry, manifest.topics, settings.kafka.topic_prefix))


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

    def wait_for(self, asked: Mapping[str, _Wanted]) -> None:
        """Return once the broker shows what was done: it answers a little before all of it knows."""
        deadline = time.monotonic() + ANSWER_SECONDS_MAX
        while asked:
            found = self.topics(asked)
            asked = {name: topic for name, topic in asked.items() if name not in found or _changed(topic, found[name])}
            if asked and time.monotonic() > deadline:
                raise UnreachableError("Kafka", self._address, f"{', '.join(asked)}: made, but not shown yet")
            if asked:
                time.sleep(SHOWN_SECONDS)

    def _answer(self, future: "Future[Any]", harmless: int | None = None) -> Any:
        try:
            return future.result()
        except KafkaException as failure:
            error = failure.args[0]
            if error.code() == harmless:
                return None
            raise UnreachableError("Kafka", self._address, error.str()) from None
