"""A topic read whole by everybody: from its beginning, from its end, from some time ago."""

import asyncio

import pytest
from topic_readers import SECONDS_MAX, frame, letters, put_raw, running, until

from trimtab.adapters import tracing
from trimtab.adapters.avro import Codec
from trimtab.adapters.kafka.broadcast import FROM_BEGINNING, FROM_END, BroadcastReader, Start
from trimtab.adapters.kafka.producer import KafkaPublisher
from trimtab.adapters.metrics import PrometheusMeter
from trimtab.messages import Frame
from trimtab.ports.topics import Record
from trimtab.settings import Settings
from trimtab.topics import MARKET_FRAMES

pytestmark = pytest.mark.integration


class TestBroadcast:
    @pytest.mark.parametrize(
        ("start", "first"), [(FROM_BEGINNING, 0), (Start(offset=3), 3), (FROM_END, 5), (Start(seconds_ago=3_600), 0)]
    )
    async def test_it_begins_where_it_is_told(
        self, settings: Settings, codec: Codec, publisher: KafkaPublisher, start: Start, first: int
    ) -> None:
        for number in range(5):
            await publisher.publish(frame(number))
        seen: list[int] = []
        reader = BroadcastReader(settings, codec, MARKET_FRAMES, lambda r: seen.append(r.message.sequence), start=start)
        async with running(reader):
            await asyncio.wait_for(reader.caught_up(), SECONDS_MAX)
            assert reader.end_offset == 5
            assert seen == list(range(first, 5))
            await publisher.publish(frame(5))
            await until(lambda: 5 in seen)
        assert seen == list(range(first, 6))

    async def test_the_last_seconds_are_by_the_records_times(
        self, settings: Settings, codec: Codec, publisher: KafkaPublisher
    ) -> None:
        await publisher.publish(frame(0))
        await asyncio.sleep(2.5)
        await publisher.publish(frame(1))
        seen: list[int] = []
        reader = BroadcastReader(
            settings, codec, MARKET_FRAMES, lambda r: seen.append(r.message.sequence), start=Start(seconds_ago=2.0)
        )
        async with running(reader):
            await asyncio.wait_for(reader.caught_up(), SECONDS_MAX)
        assert seen[-1:] == [1]
        assert 0 not in seen

    async def test_every_reader_gets_every_record_with_its_trace(
        self, settings: Settings, codec: Codec, publisher: KafkaPublisher
    ) -> None:
        ticks: tuple[list[int | None], list[int | None]] = ([], [])
        readers = [
            BroadcastReader(settings, codec, MARKET_FRAMES, lambda _, mine=mine: mine.append(tracing.tick_us()))
            for mine in ticks
        ]
        async with running(*readers):
            for reader in readers:
                await asyncio.wait_for(reader.caught_up(), SECONDS_MAX)
            for number in range(200):
                with tracing.using(tracing.root_context(number)):
                    assert publisher.publish_nowait(frame(number))
            await until(lambda: all(len(mine) == 200 for mine in ticks))
        assert ticks == (list(range(200)), list(range(200)))
        assert tracing.tick_us() is None

    async def test_bad_frames_go_to_the_dead_letters_and_prices_go_on(
        self, settings: Settings, codec: Codec, publisher: KafkaPublisher
    ) -> None:
        put_raw(settings, "market.frames", [b"junk"], key=b"")
        await publisher.publish(frame(1))
        seen: list[int] = []
        reader = BroadcastReader(
            settings, codec, MARKET_FRAMES, lambda r: seen.append(r.message.sequence), start=FROM_BEGINNING
        )
        async with running(reader):
            await until(lambda: seen == [1])
        assert dict(letters(settings, "market.frames", 1)[0].headers())["dlq.reason"].startswith(b"bad magic byte: 106")

    async def test_a_record_that_breaks_its_handler_is_counted_and_the_next_follows(
        self, settings: Settings, codec: Codec, publisher: KafkaPublisher
    ) -> None:
        seen: list[int] = []

        def handle(record: Record[Frame]) -> None:
            if record.message.sequence == 0:
                raise ValueError("bug")
            seen.append(record.message.sequence)

        meter = PrometheusMeter()
        for number in range(2):
            await publisher.publish(frame(number))
        reader = BroadcastReader(
            settings, codec, MARKET_FRAMES, handle, start=FROM_BEGINNING, client_id="x", meter=meter
        )
        async with running(reader):
            await until(lambda: seen == [1])
        labels = {"topic": "market.frames", "group": "x"}
        assert meter.registry.get_sample_value("consumer_failures_total", labels) == 1
