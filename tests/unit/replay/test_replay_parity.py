"""A replay from topics alone: all that was decided comes out again, and whatever is wrong with them is found."""

import asyncio
import itertools
import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest
import structlog

from trimtab.bench.inputs import SETTINGS, market, portfolio, risk, state
from trimtab.bench.worker import frames
from trimtab.domain.errors import UnreachableError
from trimtab.domain.portfolio import NoTradeRegion, Portfolio
from trimtab.drift.decision import decide
from trimtab.drift.portfolios import Portfolios
from trimtab.drift.watching import Watch
from trimtab.frames import Feed
from trimtab.messages import Frame, JournalEntry, Message, PortfolioState, Risk, Signal
from trimtab.ports.metrics import Unmetered
from trimtab.ports.topics import Record
from trimtab.replay.parity import Fault, Parity, Replay
from trimtab.replay.session import Published, Session

ASSETS, FRAMES, PARTITIONS, PORTFOLIOS = 4, 400, 2, 6
LOG = structlog.wrap_logger(None, wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
POLICY = portfolio(NoTradeRegion(), ASSETS)


def parse(document: str, version: int) -> Portfolio:
    return replace(POLICY, portfolio_id=document, version=version)


def encoded(signal: Signal) -> bytes:
    return repr(signal).encode()


@dataclass
class Topics:
    """What a line leaves on its topics; a portfolio is in the partition of its number, a frame's offset its place."""

    frames: list[Record[Frame]] = field(default_factory=list)
    states: dict[tuple[int, int], Record[PortfolioState]] = field(default_factory=dict)
    risks: dict[int, Record[Risk]] = field(default_factory=dict)
    signals: list[Signal] = field(default_factory=list)
    journal: list[JournalEntry] = field(default_factory=list)

    def put(self, after: PortfolioState) -> Record[PortfolioState]:
        partition = int(after.portfolio_id) % PARTITIONS
        offset = sum(place[0] == partition for place in self.states)
        self.states[partition, offset] = Record(after, "portfolio.state", partition, offset)
        return self.states[partition, offset]

    def latest(self) -> Mapping[str, Record[PortfolioState]]:
        return {each.message.portfolio_id: each for each in self.states.values()}

    def session(self, first: int = 0, last: int = FRAMES) -> Session:
        full = (each.offset for each in self.frames if each.message.full and each.offset <= first)
        start = max(full, default=0)
        published = [Published(signal, encoded(signal)) for signal in self.signals]
        kept = [each for each in self.frames if each.offset >= start]
        return Session(first, last, kept, self.journal, self.states, self.risks, {}, {}, published)

    def replayed(self, session: Session | None = None, settings: Any = SETTINGS) -> Parity:
        return Replay(session or self.session(), settings, parse, encoded, self.again).verify()

    def again(self, published: Published) -> Signal | None:
        """Decide on what a signal cites."""
        signal, feed = published.signal, Feed()
        for record in self.frames[: signal.frame_offset + 1]:
            feed = feed.advance(record.message, record.offset)
        found = (each.message for each in self.states.values() if each.message.portfolio_id == signal.portfolio_id)
        held = next(each for each in found if each.ledger_version == signal.ledger_version)
        decision = decide(
            feed.market, self.risks[signal.risk_offset], held, parse(held.document, held.document_version), SETTINGS
        )
        return decision if isinstance(decision, Signal) else None


class Link:
    """A worker's way to the topics: slow by turns, and sometimes cut."""

    def __init__(self, topics: Topics, draw: random.Random) -> None:
        self._topics, self._draw = topics, draw
        self.cut = False

    async def publish(self, message: Message) -> None:
        for _ in range(self._draw.randrange(6)):
            await asyncio.sleep(0)
        if self.cut:
            raise UnreachableError("Kafka", "nowhere", "test")
        if isinstance(message, Signal):
            self._topics.signals.append(message)
        elif isinstance(message, JournalEntry):
            self._topics.journal.append(message)


class Line:
    """Drift workers one after another and beside each other on a market, with everything that happens to them."""

    def __init__(self, seed: int) -> None:
        self.draw, self.topics, self.answered = random.Random(seed), Topics(), 0
        self.owners: dict[int, tuple[Watch, Link]] = {}
        self.market = market(next(frames(3)).message)
        self._names = itertools.count(1)

    async def run(self) -> Topics:
        base = state(self.market, drifted=False, assets=ASSETS)
        self._estimate()
        for number in range(PORTFOLIOS):
            self.topics.put(replace(base, portfolio_id=str(number), document=str(number)))
        first = self._worker()
        for partition in range(PARTITIONS):
            self._assign(partition, first)
        for record in itertools.islice(frames(3), FRAMES):
            self.topics.frames.append(record)
            self._happen()
            for watch, _ in {id(each): each for each in self.owners.values()}.values():
                watch.on_frame(record)
            for _ in range(self.draw.randrange(4)):
                await asyncio.sleep(0)
        for watch, link in self.owners.values():
            link.cut = False
            await watch.settled()
        return self.topics

    def _happen(self) -> None:
        chance = self.draw.random()
        if chance < 0.05:
            self._estimate()
        elif chance < 0.15:
            self._lose(str(self.draw.randrange(PORTFOLIOS)))
        elif chance < 0.25:
            self._answer()
        elif chance < 0.28:
            link = self.draw.choice(list(self.owners.values()))[1]
            link.cut = not link.cut
        elif chance < 0.30:
            self._assign(self.draw.randrange(PARTITIONS), self._worker())  # one of two goes over
        elif chance < 0.31:
            self._crash()

    def _worker(self) -> tuple[Watch, Link]:
        link = Link(self.topics, self.draw)
        watch = Watch(Portfolios(parse), link, Unmetered(), LOG, SETTINGS, f"worker-{next(self._names)}")
        watch.on_risk(self.topics.risks[max(self.topics.risks)])
        return watch, link

    def _assign(self, partition: int, owner: tuple[Watch, Link]) -> None:
        if partition in self.owners:
            self.owners[partition][0].portfolios.forget({partition})
        self.owners[partition] = owner
        for record in self.topics.latest().values():
            if record.partition == partition:
                owner[0].portfolios.put(record)
        owner[0].portfolios.complete(partition)

    def _crash(self) -> None:
        """End a worker where it stands, with all that it has not sent yet."""
        watch, link = self.draw.choice(list(self.owners.values()))
        for task in [*watch._sending, watch._journal._work]:
            if task is not None:
                task.cancel()
        link.cut = True
        successor = self._worker()
        for partition in [number for number, (each, _) in self.owners.items() if each is watch]:
            self._assign(partition, successor)

    def _estimate(self) -> None:
        offset = len(self.topics.risks)
        made = risk().message
        changed = tuple(each * (1 + Decimal(self.draw.randrange(100)) / 1000) for each in made.covariance)
        self.topics.risks[offset] = Record(replace(made, covariance=changed), "market.risk", 0, offset)
        for watch, _ in self.owners.values():
            watch.on_risk(self.topics.risks[offset])

    def _lose(self, name: str) -> None:
        held = self.topics.latest()[name].message
        first, *others = held.positions
        self._state(replace(held, positions=(replace(first, posted=first.posted / 2), *others)))

    def _answer(self) -> None:
        """Fill a signal that nobody has answered yet."""
        if self.answered < len(self.topics.signals):
            signal = self.topics.signals[self.answered]
            self.answered += 1
            held = self.topics.latest()[signal.portfolio_id].message
            positions = {each.asset: each for each in held.positions}
            for trade in signal.trades:
                paid = trade.quantity * trade.side.sign * trade.decision_price
                for asset, change in ((trade.base, trade.quantity * trade.side.sign), (trade.quote, -paid)):
                    positions[asset] = replace(positions[asset], posted=positions[asset].posted + change)
            self._state(replace(held, positions=tuple(positions.values())))

    def _state(self, held: PortfolioState) -> None:
        record = self.topics.put(replace(held, ledger_version=held.ledger_version + 1))
        self.owners[record.partition][0].portfolios.put(record)


@pytest.fixture(scope="module")
def topics() -> Topics:
    return asyncio.run(Line(1).run())


@pytest.mark.parametrize("seed", range(1, 7))
def test_everything_that_was_decided_comes_out_again(seed: int) -> None:
    left = asyncio.run(Line(seed).run())
    found = left.replayed()
    assert found.faults == []
    assert found.signals == found.matched == len({each.signal_id for each in left.signals}) > 10
    assert found.frames == FRAMES
    assert found.workers > 2
    assert found.unwatched < found.signals


@pytest.mark.parametrize("first", [77, 250])
def test_it_may_begin_anywhere(topics: Topics, first: int) -> None:
    found = topics.replayed(topics.session(first, 390))
    assert found.faults == []
    assert found.signals == len({each.signal_id for each in topics.signals if first <= each.frame_offset <= 390})


def kinds(found: Parity) -> set[str]:
    return {fault.kind for fault in found.faults}


def test_a_signal_that_is_not_there_is_missed(topics: Topics) -> None:
    gone = topics.signals[len(topics.signals) // 2]
    left = replace(topics, signals=[each for each in topics.signals if each.signal_id != gone.signal_id])
    assert Fault("missing", gone.portfolio_id, gone.signal_id, gone.frame_offset) in [
        replace(fault, detail="") for fault in left.replayed().faults
    ]


def test_a_signal_that_should_not_be_there_is_unexpected(topics: Topics) -> None:
    known = {(each.portfolio_id, each.frame_offset) for each in topics.signals}
    quiet = next(number for number in itertools.count(2) if ("0", number) not in known)
    invented = replace(topics.signals[0], portfolio_id="0", signal_id="invented", frame_offset=quiet)
    found = replace(topics, signals=[*topics.signals, invented]).replayed()
    assert [(fault.kind, fault.signal_id) for fault in found.faults] == [("unexpected", "invented")]


def test_a_changed_constant_of_the_decision_is_caught(topics: Topics) -> None:
    found = topics.replayed(settings=SETTINGS.model_copy(update={"landing": SETTINGS.landing + Decimal("0.01")}))
    assert found.count("mismatched") > 5
    assert not found.holds


def test_a_changed_signal_is_caught(topics: Topics) -> None:
    first, *others = topics.signals
    found = replace(topics, signals=[replace(first, urgency=first.urgency + 1), *others]).replayed()
    assert [(fault.kind, fault.signal_id) for fault in found.faults] == [("mismatched", first.signal_id)]


def test_a_dropped_state_is_caught(topics: Topics) -> None:
    used = [(row.partition, row.offset) for entry in topics.journal for row in entry.states if row.offset >= 0]
    place = used[len(used) // 2]
    found = replace(topics, states={key: value for key, value in topics.states.items() if key != place}).replayed()
    assert "gone" in kinds(found)
    assert f"in partition {place[0]}: offset {place[1]} is named by drift.journal" in found.faults[0].detail


def test_frames_that_changed_places_are_caught(topics: Topics) -> None:
    at = topics.signals[len(topics.signals) // 2].frame_offset
    one, other = topics.frames[at - 1 : at + 1]
    swapped = [
        *topics.frames[: at - 1],
        replace(other, offset=at - 1),
        replace(one, offset=at),
        *topics.frames[at + 1 :],
    ]
    assert not replace(topics, frames=swapped).replayed().holds


def test_a_gap_in_a_journal_ends_what_it_vouches_for(topics: Topics) -> None:
    left = replace(topics, journal=[each for each in topics.journal if each.number != 1]).replayed()
    assert left.faults == []
    assert left.unwatched == left.signals
