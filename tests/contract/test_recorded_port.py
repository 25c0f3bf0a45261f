"""What anything that keeps topics owes whoever looks back: the port's promises, by Kafka, by archives, in memory."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from archive_files import Shelf
from examples import all_messages, messages
from recorded_topics import Topics
from trimtab.adapters.archive.recorded import open_archive
from trimtab.adapters.avro import Codec
from trimtab.adapters.kafka.recorded import open_recorded
from trimtab.messages import Frame, Message, PortfolioState
from trimtab.ports.recorded import Recorded
from trimtab.settings import Settings
from trimtab.topics import MARKET_FRAMES, MARKET_RISK, PORTFOLIO_STATE, Topic, topic_named, topic_of

NOW_MS = time.time_ns() // 1_000_000 - 60_000
FRAME, STATE = messages("market.frames")[0], messages("portfolio.state")[0]


def frame(number: int) -> Frame:
    assert isinstance(FRAME, Frame)
    return replace(FRAME, sequence=number)


def state(portfolio: str, version: int) -> PortfolioState:
    assert isinstance(STATE, PortfolioState)
    return replace(STATE, portfolio_id=portfolio, ledger_version=version)


class World(Protocol):
    """Something that keeps topics, as it is filled and as it is looked back at."""

    def put(self, message: Message, recorded_ms: int) -> object: ...

    def spoil(self, topic: Topic[Any]) -> None:
        """Add a record that cannot be read."""

    def forget(self, topic: Topic[Any], before: int) -> None: ...

    def recorded(self) -> Recorded: ...


class InMemory:
    def __init__(self) -> None:
        self._topics = Topics()

    def put(self, message: Message, recorded_ms: int) -> object:
        return self._topics.keep(message, recorded_ms)

    def spoil(self, topic: Topic[Any]) -> None:
        self._topics.skip(topic)

    def forget(self, topic: Topic[Any], before: int) -> None:
        self._topics.forget(topic, before)

    def recorded(self) -> Recorded:
        return self._topics


class Archived:
    def __init__(self, folder: Path) -> None:
        self._folder, self._shelf = folder, Shelf()

    def put(self, message: Message, recorded_ms: int) -> object:
        partition = sum((topic_of(message).key(message) or "").encode()) % 3 if message_is_keyed(message) else 0
        return self._shelf.put(message, recorded_ms, partition)

    def spoil(self, topic: Topic[Any]) -> None:
        self._shelf.put_raw(topic, None, b"\x00no record", NOW_MS)

    def forget(self, topic: Topic[Any], before: int) -> None:
        self._shelf.forget(topic, before)

    def recorded(self) -> Recorded:
        return open_archive(self._shelf.write(self._folder))


class OnKafka:
    def __init__(self, settings: Settings, codec: Codec, opened: Any) -> None:
        self._settings, self._codec, self._opened = settings, codec, opened
        self._producer = Producer(
            {"bootstrap.servers": settings.kafka.bootstrap_servers, "partitioner": "murmur2_random"}
        )

    def put(self, message: Message, recorded_ms: int) -> object:
        topic = topic_of(message)
        key = topic.key(message)
        self._producer.produce(
            self._name(topic), self._codec.encode(message), key if key is None else key.encode(), timestamp=recorded_ms
        )
        return self._producer.flush(30)

    def spoil(self, topic: Topic[Any]) -> None:
        self._producer.produce(self._name(topic), b"\x00no record", timestamp=NOW_MS)
        assert self._producer.flush(30) == 0

    def forget(self, topic: Topic[Any], before: int) -> None:
        admin = AdminClient({"bootstrap.servers": self._settings.kafka.bootstrap_servers})
        for gone in admin.delete_records([TopicPartition(self._name(topic), 0, before)]).values():
            gone.result(30)

    def recorded(self) -> Recorded:
        recorded: Recorded = self._opened(open_recorded(self._settings))
        return recorded

    def _name(self, topic: Topic[Any]) -> str:
        return f"{self._settings.kafka.topic_prefix}{topic.name}"


def message_is_keyed(message: Message) -> bool:
    return topic_of(message) is PORTFOLIO_STATE


class Suite:
    """The promises; every subclass has a world of its own."""

    def test_what_was_put_is_handed_out_with_its_place_its_stamp_and_its_bytes(self, world: World) -> None:
        for number in range(5):
            world.put(frame(number), NOW_MS + number)
        recorded = world.recorded()
        assert recorded.marks(MARKET_FRAMES) == (0, 5)
        found = list(recorded.span(MARKET_FRAMES, 1, 4))
        assert [each.message for each in found] == [frame(1), frame(2), frame(3)]
        assert [(each.record.topic, each.record.partition, each.record.offset) for each in found] == [
            ("market.frames", 0, offset) for offset in (1, 2, 3)
        ]
        assert [each.recorded_ms for each in found] == [NOW_MS + 1, NOW_MS + 2, NOW_MS + 3]
        assert [each.value for each in found] == [recorded.encoded(frame(number)) for number in (1, 2, 3)]

    def test_a_span_past_the_ends_has_what_there_is(self, world: World) -> None:
        world.put(frame(0), NOW_MS)
        recorded = world.recorded()
        assert [each.message for each in recorded.span(MARKET_FRAMES, -5, 99)] == [frame(0)]
        assert list(recorded.span(MARKET_FRAMES, 1, 99)) == []
        assert list(recorded.span(MARKET_FRAMES, 1, 0)) == []

    def test_a_topic_without_records_has_an_end_all_the_same(self, world: World) -> None:
        recorded = world.recorded()
        assert recorded.marks(MARKET_RISK) == (0, 0)
        assert list(recorded.whole(MARKET_RISK)) == []
        assert recorded.at(MARKET_RISK, 0) is None
        assert recorded.after(MARKET_RISK, NOW_MS) == 0

    def test_what_cannot_be_read_is_left_out(self, world: World) -> None:
        world.put(frame(0), NOW_MS)
        world.spoil(MARKET_FRAMES)
        world.put(frame(2), NOW_MS)
        recorded = world.recorded()
        assert recorded.marks(MARKET_FRAMES) == (0, 3)
        assert [each.record.offset for each in recorded.whole(MARKET_FRAMES)] == [0, 2]
        assert recorded.at(MARKET_FRAMES, 1) is None

    def test_what_is_gone_and_what_is_not_there_yet_is_none(self, world: World) -> None:
        for number in range(4):
            world.put(frame(number), NOW_MS)
        world.forget(MARKET_FRAMES, 2)
        recorded = world.recorded()
        assert recorded.marks(MARKET_FRAMES) == (2, 4)
        found = [recorded.at(MARKET_FRAMES, offset) for offset in (1, 2, 3, 4)]
        assert [None if each is None else each.message for each in found] == [None, frame(2), frame(3), None]
        assert [each.message for each in recorded.span(MARKET_FRAMES, 0, 3)] == [frame(2)]

    def test_the_first_record_stamped_later_is_found(self, world: World) -> None:
        for number in range(4):
            world.put(frame(number), NOW_MS + 10 * number)
        recorded = world.recorded()
        asked = (-1, 0, 5, 10, 29, 30)
        assert [recorded.after(MARKET_FRAMES, NOW_MS + each) for each in asked] == [0, 1, 1, 2, 3, 4]

    def test_the_whole_of_a_topic_keeps_each_keys_order(self, world: World) -> None:
        names = ("a", "b", "c", "d")
        for version in range(1, 4):
            for name in names:
                world.put(state(name, version), NOW_MS)
        found = [each.message for each in world.recorded().whole(PORTFOLIO_STATE)]
        for name in names:
            assert [each for each in found if each.portfolio_id == name] == [state(name, n) for n in (1, 2, 3)]
        assert len(found) == 12

    def test_a_keys_history_is_its_own(self, world: World) -> None:
        for version in range(1, 4):
            for name in ("a", "b"):
                world.put(state(name, version), NOW_MS + 10 * version)
        recorded = world.recorded()
        found = recorded.history(PORTFOLIO_STATE, "b")
        assert [each.message for each in found.records] == [state("b", version) for version in (1, 2, 3)]
        assert (found.keys, found.hole, found.beheaded) == ({"a", "b"}, None, False)
        since = recorded.history(PORTFOLIO_STATE, "b", NOW_MS + 20)
        assert [each.message.ledger_version for each in since.records] == [2, 3]
        nobody = recorded.history(PORTFOLIO_STATE, "nobody")
        assert (nobody.records, nobody.keys) == ((), {"a", "b"})

    def test_every_topics_records_come_back_as_they_were(self, world: World) -> None:
        for _, message in all_messages():
            world.put(message, NOW_MS)
        recorded = world.recorded()
        for name in {name for name, _ in all_messages()}:
            found = [each.message for each in recorded.whole(topic_named(name))]
            assert sorted(found, key=repr) == sorted(messages(name), key=repr), name


class TestInMemory(Suite):
    @pytest.fixture
    def world(self) -> World:
        return InMemory()


class TestArchives(Suite):
    @pytest.fixture
    def world(self, tmp_path: Path) -> World:
        return Archived(tmp_path / "archive")


@pytest.mark.integration
class TestKafka(Suite):
    @pytest.fixture
    def world(self, settings: Settings, codec: Codec, request: pytest.FixtureRequest) -> World:
        def opened(context: Any) -> Any:
            entered = context.__enter__()
            request.addfinalizer(lambda: context.__exit__(None, None, None))
            return entered

        return OnKafka(settings, codec, opened)
