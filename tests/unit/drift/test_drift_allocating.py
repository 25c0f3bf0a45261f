"""A worker and the targets of its portfolios: when it publishes them, and that it trades by them alone."""

from dataclasses import replace

import pytest
from drift_ports import LOG, Counted, Sent, estimate, frame, held
from drift_targets import HOURLY, allocated, recomputed
from drift_worlds import SETTINGS, D

from trimtab.domain.market import Market
from trimtab.domain.portfolio import Portfolio
from trimtab.drift.portfolios import Portfolios
from trimtab.drift.targets import aimed
from trimtab.drift.watching import Watch
from trimtab.frames import Feed
from trimtab.messages import Frame, Risk, Targets
from trimtab.ports.topics import Record

HOUR = 3_600.0
IN_PLACE = (D("0.793388"), D("0.123967"), D("0.082645"))  # BTC, ETH and USDT as `held` has them


def parse(document: str, version: int) -> Portfolio:
    return allocated(portfolio_id=document, version=version)


class World:
    """A worker, and the topics as they would be read back."""

    def __init__(self) -> None:
        self.sent, self.counted = Sent(), Counted()
        self.worker = Watch(Portfolios(parse), self.sent, self.counted, LOG, SETTINGS, "worker-1")
        self.worker.portfolios.complete(0)
        self.markets: dict[int, Market] = {}
        self.risks: dict[int, Record[Risk]] = {}
        self.targets: dict[int, Record[Targets]] = {}
        self._feed = Feed()

    def estimate(self, offset: int, **deviations: str) -> None:
        self.risks[offset] = estimate(offset, {asset: D(text) for asset, text in deviations.items()} or None)
        self.worker.on_risk(self.risks[offset])

    async def frame(self, record: Record[Frame]) -> None:
        """Let a frame pass, and everything that it sets going; targets come back at the end."""
        self._feed = self._feed.advance(record.message, record.offset)
        self.markets[record.offset] = self._feed.market
        self.worker.on_frame(record)
        await self.worker.settled()
        made = [message for message in self.sent.messages if isinstance(message, Targets)]
        for message in made[len(self.targets) :]:
            offset = len(self.targets)
            self.targets[offset] = Record(message, "portfolio.targets", 0, offset)
            self.worker.on_targets(self.targets[offset])

    def holds(self, reason: str) -> int:
        return self.counted.counts["decisions_total", "hold", reason]


@pytest.fixture
def world() -> World:
    return World()


async def test_without_targets_nothing_is_traded_and_with_them_by_them(world: World) -> None:
    world.estimate(3)
    world.worker.portfolios.put(held())
    await world.frame(frame(1, full=True))
    assert world.holds("targets_missing") == 1
    assert world.counted.gauges["portfolio_drift_ratio"] == 0
    assert not world.sent.signals
    await world.frame(frame(2))
    (signal,) = world.sent.signals
    assert (signal.targets_offset, signal.frame_offset) == (0, 2)
    found = world.targets[0].message
    wanted = dict(zip(found.assets, found.weights, strict=True))
    assert {term.asset: term.target for term in signal.terms} == wanted


async def test_no_targets_before_there_is_a_usable_estimate(world: World) -> None:
    world.worker.portfolios.put(held())
    await world.frame(frame(1, full=True))
    world.estimate(1, BTC="0.5")
    await world.frame(frame(2, seconds=6, full=True))
    assert not world.targets
    world.estimate(2)
    await world.frame(frame(3, seconds=8, full=True))
    assert not world.targets  # a moment after the last try
    await world.frame(frame(4, seconds=12, full=True))
    assert [record.message.risk_offset for record in world.targets.values()] == [2]


async def test_new_ones_come_when_the_hour_does_and_can_be_worked_out_again(world: World) -> None:
    world.estimate(0)
    world.worker.portfolios.put(held("a"))
    world.worker.portfolios.put(held("b"))
    for number in range(60):
        if number % 7 == 0:
            world.estimate(number, BTC=f"0.{3 + number // 10}", ETH="0.6")
        await world.frame(frame(number + 1, seconds=number * HOUR / 10, full=True))
    assert len(world.targets) == 2 * 7
    assert [record.message.portfolio_id for record in world.targets.values()] == ["a", "b"] * 7
    for record in world.targets.values():
        found = record.message
        document = parse(found.portfolio_id, found.document_version)
        assert recomputed(found, document, world.markets, world.risks, world.targets) == found
    assert [record.message.previous_offset for record in world.targets.values()] == [-1, -1, *range(12)]


async def test_targets_that_others_published_are_taken_and_not_made_again(world: World) -> None:
    other = World()
    other.estimate(0)
    other.worker.portfolios.put(held())
    await other.frame(frame(1, full=True))
    world.estimate(0, BTC="0.2", ETH="0.9")
    world.worker.on_targets(other.targets[0])
    world.worker.portfolios.put(held())
    await world.frame(frame(1, full=True))
    assert not world.targets
    assert len(world.sent.signals) == 1


async def test_a_new_document_gets_new_targets_and_waits_for_them(world: World) -> None:
    world.estimate(0)
    world.worker.portfolios.put(held())
    await world.frame(frame(1, full=True))
    state = held(version=2, offset=1)
    changed = replace(state, message=replace(state.message, document_version=2))
    world.worker.portfolios.put(changed)
    await world.frame(frame(2))
    assert world.holds("targets_missing") == 2
    await world.frame(frame(3, seconds=1, full=True))
    assert [record.message.document_version for record in world.targets.values()] == [1, 2]
    await world.frame(frame(4, seconds=1))
    assert [signal.targets_offset for signal in world.sent.signals] == [1]


async def test_targets_that_move_away_from_what_is_held_are_traded_by_on_the_next_frame(world: World) -> None:
    world.estimate(0)
    world.worker.portfolios.put(held())
    await world.frame(frame(1, full=True))
    found = world.targets.pop(0).message
    kept = replace(found, due_us=found.due_us + 1, weights=IN_PLACE)
    world.worker.on_targets(Record(kept, "portfolio.targets", 0, 1))
    await world.frame(frame(2))
    assert not world.sent.signals
    assert world.holds("within_band") == 1
    moved = replace(found, due_us=found.due_us + 2)
    world.worker.on_targets(Record(moved, "portfolio.targets", 0, 2))
    world.targets[0] = Record(found, "portfolio.targets", 0, 0)
    await world.frame(frame(3))
    assert [(signal.targets_offset, signal.frame_offset) for signal in world.sent.signals] == [(2, 3)]


async def test_new_targets_do_not_bring_a_second_signal_on_the_same_state(world: World) -> None:
    world.estimate(0)
    world.worker.portfolios.put(held())
    await world.frame(frame(1, full=True))
    await world.frame(frame(2))
    found = world.targets[0].message
    later = replace(found, due_us=found.due_us + 1, weights=tuple(reversed(found.weights)))
    world.worker.on_targets(Record(later, "portfolio.targets", 0, 1))
    await world.frame(frame(3))
    assert [signal.targets_offset for signal in world.sent.signals] == [0]


async def test_what_could_not_be_sent_is_tried_again(world: World) -> None:
    world.estimate(0)
    world.worker.portfolios.put(held())
    world.sent.broken = True
    await world.frame(frame(1, full=True))
    world.sent.broken = False
    await world.frame(frame(2, seconds=4, full=True))
    assert not world.targets
    await world.frame(frame(3, seconds=5, full=True))
    assert len(world.targets) == 1


async def test_assets_without_weights_are_not_tried_again_on_every_estimate(world: World) -> None:
    world.estimate(0, BTC="0.5", ETH="0")
    world.worker.portfolios.put(held())
    await world.frame(frame(1, full=True))
    world.estimate(1)
    await world.frame(frame(2, seconds=59, full=True))
    assert not world.targets
    await world.frame(frame(3, seconds=60, full=True))
    assert len(world.targets) == 1


async def test_only_the_owner_publishes(world: World) -> None:
    world.estimate(0)
    world.worker.portfolios.put(held(partition=3))
    await world.frame(frame(1, full=True))
    assert not world.targets
    world.worker.portfolios.forget({3})
    world.worker.portfolios.complete(3)
    await world.frame(frame(2, seconds=1, full=True))
    assert not world.targets


def test_targets_of_a_portfolio_that_comes_later_wait_for_it() -> None:
    copy = Portfolios(parse)
    copy.complete(0)
    weights = (D("0.5"), D("0.4"), D("0.1"))
    found = Targets("t", "core", 1, 1, 1, 1, 1, -1, HOURLY.method, ("BTC", "ETH", "USDT"), weights, weights)
    copy.aim(Record(found, "portfolio.targets", 0, 4))
    copy.put(held())
    entry = copy.get("core")
    assert entry is not None
    assert entry.portfolio == aimed(parse("core", 1), copy.targets("core"))
    assert entry.instruments == {"binance:BTC/USDT", "binance:ETH/USDT"}
