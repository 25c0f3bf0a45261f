"""What the group brings: assignments, states, frames to estimate from, and records that mean nothing."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from drift_ports import LOG, Sent, estimate, frame, held, parse
from drift_worlds import NOW_US

from trimtab.domain.errors import InvalidValueError, TrimtabError, UnreachableError
from trimtab.drift.estimating import BACKLOG_FRAMES_MAX, Estimating
from trimtab.drift.intake import Intake
from trimtab.drift.portfolios import Portfolios
from trimtab.drift.refitting import Refitting
from trimtab.drift.stream import Raw
from trimtab.messages import Message, PortfolioState, Risk
from trimtab.ports.topics import Record, Stretch
from trimtab.settings import DriftSettings

QUICK = DriftSettings(risk_observations_min=2, risk_publish_seconds=1.0, risk_span_points=2)
STATES, FRAMES = "portfolio.state", "market.frames"


class Sleeper:
    """A clock that only counts its naps."""

    def __init__(self) -> None:
        self.naps = 0

    def now_us(self) -> int:
        return NOW_US

    async def sleep(self, seconds: float) -> None:
        self.naps += 1


class World:
    """An intake over records by name: a record's bytes are the name of its message."""

    def __init__(self) -> None:
        self.sent, self.clock = Sent(), Sleeper()
        self.risks: dict[str, Record[Risk]] = {}
        self.newest = 0
        self.portfolios = Portfolios(parse)
        refitting = Refitting(self.sent, LOG, self.nothing, self.nothing, lambda: None, QUICK.impact_coefficient)
        self.estimating = Estimating(self.sent, LOG, QUICK, lambda: self.risks, lambda: self.newest, refitting)
        self.messages: dict[bytes, Message] = {}
        self.buried: list[tuple[int, str]] = []
        self.stored: dict[int, list[Record[PortfolioState]]] = {}
        self.reading = asyncio.Event()
        self.reading.set()
        self.unreachable = 0
        self.followed: dict[str, int] = {}
        self.intake = Intake(
            self.portfolios, self.estimating, self.decode, self.clock, LOG, snapshot=self.snapshot, bury=self.bury
        )

    def decode(self, topic: str, value: bytes | None) -> Message:
        if self.unreachable:
            self.unreachable -= 1
            raise UnreachableError("registry", "nowhere", "test")
        if value not in self.messages:
            raise InvalidValueError(topic, value, "a known message")
        return self.messages[value]

    async def nothing(self, begin: tuple[int, ...], records_max: int) -> Stretch[Any]:
        return Stretch((), begin)

    async def bury(self, raw: Raw, reason: str) -> None:
        self.buried.append((raw.offset, reason))

    async def snapshot(self, partitions: frozenset[int]) -> Mapping[int, Sequence[Record[PortfolioState]]]:
        await self.reading.wait()
        return {number: self.stored.get(number, []) for number in partitions}

    def raw(self, record: Record[Message]) -> Raw:
        name = f"{record.topic}/{record.partition}/{record.offset}".encode()
        self.messages[name] = record.message
        return Raw(record.topic, record.partition, record.offset, None, name, 0, ())

    def known(self) -> dict[str, int]:
        """Follow the changes, as a worker does."""
        for name in self.portfolios.changes():
            entry = self.portfolios.get(name)
            self.followed.pop(name, None)
            if entry is not None:
                self.followed[name] = entry.state.ledger_version
        return self.followed

    @asynccontextmanager
    async def rebuilding(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.intake.rebuild())
        yield
        task.cancel()

    async def rest(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)


@pytest.fixture
async def world() -> World:
    return World()


async def test_an_assigned_partition_is_read_from_its_beginning_before_anything_is_decided(world: World) -> None:
    world.stored = {0: [held("a", 3, offset=5)], 1: [held("b", 7, offset=2, partition=1)]}
    world.reading.clear()
    async with world.rebuilding():
        world.intake.assigned(STATES, frozenset({0, 1}))
        await world.rest()
        assert world.known() == {}
        world.reading.set()
        await world.rest()
    assert world.known() == {"a": 3, "b": 7}


async def test_a_state_from_the_group_that_is_newer_than_the_copy_wins(world: World) -> None:
    world.stored = {0: [held("a", 3, offset=5)]}
    world.reading.clear()
    async with world.rebuilding():
        world.intake.assigned(STATES, frozenset({0}))
        await world.rest()
        await world.intake.on_state(world.raw(held("a", 4, offset=6)))
        world.reading.set()
        await world.rest()
    assert world.known() == {"a": 4}


async def test_a_copy_that_was_read_for_an_older_assignment_is_thrown_away(world: World) -> None:
    world.stored = {0: [held("a", 3, offset=5)]}
    world.reading.clear()
    async with world.rebuilding():
        world.intake.assigned(STATES, frozenset({0}))
        await world.rest()
        world.intake.revoked(STATES, frozenset({0}))
        world.reading.set()
        await world.rest()
        assert world.known() == {}
        world.intake.assigned(STATES, frozenset({0}))
        await world.rest()
    assert world.known() == {"a": 3}


async def test_revoking_forgets_at_once(world: World) -> None:
    world.stored = {0: [held("a")], 1: [held("b", partition=1)]}
    async with world.rebuilding():
        world.intake.assigned(STATES, frozenset({0, 1}))
        await world.rest()
        world.intake.revoked(STATES, frozenset({1}))
    assert world.known() == {"a": 1}


async def test_a_stored_state_that_means_nothing_does_not_stop_the_others(world: World) -> None:
    world.stored = {0: [held("a", document=""), held("b", offset=1)]}
    async with world.rebuilding():
        world.intake.assigned(STATES, frozenset({0}))
        await world.rest()
    assert world.known() == {"b": 1}


async def test_records_that_mean_nothing_are_buried(world: World) -> None:
    await world.intake.on_state(Raw(STATES, 0, 3, b"k", b"rubbish", 0, ()))
    await world.intake.on_state(world.raw(held("a", offset=4, document="")))
    assert [offset for offset, _ in world.buried] == [3, 4]
    assert all("allowed" in reason for _, reason in world.buried)


async def test_too_many_dead_letters_end_the_worker(world: World) -> None:
    async def refuse(raw: Raw, reason: str) -> None:
        raise TrimtabError("too many")

    world.intake.bury = refuse
    with pytest.raises(TrimtabError, match="too many"):
        await world.intake.on_state(Raw(STATES, 0, 3, b"k", b"rubbish", 0, ()))


async def test_a_registry_that_does_not_answer_is_waited_for(world: World) -> None:
    world.portfolios.complete(0)
    world.unreachable = 3
    await world.intake.on_state(world.raw(held("a")))
    assert world.clock.naps == 3
    assert not world.buried
    assert world.known() == {"a": 1}


async def test_the_owner_of_the_frames_publishes_estimates(world: World) -> None:
    world.intake.assigned(FRAMES, frozenset({0}))
    for second in range(6):
        assert await world.intake.on_frame(world.raw(frame(second, seconds=second, full=True, moved=second))) is None
    assert [risk.frame_offset for risk in world.sent.risks] == [4, 5]  # a price is believed when the next confirms it


async def test_a_frame_that_comes_twice_counts_once(world: World) -> None:
    for second in (0, 1, 2, 1, 2, 3, 4):
        await world.intake.on_frame(world.raw(frame(second, seconds=second, full=True, moved=second)))
    assert [risk.observations for risk in world.sent.risks] == [2]


async def test_a_new_owner_goes_on_from_the_last_estimate_and_passes_over_its_frames(world: World) -> None:
    world.risks["USDT"] = estimate()  # up to frame 5, of a thousand observations
    world.intake.assigned(FRAMES, frozenset({0}))
    for second in range(12):
        await world.intake.on_frame(world.raw(frame(second, seconds=second, full=True, moved=second)))
    assert min(risk.frame_offset for risk in world.sent.risks) > 5
    assert world.sent.risks[0].observations >= 1_000


async def test_an_owner_far_behind_is_told_where_to_go_on(world: World) -> None:
    world.newest = BACKLOG_FRAMES_MAX + 100
    assert await world.intake.on_frame(world.raw(frame(7, full=True))) == 100
    assert await world.intake.on_frame(world.raw(frame(100, full=True))) is None


async def test_a_frame_that_cannot_be_read_is_passed_over(world: World) -> None:
    assert await world.intake.on_frame(Raw(FRAMES, 0, 3, None, b"rubbish", 0, ())) is None
    await world.intake.on_frame(world.raw(frame(4, broken=True, full=True)))
    assert not world.buried
    assert not world.sent.messages
