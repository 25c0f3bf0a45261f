"""Topics read back by key, through a consumer as the client library has it: compacted, silent, or away."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from past_worlds import World

from trimtab.adapters.avro import UndecodableError
from trimtab.adapters.kafka import recorded as module
from trimtab.adapters.kafka.recorded import RecordedTopics
from trimtab.domain.errors import UnreachableError
from trimtab.messages import Message, PortfolioState
from trimtab.settings import KafkaSettings
from trimtab.topics import PORTFOLIO_STATE

STATE = World()
STATE.state(1)
FIRST = next(STATE.topics.span(PORTFOLIO_STATE, 0, 1)).message


class Raw:
    """A record as the client hands it out."""

    def __init__(self, partition: int, offset: int, key: str, *, good: bool = True) -> None:
        self._place, self._key, self._good = (partition, offset), key, good

    def error(self) -> None:
        return None

    def partition(self) -> int:
        return self._place[0]

    def offset(self) -> int:
        return self._place[1]

    def key(self) -> bytes:
        return self._key.encode()

    def value(self) -> bytes:
        return b"good" if self._good else b"bad"

    def timestamp(self) -> tuple[int, int]:
        return 1, 1_000 + self._place[1]


class Client:
    """Stands in for a consumer: gives the records once, then positions at the ends; `stuck` never moves."""

    def __init__(self, records: Sequence[Raw], ends: dict[int, int], *, stuck: bool = False) -> None:
        self._records, self._ends, self._stuck = list(records), ends, stuck
        self.asked = 0

    def list_topics(self, name: str, timeout: float) -> Any:
        self.asked += 1
        return SimpleNamespace(topics={name: SimpleNamespace(error=None, partitions=self._ends)})

    def get_watermark_offsets(self, place: TopicPartition, timeout: float) -> tuple[int, int]:
        return 0, self._ends[place.partition]

    def assign(self, places: list[TopicPartition]) -> None:
        self._coming = [each for each in self._records if each.partition() in {place.partition for place in places}]

    def poll(self, timeout: float) -> Raw | None:
        return None if self._stuck or not self._coming else self._coming.pop(0)

    def consume(self, number: int, timeout: float) -> list[Raw]:
        found, self._coming = self._coming, []
        return found

    def position(self, places: list[TopicPartition]) -> list[TopicPartition]:
        at = (lambda _: -1_001) if self._stuck else self._ends.__getitem__
        return [TopicPartition(place.topic, place.partition, at(place.partition)) for place in places]


class Reader:
    """Stands in for the codec."""

    def decode(self, topic: str, value: bytes) -> Message:
        if value == b"bad":
            raise UndecodableError("not a record")
        assert isinstance(FIRST, PortfolioState)
        return FIRST


def recorded(client: Client) -> RecordedTopics:
    settings: Any = SimpleNamespace(kafka=KafkaSettings(bootstrap_servers="kafka:1", topic_prefix="t."))
    reader: Any = Reader()
    one: Any = client
    return RecordedTopics(one, one, reader, settings)


def test_one_keys_records_are_found_among_others_and_holes_are_noticed() -> None:
    records = [
        Raw(0, 0, "other"),
        Raw(0, 2, "other"),  # something of partition 0 is gone; core stands in partition 1
        Raw(1, 0, "more"),
        Raw(1, 1, "core"),
        Raw(1, 2, "core", good=False),
        Raw(1, 3, "core"),
        Raw(1, 7, "core"),  # after the end that there was when it was asked
    ]
    found = recorded(Client(records, {0: 3, 1: 5})).history(PORTFOLIO_STATE, "core")
    assert [each.record.offset for each in found.records] == [1, 3]
    assert [each.recorded_ms for each in found.records] == [1_001, 1_003]
    assert found.keys == {"other", "more", "core"}
    assert (found.hole, found.beheaded) == (None, False)


@pytest.mark.parametrize(("offsets", "beheaded"), [((2, 3), True), ((0, 1, 2), False), ((0, 3), False)])
def test_what_begins_after_a_hole_may_have_been_longer(offsets: tuple[int, ...], *, beheaded: bool) -> None:
    client = Client([Raw(0, offset, "core") for offset in offsets], {0: 4})
    assert recorded(client).history(PORTFOLIO_STATE, "core").beheaded is beheaded


def test_nothing_of_a_key_is_no_history() -> None:
    found = recorded(Client([], {0: 0})).history(PORTFOLIO_STATE, "core")
    assert (found.records, found.hole, found.keys) == ((), None, frozenset())


def test_what_a_topic_has_is_asked_once() -> None:
    client = Client([Raw(0, 0, "core")], {0: 1})
    reading = recorded(client)
    reading.history(PORTFOLIO_STATE, "core")
    asked = client.asked
    reading.history(PORTFOLIO_STATE, "core")
    assert client.asked == asked


def test_a_broker_that_hands_out_nothing_is_given_up() -> None:
    with pytest.raises(UnreachableError, match=r"Kafka at kafka:1 does not answer: it does not hand out .* t\.portf"):
        recorded(Client([], {0: 5}, stuck=True)).history(PORTFOLIO_STATE, "core")


def test_a_broker_that_is_away_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class Away(Client):
        def list_topics(self, name: str, timeout: float) -> Any:
            raise KafkaException(KafkaError(KafkaError._ALL_BROKERS_DOWN, "all brokers are down"))

    monkeypatch.setattr(module, "_ANSWER_SECONDS_MAX", 0.01)
    with pytest.raises(UnreachableError, match="Kafka at kafka:1 does not answer: all brokers are down"):
        recorded(Away([], {})).history(PORTFOLIO_STATE, "core")
