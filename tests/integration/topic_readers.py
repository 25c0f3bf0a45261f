"""Records, readers that run for a while, bytes of a foreign producer, and the dead letters of a topic."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from examples import messages
from trimtab.adapters import tracing
from trimtab.adapters.avro import Codec
from trimtab.adapters.kafka.group import GroupConsumer
from trimtab.adapters.kafka.producer import KafkaPublisher
from trimtab.messages import Frame, Signal
from trimtab.ports.topics import Record
from trimtab.settings import Settings
from trimtab.topics import REBALANCE_SIGNALS

SECONDS_MAX = 60
EXAMPLE = messages("rebalance.signals")[0]
assert isinstance(EXAMPLE, Signal)
FRAME = messages("market.frames")[1]
assert isinstance(FRAME, Frame)


def signal(number: int, portfolio: str = "p") -> Signal:
    assert isinstance(EXAMPLE, Signal)
    return replace(EXAMPLE, portfolio_id=portfolio, ledger_version=number)


def frame(number: int) -> Frame:
    assert isinstance(FRAME, Frame)
    return replace(FRAME, sequence=number)


@asynccontextmanager
async def running(*consumers: Any) -> AsyncIterator[list["asyncio.Task[None]"]]:
    tasks = [asyncio.create_task(consumer.run()) for consumer in consumers]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


@pytest.fixture
async def publisher(settings: Settings, codec: Codec) -> AsyncIterator[KafkaPublisher]:
    made = KafkaPublisher(settings.kafka, codec)
    yield made
    await made.close()


class Seen:
    """A handler that keeps what it gets, and fails where it is told to."""

    def __init__(self, failure: Callable[[int], Exception | None] = lambda _: None) -> None:
        self.versions: list[int] = []
        self.partitions: set[int] = set()
        self.ticks: list[int | None] = []
        self._failure = failure

    async def __call__(self, record: Record[Signal]) -> None:
        self.partitions.add(record.partition)
        self.versions.append(record.message.ledger_version)
        self.ticks.append(tracing.tick_us())
        error = self._failure(record.message.ledger_version)
        if error is not None:
            raise error


def group(
    settings: Settings, codec: Codec, handler: Callable[[Record[Signal]], Awaitable[None]], **options: Any
) -> Any:
    return GroupConsumer(settings, codec, "executor", REBALANCE_SIGNALS, handler, **options)


def put_raw(settings: Settings, topic: str, values: list[bytes | None], key: bytes = b"p") -> None:
    """Write bytes as a broken or foreign producer would."""
    producer = Producer({"bootstrap.servers": settings.kafka.bootstrap_servers, "partitioner": "murmur2_random"})
    for value in values:
        producer.produce(f"{settings.kafka.topic_prefix}{topic}", value=value, key=key, headers=[("origin", b"x")])
    assert producer.flush(20) == 0


def letters(settings: Settings, topic: str, count: int) -> list[Any]:
    """Read so many records of a topic's dead letters, in the order of where they came from."""
    name = f"{settings.kafka.topic_prefix}{topic}.dlq"
    consumer = Consumer(
        {"bootstrap.servers": settings.kafka.bootstrap_servers, "group.id": "x", "enable.auto.commit": False}
    )
    consumer.assign([TopicPartition(name, partition, 0) for partition in range(3)])
    found = [record for record in consumer.consume(count, SECONDS_MAX) if record.error() is None]
    consumer.close()
    assert len(found) == count
    return sorted(found, key=lambda record: int(dict(record.headers())["dlq.offset"]))
