"""Drift as processes on a real Kafka: what it emits can be recomputed, survives kill -9, and no bad record stops it."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from drift_pipeline import BY_RISK, MovingMarket, Reading, Settling, drift_worker, fill_of, own_fill, state

from trimtab.adapters.avro import Codec
from trimtab.adapters.kafka.producer import KafkaPublisher
from trimtab.adapters.kafka.recorded import open_recorded
from trimtab.documents import parse_document
from trimtab.domain.market import Market
from trimtab.domain.portfolio import Portfolio
from trimtab.drift.decision import Decision, decide
from trimtab.drift.pending import SETTLING_US
from trimtab.drift.refit import counts as costs_count
from trimtab.drift.refit import refit
from trimtab.drift.targets import aimed, computed, counts, due_us, renewed
from trimtab.frames import Feed
from trimtab.messages import Costs, Fill, Signal, Targets
from trimtab.ports.topics import Record, Stretch
from trimtab.replay.evidence import Evidence
from trimtab.replay.parity import Parity, Replay
from trimtab.settings import DriftSettings, Settings
from trimtab.topics import (
    EXECUTION_FILLS,
    MARKET_COSTS,
    MARKET_FRAMES,
    MARKET_RISK,
    PORTFOLIO_STATE,
    PORTFOLIO_TARGETS,
    REBALANCE_SIGNALS,
)

pytestmark = pytest.mark.integration

RISK_NAMES = [f"{BY_RISK}{number}" for number in range(3)]
NAMES = [*(f"core-{number}" for number in range(8)), *RISK_NAMES]
# As drift_worker sets them.
DECIDED_WITH = DriftSettings(
    risk_observations_min=3, risk_publish_seconds=1, risk_sample_seconds=0.2, signal_lifetime_seconds=5
)


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


def stretch(records: list[Record[Any]], begin: tuple[int, ...], end: tuple[int, ...]) -> Stretch[Any]:
    """Return what stands between offsets, one a partition; no `begin` is that of the topic."""
    starts = begin or (0,) * len(end)
    found = (record for record in records if starts[record.partition] <= record.offset < end[record.partition])
    return Stretch(tuple(found), end)


class Recorded:
    """The recorded topics alone, and everything decided from them worked out afresh."""

    def __init__(self, settings: Settings, codec: Codec) -> None:
        read: dict[str, list[Any]] = {}
        inputs = (MARKET_FRAMES, MARKET_RISK, MARKET_COSTS, PORTFOLIO_TARGETS, PORTFOLIO_STATE)
        for topic in (*inputs, EXECUTION_FILLS, REBALANCE_SIGNALS):
            reading = Reading(settings, codec, topic.name)
            read[topic.name] = sorted(reading.everything(), key=lambda record: record.offset)
            reading.close()
        self.frames = read[MARKET_FRAMES.name]
        self.risks = {record.offset: record for record in read[MARKET_RISK.name]}
        self.costs: dict[int, Record[Costs]] = {record.offset: record for record in read[MARKET_COSTS.name]}
        self.fills: list[Record[Fill]] = read[EXECUTION_FILLS.name]
        self.signals: list[Record[Signal]] = read[REBALANCE_SIGNALS.name]
        self.targets: dict[int, Record[Targets]] = {record.offset: record for record in read[PORTFOLIO_TARGETS.name]}
        states = [record.message for record in read[PORTFOLIO_STATE.name]]
        self.states = {(held.portfolio_id, held.ledger_version): held for held in states}
        self.documents = {
            (held.portfolio_id, held.document_version): parse_document(held.document, held.document_version)
            for held in states
        }

    def markets(self, offsets: set[int], costs_offset: int = -1) -> Mapping[int, Market]:
        feed, found = Feed(), {}
        for record in self.frames:
            feed = feed.advance(record.message, record.offset, self.costs.get(costs_offset))
            if record.offset in offsets:
                found[record.offset] = feed.market
        return found

    def decide(self, signals: list[Signal]) -> list[tuple[Decision, Signal]]:
        """Decide every signal afresh."""
        decisions = []
        for cited in sorted({found.costs_offset for found in signals}):
            mine = [found for found in signals if found.costs_offset == cited]
            markets = self.markets({found.frame_offset for found in mine}, cited)
            decisions += [(self._decide(found, markets[found.frame_offset]), found) for found in mine]
        return decisions

    def refit(self) -> list[tuple[Costs | None, Costs]]:
        """Work all costs out afresh."""
        published = [record.message for record in self.costs.values()]
        markets = self.markets({found.frame_offset for found in published})
        return [(self._refit(found, markets[found.frame_offset]), found) for found in published]

    def _refit(self, found: Costs, market: Market) -> Costs | None:
        before = self.costs.get(found.previous_offset)
        begin = (before.message.fills_offsets, before.message.signals_offsets) if before is not None else ((), ())
        fills = stretch(self.fills, begin[0], found.fills_offsets)
        signals = stretch(self.signals, begin[1], found.signals_offsets)
        return refit(market, fills, signals, before, DECIDED_WITH.impact_coefficient)

    def _decide(self, found: Signal, market: Market) -> Decision:
        portfolio = aimed(self._document(found), self.targets.get(found.targets_offset))
        held = self.states[found.portfolio_id, found.ledger_version]
        return decide(market, self.risks[found.risk_offset], held, portfolio, DECIDED_WITH)

    def renew(self) -> list[tuple[Targets, Targets]]:
        """Work all targets out afresh."""
        published = [record.message for record in self.targets.values()]
        markets = self.markets({found.frame_offset for found in published})
        return [(self._renew(found, markets[found.frame_offset]), found) for found in published]

    def _renew(self, found: Targets, market: Market) -> Targets:
        portfolio, risk = self._document(found), self.risks[found.risk_offset]
        due = due_us(portfolio, market.event_time_us, None)
        assert due is not None
        assert portfolio.allocation is not None
        weights = computed(portfolio.allocation, risk.message)
        return renewed(portfolio, due, market, risk, weights, self.targets.get(found.previous_offset))

    def counting(self) -> set[int]:
        """Return the offsets of the targets that ever counted, whoever read them."""
        known: dict[str, Targets] = {}
        offsets = set()
        for offset, record in self.targets.items():
            if counts(record.message, known.get(record.message.portfolio_id)):
                known[record.message.portfolio_id] = record.message
                offsets.add(offset)
        return offsets

    def _document(self, found: Signal | Targets) -> Portfolio:
        return self.documents[found.portfolio_id, found.document_version]


def replayed(settings: Settings) -> Parity:
    """Feed all workers once more, as their journals say."""
    with open_recorded(settings) as recorded, open_recorded(settings) as beside:
        evidence = Evidence(recorded, beside, DECIDED_WITH)
        session = evidence.session((None, None), (None, None))
        return Replay(session, DECIDED_WITH, parse_document, evidence.encoded, evidence.again).verify()


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
        third = await running.enter_async_context(drift_worker(settings, tmp_path))
        await third.says("caught up")
        before = dict(settling.versions)
        await settling.until(lambda: all(settling.versions[name] >= before[name] + 3 for name in NAMES))
    emitted = [record.message for record in settling.signals.records]
    assert len(settling.accepted) == len(set(settling.accepted)) == sum(settling.versions.values()) - len(NAMES)
    recorded = await asyncio.to_thread(Recorded, settings, codec)
    decisions = await asyncio.to_thread(recorded.decide, emitted)
    assert len(decisions) == len(emitted)
    for decided, found in decisions:
        assert isinstance(decided, Signal)
        assert codec.encode(decided) == codec.encode(found)
    found_again = await asyncio.to_thread(replayed, settings)
    assert found_again.faults == []
    assert found_again.workers == 3
    assert found_again.signals == found_again.matched >= len({each.signal_id for each in emitted})
    assert found_again.unwatched < found_again.signals / 3  # those of the last second before an end
    for made, published in recorded.renew():
        assert codec.encode(made) == codec.encode(published)
    by_risk = [found for found in emitted if found.portfolio_id in RISK_NAMES]
    assert {found.targets_offset for found in by_risk} <= recorded.counting()
    assert {found.targets_offset for found in emitted if found not in by_risk} == {-1}
    for name in RISK_NAMES:
        followed = [each for record in recorded.targets.values() if (each := record.message).portfolio_id == name]
        assert {found.document_version for found in by_risk if found.portfolio_id == name} >= {1, 2, 3}
        assert followed[0].previous_offset == -1
        assert all(recorded.targets[each.previous_offset].message.portfolio_id == name for each in followed[1:])


async def test_fills_lead_to_costs_that_the_next_signals_cite_and_both_can_be_recomputed(
    settings: Settings, codec: Codec, publisher: KafkaPublisher, settling: Settling, moving: None, tmp_path: Path
) -> None:
    costs = Reading(settings, codec, MARKET_COSTS.name)

    async def until(instrument: str, fills: int) -> Record[Costs]:
        """Return the first record that stands on so many fills."""
        async with asyncio.timeout(60):
            while True:
                for record in await asyncio.to_thread(costs.more):
                    if any((row.instrument, row.fills > fills) == (instrument, True) for row in record.message.fees):
                        return record

    async def go_on() -> None:
        before = dict(settling.versions)
        await settling.until(lambda: all(settling.versions[name] >= before[name] + 2 for name in NAMES))

    async with drift_worker(settings, tmp_path) as first:
        await go_on()
        await first.end(signal.SIGKILL)
    past_depth = [(each.message, trade) for each in settling.signals.records for trade in each.message.trades]
    past_depth = [(each, trade) for each, trade in past_depth if trade.depth]
    for number, (each, trade) in enumerate(past_depth):
        await publisher.publish(fill_of(each, trade, number))
    for number in range(40):
        await publisher.publish(own_fill(NAMES[number % len(NAMES)], number, "BTC"))
    async with AsyncExitStack() as running:
        second = await running.enter_async_context(drift_worker(settings, tmp_path))
        await running.enter_async_context(drift_worker(settings, tmp_path))
        pending = (await until("BTC/USDT", 39)).message.pending
        await go_on()
        last_us = max((row.deadline_us for row in pending), default=0)
        await asyncio.sleep(max((last_us + SETTLING_US) / 1e6 - time.time(), 0))
        await go_on()
        await second.end(signal.SIGKILL)
    for number in range(100, 120):
        await publisher.publish(own_fill(NAMES[number % len(NAMES)], number, "ETH"))
    async with drift_worker(settings, tmp_path):
        last = await until("ETH/USDT", 19 + len(past_depth))
        await settling.until(lambda: last.offset in {each.message.costs_offset for each in settling.signals.records})
    costs.close()
    assert {trade.base for _, trade in past_depth} == {"ETH"}
    _assert_recomputed(await asyncio.to_thread(Recorded, settings, codec), settling, codec)
    found_again = await asyncio.to_thread(replayed, settings)
    assert found_again.faults == []
    assert found_again.signals == found_again.matched


def _assert_recomputed(recorded: Recorded, settling: Settling, codec: Codec) -> None:
    for made, published in recorded.refit():
        assert made is not None
        assert codec.encode(made) == codec.encode(published)
    counting, known = [], None
    for record in recorded.costs.values():
        if costs_count(record.message, known):
            known = record.message
            counting.append(record.offset)
    emitted = [record.message for record in settling.signals.records]
    # A takeover brings one more as soon as anything was signalled.
    cited = {found.costs_offset for found in emitted}
    assert -1 in cited
    assert cited <= {-1, *counting}
    assert len(counting) >= 2
    for decided, found in recorded.decide(emitted):
        assert isinstance(decided, Signal)
        assert codec.encode(decided) == codec.encode(found)
    assert known is not None
    learnt = {row.instrument: (row.fee, row.fills) for row in known.fees}
    assert Decimal("0.0013") < learnt["BTC/USDT"][0] < Decimal("0.0014")  # 40 fills at 0.0015, 20 as stated
    assert Decimal("0.0012") < learnt["ETH/USDT"][0] < Decimal("0.0015")
    assert known.impact_taken > 0
    assert known.impact_prior != known.impact_coefficient


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
