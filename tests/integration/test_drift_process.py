"""Drift as processes on a real Kafka: what it emits can be recomputed, survives kill -9, and no bad record stops it."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from drift_pipeline import MovingMarket, Reading, Settling, drift_worker, state

from trimtab.adapters.avro import Codec
from trimtab.adapters.kafka.producer import KafkaPublisher
from trimtab.documents import parse_document
from trimtab.drift.decision import decide
from trimtab.frames import Feed
from trimtab.messages import Signal
from trimtab.settings import DriftSettings, Settings
from trimtab.topics import MARKET_FRAMES, MARKET_RISK, PORTFOLIO_STATE, REBALANCE_SIGNALS

pytestmark = pytest.mark.integration

NAMES = [f"core-{number}" for number in range(8)]
# As drift_worker sets them.
DECIDED_WITH = DriftSettings(
    risk_observations_min=3, risk_publish_seconds=1, risk_sample_seconds=0.2, signal_lifetime_seconds=5
)


@pytest.fixture
async def publisher(settings: Settings, codec: Codec) -> AsyncIterator[KafkaPublisher]:
    made = KafkaPublisher(settings.kafka, codec)
    yield made
    await made.close()


@pytest.fixture
async def moving(publisher: KafkaPublisher) -> AsyncIterator[None]:
    task = asyncio.create_task(MovingMarket(publisher).run())
    yield
    task.cancel()


@pytest.fixture
async def settling(settings: Settings, codec: Codec, publisher: KafkaPublisher) -> AsyncIterator[Settling]:
    signals = Reading(settings, codec, REBALANCE_SIGNALS.name)
    settling = Settling(publisher, signals, NAMES)
    await settling.begin()
    yield settling
    signals.close()


def recompute(settings: Settings, codec: Codec, signals: list[Signal]) -> list[Any]:
    """Decide every signal afresh from the recorded topics alone."""
    read = {}
    for topic in (MARKET_FRAMES, MARKET_RISK, PORTFOLIO_STATE):
        reading = Reading(settings, codec, topic.name)
        read[topic.name] = reading.everything()
        reading.close()
    risks = {record.offset: record for record in read[MARKET_RISK.name]}
    states = {(r.message.portfolio_id, r.message.ledger_version): r.message for r in read[PORTFOLIO_STATE.name]}
    wanted: dict[int, list[Signal]] = {}
    for found in signals:
        wanted.setdefault(found.frame_offset, []).append(found)
    feed, decisions = Feed(), []
    for record in sorted(read[MARKET_FRAMES.name], key=lambda record: record.offset):
        feed = feed.advance(record.message, record.offset)
        for found in wanted.get(record.offset, []):
            held = states[found.portfolio_id, found.ledger_version]
            portfolio = parse_document(held.document, held.document_version)
            decisions.append((decide(feed.market, risks[found.risk_offset], held, portfolio, DECIDED_WITH), found))
    return decisions


async def test_signals_can_be_recomputed_from_the_topics_also_after_kill_9(
    settings: Settings, codec: Codec, settling: Settling, moving: None, tmp_path: Path
) -> None:
    async with AsyncExitStack() as running:
        first = await running.enter_async_context(drift_worker(settings, tmp_path))
        await settling.until(lambda: min(settling.versions.values()) >= 3)
        await running.enter_async_context(drift_worker(settings, tmp_path))
        await settling.until(lambda: min(settling.versions.values()) >= 5)
        await first.end(signal.SIGKILL)
        before = dict(settling.versions)
        await settling.until(lambda: all(settling.versions[name] >= before[name] + 3 for name in NAMES))
        await running.enter_async_context(drift_worker(settings, tmp_path))
        before = dict(settling.versions)
        await settling.until(lambda: all(settling.versions[name] >= before[name] + 3 for name in NAMES))
    emitted = [record.message for record in settling.signals.records]
    assert len(settling.accepted) == len(set(settling.accepted)) == sum(settling.versions.values()) - len(NAMES)
    decisions = await asyncio.to_thread(recompute, settings, codec, emitted)
    assert len(decisions) == len(emitted)
    for decided, found in decisions:
        assert codec.encode(decided) == codec.encode(found)


async def test_one_worker_emits_one_signal_per_version_and_again_only_when_it_counts_as_lost(
    settings: Settings, codec: Codec, publisher: KafkaPublisher, moving: None, tmp_path: Path
) -> None:
    await publisher.publish(state("quiet", 1))
    signals = Reading(settings, codec, REBALANCE_SIGNALS.name)
    settling = Settling(publisher, signals, ["quiet"])
    settling.versions["quiet"] = 0  # nothing is ever settled
    async with drift_worker(settings, tmp_path):
        await settling.until(lambda: len(settling.superseded) >= 2)
    signals.close()
    times = [record.message.event_time_us for record in signals.records]
    assert times[1] - times[0] >= 2 * DECIDED_WITH.signal_lifetime_seconds * 1_000_000


async def test_a_state_that_cannot_be_read_goes_to_the_dead_letters_and_the_rest_goes_on(
    settings: Settings, codec: Codec, settling: Settling, moving: None, tmp_path: Path
) -> None:
    kafka = settings.kafka
    raw = Producer({"bootstrap.servers": kafka.bootstrap_servers, "partitioner": "murmur2_random"})
    topic = f"{kafka.topic_prefix}{PORTFOLIO_STATE.name}"
    async with drift_worker(settings, tmp_path) as worker:
        await worker.says("caught up")
        for name in NAMES:
            raw.produce(topic, key=name, value=b"not a record")
        meaningless = codec.encode(state("hollow", 1)).replace(b'"targets"', b'"targetz"')
        raw.produce(topic, key="hollow", value=meaningless)
        assert raw.flush(10) == 0
        await settling.until(lambda: min(settling.versions.values()) >= 3)
    letters = Reading(settings, codec, PORTFOLIO_STATE.dead_letters, decoded=False)
    found = letters.everything()
    letters.close()
    assert {bytes(letter.key()).decode() for letter in found} == {*NAMES, "hollow"}
    assert {dict(letter.headers())["dlq.topic"] for letter in found} == {b"portfolio.state"}


async def test_the_estimate_goes_on_after_a_takeover(
    settings: Settings, codec: Codec, publisher: KafkaPublisher, moving: None, tmp_path: Path
) -> None:
    risks = Reading(settings, codec, MARKET_RISK.name)

    async def until(count: int) -> None:
        async with asyncio.timeout(60):
            while len(risks.records) < count:
                await asyncio.to_thread(risks.more)

    async with drift_worker(settings, tmp_path) as first:
        await until(5)
        await first.end(signal.SIGKILL)
    risks.more(1.0)
    before = len(risks.records)
    async with drift_worker(settings, tmp_path) as second:
        await until(before + 2)
        await second.says('"resumed":true')
    risks.close()
    published = [record.message for record in risks.records]
    last, taken_over, next_one = published[before - 1 : before + 2]
    assert taken_over.observations >= last.observations  # resumed, and perhaps not one sample on
    assert next_one.observations > last.observations
    assert all(a.event_time_us < b.event_time_us for a, b in pairwise(published))
    assert len({risk.event_id for risk in published}) == len(published)


async def test_a_worker_waits_for_kafka_and_stops_when_told(stack: object, settings: Settings, tmp_path: Path) -> None:
    absent = settings.model_copy(
        update={"kafka": settings.kafka.model_copy(update={"bootstrap_servers": "127.0.0.1:1"})}
    )
    async with drift_worker(absent, tmp_path) as worker:
        await worker.says("127.0.0.1:1")
        assert await worker.end() == 0
    assert "Traceback" not in worker.log.read_text()


async def test_a_worker_leaves_in_good_order(
    settings: Settings, settling: Settling, moving: None, tmp_path: Path
) -> None:
    async with drift_worker(settings, tmp_path) as worker:
        await worker.says("caught up")
        assert await worker.end() == 0
    assert "Traceback" not in worker.log.read_text()
    left = await asyncio.to_thread(lambda: [path.name for path in tmp_path.iterdir()])
    assert left == [worker.log.name]
