"""Corrupt, truncated, unknown and absurd records on every topic that is read, while the line trades."""

import io
import json
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro
import pytest
import yaml
from confluent_kafka import Consumer, Producer, TopicPartition

from examples import messages
from trimtab.adapters.avro import load_codec
from trimtab.adapters.manifest import schema_text
from trimtab.topics import (
    EXECUTION_FILLS,
    EXECUTION_PARENTS,
    MARKET_COSTS,
    MARKET_FRAMES,
    MARKET_RISK,
    PORTFOLIO_STATE,
    REBALANCE_SIGNALS,
)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

READ = (
    EXECUTION_FILLS,
    EXECUTION_PARENTS,
    MARKET_COSTS,
    MARKET_FRAMES,
    MARKET_RISK,
    PORTFOLIO_STATE,
    REBALANCE_SIGNALS,
)
ABSURD: dict[str, dict[str, Any]] = {
    "execution.fills": {"quantity": Decimal(-1)},
    "execution.parents": {"parent_id": ""},
    "market.costs": {"sequence": -1},
    "market.frames": {"event_time_us": datetime(1971, 1, 1, tzinfo=UTC)},
    "market.risk": {"covariance": []},
    "portfolio.state": {"ledger_version": -1},
    "rebalance.signals": {"equity": Decimal(-1), "urgency": Decimal(-1)},
}


def bad_values(topic: str, settings: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    codec = load_codec(settings["registry"]["url"])
    good = codec.encode(messages(topic)[0])
    yield "empty", b""
    yield "another framing", b"\x07" + good[1:]
    yield "truncated", good[: len(good) // 2]
    yield "unknown schema", struct.pack(">bI", 0, 987_654) + good[5:]
    yield "absurd", _absurd(good, topic)


def _absurd(good: bytes, topic: str) -> bytes:
    """Change a good record as another program could: Avro allows it, sense does not."""
    schema = fastavro.parse_schema(json.loads(schema_text(topic)))
    record = fastavro.schemaless_reader(io.BytesIO(good[5:]), schema, None)
    assert isinstance(record, dict)
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, schema, record | ABSURD[topic])
    return good[:5] + buffer.getvalue()


def await_dead_letters(broker: str, topic: str, places: set[tuple[int, int]], seconds: float = 30.0) -> None:
    """Wait until records that stood at these places (partition, offset) are among the topic's dead letters."""
    consumer = Consumer({"bootstrap.servers": broker, "group.id": "test", "enable.auto.commit": False})
    name = f"{topic}.dlq"
    partitions = consumer.list_topics(name, timeout=10).topics[name].partitions
    consumer.assign([TopicPartition(name, partition, 0) for partition in partitions])
    missing, deadline = set(places), time.monotonic() + seconds
    while missing and time.monotonic() < deadline:
        record = consumer.poll(0.5)
        if record is not None and record.error() is None:
            headers = {key: value.decode() for key, value in record.headers()}
            assert headers["dlq.reason"]
            missing.discard((int(headers["dlq.partition"]), int(headers["dlq.offset"])))
    consumer.close()
    assert not missing, f"{topic}: no dead letter of the records at {sorted(missing)}"


def test_bad_records_go_to_the_dead_letters_and_the_line_goes_on(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "trimtab.cli", "demo", "--json", "--seconds", "45", "--folder", str(tmp_path)]
    with (tmp_path / "stderr").open("wb") as errors:
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        try:
            deadline = time.monotonic() + 120
            while "trading" not in (tmp_path / "stderr").read_text():
                assert run.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.2)
            settings = yaml.safe_load((tmp_path / "settings.yaml").read_text())
            broker = settings["kafka"]["bootstrap_servers"]
            sent = {topic.name: put(broker, topic.name, settings) for topic in READ}
            for topic, places in sent.items():
                await_dead_letters(broker, topic, places)
            output, _ = run.communicate(timeout=200)
        finally:
            run.kill()
    bill = json.loads(output)
    assert bill["dlq_records"] >= sum(map(len, sent.values()))
    assert (bill["doubled_orders"], bill["lost_fills"], bill["ledger_equals_venue"]) == (0, 0, True)
    assert all(portfolio["within_band"] for portfolio in bill["portfolios"])
    events = (tmp_path / "line" / "events.log").read_text()
    assert '"died"' not in events


def put(broker: str, topic: str, settings: dict[str, Any]) -> set[tuple[int, int]]:
    """Produce every kind of bad record; return where they stand."""
    places: set[tuple[int, int]] = set()
    producer = Producer({"bootstrap.servers": broker})
    for _, value in bad_values(topic, settings):
        producer.produce(
            topic, value, key=b"bad", on_delivery=lambda _, record: places.add((record.partition(), record.offset()))
        )
    producer.flush(10)
    assert len(places) == 5
    return places
