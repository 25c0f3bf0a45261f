"""Part of a topic read on demand: from where it was asked to the present ends, partition by partition."""

from dataclasses import replace

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer

from examples import messages
from trimtab.adapters.avro import Codec
from trimtab.adapters.kafka import stretches
from trimtab.adapters.kafka.producer import KafkaPublisher
from trimtab.adapters.kafka.stretches import StretchReader
from trimtab.domain.errors import UnreachableError
from trimtab.messages import Fill
from trimtab.settings import Settings
from trimtab.topics import EXECUTION_FILLS

pytestmark = pytest.mark.integration

EXAMPLE = messages("execution.fills")[0]
assert isinstance(EXAMPLE, Fill)
PARTITIONS = 12


async def put(settings: Settings, codec: Codec, *numbers: int) -> None:
    publisher = KafkaPublisher(settings.kafka, codec)
    for number in numbers:
        await publisher.publish(replace(EXAMPLE, event_id=str(number), portfolio_id=f"p{number % 5}"))
    await publisher.close()


def names(records: tuple[object, ...]) -> list[int]:
    return sorted(int(record.message.event_id) for record in records)  # type: ignore[attr-defined]  # fills, all


async def test_a_stretch_goes_on_where_the_last_one_ended(settings: Settings, codec: Codec) -> None:
    reader = StretchReader(settings.kafka, codec, EXECUTION_FILLS, client_id="test-stretch")
    empty = await reader.read((), 100)
    assert (empty.records, empty.offsets) == ((), (0,) * PARTITIONS)
    await put(settings, codec, *range(20))
    first = await reader.read(empty.offsets, 100)
    assert names(first.records) == list(range(20))
    assert sum(first.offsets) == 20
    assert all(record.offset < first.offsets[record.partition] for record in first.records)
    await put(settings, codec, 20, 21)
    second = await reader.read(first.offsets, 100)
    assert names(second.records) == [20, 21]
    assert (await reader.read(second.offsets, 100)).records == ()


async def test_a_record_that_cannot_be_decoded_is_passed_over(settings: Settings, codec: Codec) -> None:
    raw = Producer({"bootstrap.servers": settings.kafka.bootstrap_servers, "partitioner": "murmur2_random"})
    raw.produce(f"{settings.kafka.topic_prefix}{EXECUTION_FILLS.name}", key="p1", value=b"not a fill")
    assert raw.flush(10) == 0
    await put(settings, codec, 1, 2)
    found = await StretchReader(settings.kafka, codec, EXECUTION_FILLS, client_id="test-stretch").read((), 100)
    assert names(found.records) == [1, 2]
    assert sum(found.offsets) == 3


async def test_more_than_asked_for_comes_in_several_stretches_and_once(settings: Settings, codec: Codec) -> None:
    await put(settings, codec, *range(3_000))
    reader = StretchReader(settings.kafka, codec, EXECUTION_FILLS, client_id="test-stretch")
    found, offsets, stretches = [], (0,) * PARTITIONS, 0
    while sum(offsets) < 3_000:
        stretch = await reader.read(offsets, 1)
        found += stretch.records
        assert sum(stretch.offsets) == sum(offsets) + len(stretch.records)
        offsets, stretches = stretch.offsets, stretches + 1
    assert names(tuple(found)) == list(range(3_000))
    assert stretches > 1


async def test_a_partition_without_a_leader_for_a_moment_is_asked_again(
    settings: Settings, codec: Codec, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(settings, codec, 1, 2)
    asked: list[object] = []
    marks = Consumer.get_watermark_offsets

    class Leaderless(Consumer):
        def get_watermark_offsets(self, *place: object, **options: object) -> object:
            asked.append(place)
            if len(asked) == 1:
                raise KafkaException(KafkaError(KafkaError.NOT_LEADER_FOR_PARTITION))
            return marks(self, *place, **options)

    monkeypatch.setattr(stretches, "Consumer", Leaderless)
    found = await StretchReader(settings.kafka, codec, EXECUTION_FILLS, client_id="test-stretch").read((), 100)
    assert names(found.records) == [1, 2]
    assert len(asked) == 1 + PARTITIONS


async def test_a_broker_that_is_not_there_is_one_clear_error(codec: Codec) -> None:
    kafka = Settings().kafka.model_copy(update={"bootstrap_servers": "127.0.0.1:1"})
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:1"):
        await StretchReader(kafka, codec, EXECUTION_FILLS, client_id="test-stretch").read((), 100)
