"""The broker dies by kill -9 and comes back: publishers and consumers go on by themselves, and nothing is lost."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from examples import messages
from trimtab.adapters.avro import load_codec
from trimtab.adapters.kafka.admin import apply_topics
from trimtab.adapters.kafka.broadcast import FROM_BEGINNING, BroadcastReader
from trimtab.adapters.kafka.group import GroupConsumer
from trimtab.adapters.kafka.producer import KafkaPublisher
from trimtab.domain.errors import UnreachableError
from trimtab.embedded.supervisor import Stack
from trimtab.messages import Frame, Signal
from trimtab.ports.topics import Record
from trimtab.settings import KafkaSettings, RegistrySettings, Settings
from trimtab.topics import MARKET_FRAMES, REBALANCE_SIGNALS

pytestmark = pytest.mark.integration

SECONDS_MAX = 180
RECORDS = 60


@pytest.fixture
def own_stack() -> Iterator[Stack]:
    """A stack of the test's own, to be hurt; the supervisor starts what dies again."""
    folder = Path(tempfile.mkdtemp(prefix="trimtab-outage-"))
    try:
        with Stack(folder, restart="on_crash") as stack:
            yield stack
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.timeout(SECONDS_MAX + 120)
async def test_a_killed_broker_costs_time_and_no_record(own_stack: Stack) -> None:
    addresses = own_stack.addresses
    settings = Settings(
        kafka=KafkaSettings(bootstrap_servers=addresses.kafka), registry=RegistrySettings(url=addresses.registry)
    )
    apply_topics(settings)
    codec = load_codec(settings.registry.url)
    publisher = KafkaPublisher(settings.kafka, codec)
    example, frame = messages("rebalance.signals")[0], messages("market.frames")[1]
    assert isinstance(example, Signal)
    assert isinstance(frame, Frame)
    versions: list[int] = []
    frames: list[int] = []

    async def handle(record: Record[Signal]) -> None:
        versions.append(record.message.ledger_version)

    async def publish(number: int) -> None:
        while True:
            try:
                await publisher.publish(replace(example, ledger_version=number))
                await publisher.publish(replace(frame, sequence=number))
            except UnreachableError:  # as the outbox does: what is not acknowledged is sent again
                await asyncio.sleep(0.1)
            else:
                return

    consumer = GroupConsumer(settings, codec, "executor", REBALANCE_SIGNALS, handle)
    reader = BroadcastReader(
        settings, codec, MARKET_FRAMES, lambda record: frames.append(record.message.sequence), start=FROM_BEGINNING
    )
    tasks = [asyncio.create_task(consumer.run()), asyncio.create_task(reader.run())]
    async with asyncio.timeout(SECONDS_MAX):
        for number in range(RECORDS):
            await publish(number)
            if number == RECORDS // 2:
                os.kill(own_stack.pids()["kafka"], signal.SIGKILL)
        while not (set(versions) == set(frames) == set(range(RECORDS))):
            assert not any(task.done() for task in tasks), "a consumer ended"
            await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await publisher.close()
    first_seen = list(dict.fromkeys(versions))
    assert first_seen == list(range(RECORDS))
    assert list(dict.fromkeys(frames)) == list(range(RECORDS))
