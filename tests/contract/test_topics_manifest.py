"""One manifest: it, the code and the schemas say the same, and nobody uses a topic that is not declared for him."""

import ast
import dataclasses
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import fastavro
import pytest

import trimtab
from examples import message_of, messages
from trimtab import topics
from trimtab.adapters.avro import Codec
from trimtab.adapters.manifest import examples, load_manifest, schema_text, schemas_folder
from trimtab.domain.errors import InvalidValueError
from trimtab.messages import Message
from trimtab.topics import TOPICS, Topic, topic_named, topic_of

MANIFEST = load_manifest()
SERVICES = ("ingest", "drift", "executor", "reconciler")
NAMES = [topic.name for topic in TOPICS]


def test_manifest_and_code_name_the_same_topics_and_messages() -> None:
    assert {name: entry.message for name, entry in MANIFEST.topics.items()} == {
        topic.name: topic.message.__name__ for topic in TOPICS
    }


@pytest.mark.parametrize("name", NAMES)
def test_manifest_and_code_give_the_same_key(name: str) -> None:
    for message in messages(name):
        assert topic_named(name).key(message) == MANIFEST.topics[name].key_of(message)
        assert topic_of(message).name == name


def test_no_schema_and_no_example_is_an_orphan() -> None:
    folder = schemas_folder()
    assert {path.stem for path in folder.glob("*.avsc")} == set(NAMES)
    assert {path.stem for path in (folder / "examples").iterdir()} == set(NAMES)


def test_every_topic_has_a_producer_and_every_message_a_topic() -> None:
    assert all(entry.producers for entry in MANIFEST.topics.values())
    assert {topic.message for topic in TOPICS} == set(get_args(Message))


def test_topics_read_by_a_group_keep_their_keys_whole() -> None:
    """What must be in order per portfolio has a key; what must be in one order has one partition."""
    for name, entry in MANIFEST.topics.items():
        assert entry.key or entry.partitions == 1, name


def test_money_is_kept_for_ever_and_state_compacted_late() -> None:
    assert MANIFEST.topics["execution.fills"].config["retention.ms"] == "-1"
    state = MANIFEST.topics["portfolio.state"].config
    assert state["cleanup.policy"] == "compact"
    assert int(state["min.compaction.lag.ms"]) > 0


@pytest.mark.parametrize("topic", TOPICS, ids=NAMES)
def test_schema_and_dataclass_have_the_same_fields(topic: Topic[Any]) -> None:
    schema = json.loads(schema_text(topic.name))
    assert schema["namespace"] == "trimtab"
    _assert_record(schema, topic.message)


def _assert_record(schema: dict[str, Any], message: type) -> None:
    hints = get_type_hints(message)
    assert schema["name"] == message.__name__
    assert schema["doc"]
    assert [field["name"] for field in schema["fields"]] == list(hints)
    for field in schema["fields"]:
        assert field["doc"], f"{message.__name__}.{field['name']} has no doc"
        _assert_type(field["type"], hints[field["name"]], field)


def _assert_type(found: Any, kind: Any, field: dict[str, Any]) -> None:
    if get_origin(kind) is tuple:
        assert found["type"] == "array"
        _assert_type(found["items"], get_args(kind)[0], field)
    elif kind is Decimal:
        assert found == {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 18}
    elif dataclasses.is_dataclass(kind):
        assert isinstance(kind, type)
        _assert_record(found, kind)
    elif issubclass(kind, StrEnum):
        assert found == "string"
        assert all(member.value in field["doc"] for member in kind), f"{field['name']}: its doc leaves values out"
    elif kind is int and field["name"].endswith("_us"):
        assert found == {"type": "long", "logicalType": "timestamp-micros"}
    else:
        assert found == {int: "long", bool: "boolean", str: "string"}[kind]


@pytest.mark.parametrize("name", NAMES)
def test_examples_written_by_anyone_decode(name: str) -> None:
    """An example, written with the full schema by Avro's own rules, is the message that its JSON says."""
    codec = Codec({known: number for number, known in enumerate(NAMES, 1)})
    schema = fastavro.parse_schema(json.loads(schema_text(name)))
    for example, message in zip(examples(name), messages(name), strict=True):
        buffer = io.BytesIO()
        fastavro.schemaless_writer(buffer, schema, _typed(topic_named(name).message, example))
        framed = codec.encode(message)
        assert framed[5:] == buffer.getvalue()
        assert codec.decode(name, framed) == message


def _typed(kind: Any, value: Any) -> Any:
    """Return an example as a foreign writer would hold it: amounts as Decimal, the rest as JSON has it."""
    if kind is Decimal:
        return Decimal(value)
    if get_origin(kind) is tuple:
        return [_typed(get_args(kind)[0], item) for item in value]
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        return {name: _typed(hints[name], value[name]) for name in hints}
    return value


def test_an_example_with_a_field_too_many_or_too_few_is_noticed() -> None:
    example = examples("market.ticks")[0]
    with pytest.raises(KeyError):
        message_of(topics.MARKET_TICKS.message, {k: v for k, v in example.items() if k != "price"})
    assert set(example) == set(get_type_hints(topics.MARKET_TICKS.message))


@pytest.mark.parametrize("name", NAMES)
def test_examples_hold_no_field_that_the_schema_lacks(name: str) -> None:
    for example, message in zip(examples(name), messages(name), strict=True):
        assert _keys(example) == _keys(dataclasses.asdict(message))


def _keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _keys(item) for key, item in value.items()}
    return [_keys(item) for item in value] if isinstance(value, list | tuple) else None


def test_an_unknown_topic_is_one_clear_error() -> None:
    with pytest.raises(InvalidValueError, match=r"topic: found 'market\.tick'; allowed: drift\.journal, "):
        topic_named("market.tick")


@pytest.mark.parametrize("text", ["topics: [", "version: 1", "{}"])
def test_a_manifest_that_does_not_hold_is_one_clear_error(text: str, tmp_path: Path) -> None:
    file = tmp_path / "topics.yaml"
    file.write_text(text)
    with pytest.raises(InvalidValueError):
        load_manifest(file)


# Who uses which topic, read from the sources: naming a topic's constant is reading it (who writes names the message),
# making one of its messages, or bumping a portfolio's version, is writing it.

ROOT = Path(trimtab.__file__).parent
SHARED = {"adapters", "cli", "demo", "domain", "embedded", "exchange", "ports", "replay", *SERVICES}
CONSTANTS = {name: value for name, value in vars(topics).items() if isinstance(value, Topic)}
WRITTEN = {topic.message.__name__: topic.name for topic in TOPICS}


def _sources(service: str) -> Iterator[ast.Module]:
    """Yield a service's modules and the shared ones that it imports (ledger, frames, ...), however indirectly."""
    waiting = sorted((ROOT / service).rglob("*.py"))
    seen = set(waiting)
    while waiting:
        tree = ast.parse(waiting.pop().read_text())
        yield tree
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("trimtab."):
                continue
            parts = (node.module or "").split(".")[1:]
            path = ROOT.joinpath(*parts).with_suffix(".py")
            if (
                parts[0] not in SHARED
                and path.exists()
                and path not in seen
                and path.stem not in {"messages", "topics"}
            ):
                seen.add(path)
                waiting.append(path)


def _uses(service: str) -> tuple[set[str], set[str]]:
    read: set[str] = set()
    written: set[str] = set()
    for tree in _sources(service):
        imported = {
            alias.asname or alias.name: alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module in {"trimtab.messages", "trimtab.topics"}
            for alias in node.names
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and imported.get(node.id) in CONSTANTS:
                read.add(CONSTANTS[imported[node.id]].name)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and imported.get(node.func.id) in WRITTEN:
                written.add(WRITTEN[imported[node.func.id]])
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "bump":
                written.add("portfolio.state")
    return read, written


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_uses_the_topics_declared_for_it_and_no_others(service: str) -> None:
    read, written = _uses(service)
    assert read == {name for name, entry in MANIFEST.topics.items() if service in entry.consumers}
    assert written == {name for name, entry in MANIFEST.topics.items() if service in entry.producers}


def test_the_manifest_declares_known_processes_only() -> None:
    declared = {who for entry in MANIFEST.topics.values() for who in (*entry.producers, *entry.consumers)}
    assert declared <= {*SERVICES, "cli"}
    assert set(MANIFEST.observers).isdisjoint(SERVICES)
