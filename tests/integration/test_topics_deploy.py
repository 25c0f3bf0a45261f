"""`trimtab topics apply` and `check`: what they change, what they refuse, what they leave alone."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType
from confluent_kafka.schema_registry import ConfigCompatibilityLevel, ServerConfig

from trimtab.adapters import manifest as manifests
from trimtab.adapters import subjects
from trimtab.adapters.avro import SchemaMissingError, load_codec
from trimtab.adapters.kafka import admin
from trimtab.adapters.kafka.admin import apply_topics, check_topics
from trimtab.adapters.manifest import Manifest, load_manifest, schema_text
from trimtab.adapters.registry import COMPATIBILITY, IncompatibleSchemaError, SchemaRegistry, subject_of
from trimtab.adapters.subjects import Row
from trimtab.domain.errors import UnreachableError
from trimtab.settings import KafkaSettings, RegistrySettings, Settings

pytestmark = pytest.mark.integration

FILLS = "execution.fills"
Change = Callable[[dict[str, Any]], None]


def changed_schema(monkeypatch: pytest.MonkeyPatch, change: Change) -> None:
    """Let the code have another schema of fills than the registry."""
    schema = json.loads(schema_text(FILLS))
    change(schema)
    text = json.dumps(schema)
    monkeypatch.setattr(subjects, "schema_text", lambda name: text if name == FILLS else manifests.schema_text(name))


def with_topic(name: str, **changes: Any) -> Manifest:
    manifest = load_manifest()
    entry = manifest.topics[name].model_copy(update=changes)
    return manifest.model_copy(update={"topics": {**manifest.topics, name: entry}})


def whats(rows: list[Row]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row.what, set()).add(row.subject)
    return found


def test_apply_makes_everything_once_and_check_agrees(bare_settings: Settings) -> None:
    prefix = bare_settings.kafka.topic_prefix
    names = load_manifest().topics
    topics = {f"{prefix}{name}{end}" for name in names for end in ("", ".dlq")}
    known = {subject_of(name, prefix) for name in names}
    before = whats(check_topics(bare_settings))
    assert before == {"topic missing": topics, "schema missing": known}
    done = whats(apply_topics(bare_settings))
    assert done == {"created": topics, "schema registered": known, "compatibility set": known}
    assert check_topics(bare_settings) == []
    assert whats(apply_topics(bare_settings)).keys() == {"unchanged"}


def test_topics_are_on_the_broker_as_the_manifest_says(settings: Settings) -> None:
    prefix, manifest = settings.kafka.topic_prefix, load_manifest()
    client = AdminClient({"bootstrap.servers": settings.kafka.bootstrap_servers})
    found = client.list_topics(timeout=10).topics
    resource = ConfigResource(ResourceType.TOPIC, f"{prefix}{FILLS}")
    config = client.describe_configs([resource])[resource].result()
    assert config["retention.ms"].value == "-1"
    for name, entry in manifest.topics.items():
        assert len(found[f"{prefix}{name}"].partitions) == entry.partitions
        assert len(found[f"{prefix}{name}.dlq"].partitions) == 3
    registry = SchemaRegistry(settings.registry.url)
    assert {registry.compatibility(subject_of(name, prefix)) for name in manifest.topics} == {COMPATIBILITY}


def test_a_changed_configuration_is_found_and_mended_and_other_entries_are_left(settings: Settings) -> None:
    name = f"{settings.kafka.topic_prefix}market.ticks"
    config = load_manifest().topics["market.ticks"].config | {"retention.ms": "1000", "segment.ms": "60000"}
    assert apply_topics(settings, with_topic("market.ticks", config=config)) == [
        Row(name, "config changed", "retention.ms=1000, segment.ms=60000")
    ]
    assert check_topics(settings) == [Row(name, "config differs", "retention.ms: found 1000, wanted 604800000")]
    assert apply_topics(settings) == [Row(name, "config changed", "retention.ms=604800000")]
    assert check_topics(settings) == []
    assert check_topics(settings, with_topic("market.ticks", config={"segment.ms": "60000"})) == []


@pytest.mark.parametrize("partitions", [1, 24])
def test_another_number_of_partitions_is_told_and_never_changed(settings: Settings, partitions: int) -> None:
    name = f"{settings.kafka.topic_prefix}{FILLS}"
    manifest = with_topic(FILLS, partitions=partitions)
    wanted = [Row(name, "partitions differ", f"found 12, wanted {partitions}: keys would move")]
    assert check_topics(settings, manifest) == wanted
    assert apply_topics(settings, manifest) == wanted
    assert check_topics(settings) == []


def test_a_topic_that_is_gone_is_made_again_and_others_are_not_touched(settings: Settings) -> None:
    name = f"{settings.kafka.topic_prefix}market.risk"
    client = AdminClient({"bootstrap.servers": settings.kafka.bootstrap_servers})
    client.delete_topics([name])[name].result()
    while name in client.list_topics(timeout=10).topics:  # the broker answers a little before all of it knows
        time.sleep(0.05)
    assert check_topics(settings) == [Row(name, "topic missing")]
    assert apply_topics(settings) == [Row(name, "created", "1 partitions")]


def test_somebody_elses_topic_is_left_alone(settings: Settings) -> None:
    name = f"{settings.kafka.topic_prefix}not.ours"
    client = AdminClient({"bootstrap.servers": settings.kafka.bootstrap_servers})
    client.create_topics([NewTopic(name, num_partitions=2, replication_factor=1)])[name].result()
    while name not in client.list_topics(timeout=10).topics:
        time.sleep(0.05)
    assert check_topics(settings) == []
    apply_topics(settings)
    assert len(client.list_topics(timeout=10).topics[name].partitions) == 2


def demand(schema: dict[str, Any]) -> None:
    schema["fields"].append({"name": "venue_fee_tier", "type": "string", "doc": "No default: old records lack it."})


def retype(schema: dict[str, Any]) -> None:
    schema["fields"][2]["type"] = "string"


def rescale(schema: dict[str, Any]) -> None:
    next(field for field in schema["fields"] if field["name"] == "price")["type"] = "double"


@pytest.mark.parametrize("change", [demand, retype, rescale])
def test_an_incompatible_change_is_refused_before_anything_is_done(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    changed_schema(monkeypatch, change)
    subject = subject_of(FILLS, settings.kafka.topic_prefix)
    refused = [Row(subject, "schema incompatible", "could not read what earlier versions wrote")]
    assert check_topics(settings) == refused
    config = load_manifest().topics["market.ticks"].config | {"retention.ms": "1000"}
    assert apply_topics(settings, with_topic("market.ticks", config=config)) == refused
    monkeypatch.undo()
    assert check_topics(settings) == []


def test_the_registry_itself_refuses_too(settings: Settings) -> None:
    schema = json.loads(schema_text(FILLS))
    retype(schema)
    subject = subject_of(FILLS, settings.kafka.topic_prefix)
    with pytest.raises(IncompatibleSchemaError, match=f"^{subject}: refused by the registry"):
        SchemaRegistry(settings.registry.url).register(subject, json.dumps(schema))


def test_a_compatible_change_is_registered_and_the_running_version_goes_on(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add(schema: dict[str, Any]) -> None:
        schema["fields"].append({"name": "tier", "type": "string", "default": "", "doc": "Fee tier."})

    changed_schema(monkeypatch, add)
    subject = subject_of(FILLS, settings.kafka.topic_prefix)
    assert check_topics(settings) == [Row(subject, "schema missing")]
    assert {row.what for row in apply_topics(settings)} == {"schema registered"}
    assert check_topics(settings) == []
    monkeypatch.undo()
    load_codec(settings.registry.url, settings.kafka.topic_prefix)  # the old version's schema is still registered


def test_compatibility_set_to_none_by_hand_is_found_and_mended_before_schemas_are_judged(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = subject_of(FILLS, settings.kafka.topic_prefix)
    registry = SchemaRegistry(settings.registry.url)
    registry._client.set_config(subject, _level("NONE"))
    assert check_topics(settings) == [Row(subject, "compatibility differs", f"found NONE, wanted {COMPATIBILITY}")]
    changed_schema(monkeypatch, retype)
    assert whats(apply_topics(settings)) == {"compatibility set": {subject}, "schema incompatible": {subject}}


def _level(name: str) -> Any:
    return ServerConfig(compatibility=ConfigCompatibilityLevel[name])


def test_a_service_without_its_schemas_says_what_to_do(bare_settings: Settings) -> None:
    with pytest.raises(SchemaMissingError, match=r"execution\.fills.*: run trimtab topics apply$"):
        load_codec(bare_settings.registry.url, bare_settings.kafka.topic_prefix)


def test_running_services_never_register(bare_settings: Settings) -> None:
    with pytest.raises(SchemaMissingError):
        load_codec(bare_settings.registry.url, bare_settings.kafka.topic_prefix)
    registry = SchemaRegistry(bare_settings.registry.url)
    assert not registry.exists(subject_of(FILLS, bare_settings.kafka.topic_prefix))


def test_what_does_not_answer_is_named_with_its_address(bare_settings: Settings) -> None:
    nobody = "http://127.0.0.1:1/apis/ccompat/v7"
    with pytest.raises(UnreachableError, match=f"^schema registry at {nobody} does not answer: "):
        load_codec(nobody, wait_seconds=0.1)
    with pytest.raises(UnreachableError, match=f"^schema registry at {nobody} does not answer: "):
        apply_topics(bare_settings.model_copy(update={"registry": RegistrySettings(url=nobody)}))


def test_a_broker_that_does_not_answer_is_named(bare_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "ANSWER_SECONDS_MAX", 1.0)
    kafka = KafkaSettings(bootstrap_servers="127.0.0.1:1", topic_prefix=bare_settings.kafka.topic_prefix)
    with pytest.raises(UnreachableError, match=r"^Kafka at 127\.0\.0\.1:1 does not answer: "):
        check_topics(bare_settings.model_copy(update={"kafka": kafka}))
