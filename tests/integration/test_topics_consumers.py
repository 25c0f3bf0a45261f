"""Records through a real broker: in order, at least once, bad ones set aside, failures and rebalances survived."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import fastavro
import pytest
from aiokafka.partitioner import murmur2
from confluent_kafka import Consumer, Producer, TopicPartition

from examples import messages
from trimtab.adapters import tracing
from trimtab.adapters.avro import HEADER, Codec
from trimtab.adapters.kafka.batch import TRIES_MAX
from trimtab.adapters.kafka.broadcast import FROM_BEGINNING, FROM_END, BroadcastReader, Start
from trimtab.adapters.kafka.deadletter import TooManyDeadLettersError
from trimtab.adapters.kafka.group import GroupConsumer, Hooks
from trimtab.adapters.kafka.producer import KafkaPublisher
from trimtab.adapters.metrics import PrometheusMeter
from trimtab.domain.errors import FencedError, InvalidValueError, UnreachableError
from trimtab.messages import Frame, Signal
from trimtab.ports.topics import Record
from trimtab.settings import KafkaSettings, Settings
from trimtab.topics import MARKET_FRAMES, REBALANCE_SIGNALS, TOPICS, topic_of

pytestmark = pytest.mark.integration

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


class TestGroup:
    async def test_records_come_in_order_with_their_trace(
        self, settings: Settings, codec: Codec, publisher: KafkaPublisher
    ) -> None:
        seen = Seen()
        async with running(group(settings, codec, seen)):
            for number in range(50):
                with tracing.using(tracing.root_context(number + 1)):
                    await publisher.publish(signal(number))
            await until(lambda: len(seen.versions) == 50)
        assert seen.versions == list(range(50))
        assert seen.ticks == list(range(1, 51))
        assert len(seen.partitions) == 1

    async def test_what_was_handled_is_not_handed_over_again_after_a_restart(
        self, settings: Settings, codec: Codec, publisher: KafkaPublisher
    ) -> None:
        first, second = Seen(), Seen()
        for number in range(20):
            await publisher.publish(signal(number))
        async with running(group(settings, codec, first)):
            await until(lambda: len(first.versions) == 20)
        for number in range(20, 25):
            await publisher.publish(signal(number))
        async with running(group(settings, codec, second)):
            await until(lambda: len(second.versions) == 5)
        assert second.versions == list(range(20, 25))

    async def test_bad_records_go_to_the_dead_letters_and_the_line_goes_on(
        self, settings: Settings, codec: Codec, publisher: KafkaPublisher
    ) -> None:
        good = codec.encode(signal(2))
        await publisher.publish(signal(1))
        put_raw(
            settings,
            "rebalance.signals",
            [
                b"not a record",
                good[: len(good) // 2],
                HEADER.pack(0, 2_000_000_000) + good[5:],
                None,
                good + b"!",
                b"\0" * 9,
            ],
        )
        await publisher.publish(signal(3))
        seen, meter = Seen(), PrometheusMeter()
        async with running(group(settings, codec, seen, meter=meter)):
            await until(lambda: len(seen.versions) == 2)
        assert seen.versions == [1, 3]
        found = letters(settings, "rebalance.signals", 6)
        assert meter.registry.get_sample_value("dead_letters_total", {"topic": "rebalance.signals"}) == 6
        reasons = [dict(record.headers())["dlq.reason"].decode() for record in found]
        starts = ["bad magic byte: 110", "truncated", "unknown schema id: 2000000000", "empty", "trailing bytes: 1"]
        assert [reason[: len(start)] for reason, start in zip(reasons, starts, strict=False)] == starts
        assert [record.value() for record in found[:2]] == [b"not a record", good[: len(good) // 2]]
        headers = dict(found[2].headers())
        assert headers["origin"] == b"x"
        assert headers["dlq.schema_id"] == b"2000000000"
        assert headers["dlq.topic"] == b"rebalance.signals"
        assert headers["dlq.consumer"] == b"executor"
        assert {record.key() for record in found} == {b"p"}

    async def test_a_failing_record_is_handed_in_again_and_earlier_ones_are_not(
        self, settings: Settings, codec: Codec, publisher: KafkaPublisher
    ) -> None:
        failures = [UnreachableError("PostgreSQL", "db", "down"), ValueError("bug")]
        seen, meter = Seen(lambda number: failures.pop() if number == 5 and failures else None), PrometheusMeter()
        for number in range(10):
            await publisher.publish(signal(number))
        async with running(group(settings, codec, seen, meter=meter)):
            await until(lambda: 9 in seen.versions)
        assert seen.versions == [0, 1, 2, 3, 4, 5, 5, 5, 6, 7, 8, 9]
        labels = {"topic": "rebalance.signals", "group": "executor"}
        assert meter.registry.get_sample_value("consumer_failures_total", labels) == 2
        assert meter.registry.get_sample_value("consumer_records_total", labels) == 10

    async def test_a_record_that_always_breaks_its_handler_is_set_aside_with_its_reason(
        self, settings: Settings, codec: Codec, publisher: KafkaPublisher
    ) -> None:
        seen, meter = Seen(lambda number: RuntimeError("no step of 0") if number == 1 else None), PrometheusMeter()
        settled: list[tuple[int, str]] = []

        async def give_up(record: Record[Signal], failure: Exception) -> None:
            settled.append((record.message.ledger_version, str(failure)))

        for number in range(3):
            await publisher.publish(signal(number))
        async with running(group(settings, codec, seen, hooks=Hooks(given_up=give_up), meter=meter)):
            await until(lambda: 2 in seen.versions)
        assert seen.versions == [0, *[1] * TRIES_MAX, 2]
        assert settled == [(1, "no step of 0")]
        (found,) = letters(settings, "rebalance.signals", 1)
        headers = dict(found.headers())
        assert (headers["dlq.reason"], headers["dlq.consumer"]) == (b"RuntimeError: no step of 0", b"executor")
        assert (found.key(), codec.decode("rebalance.signals", found.value())) == (b"p", signal(1))
        labels = {"topic": "rebalance.signals", "group": "executor"}
        assert meter.registry.get_sample_value("consumer_failures_total", labels) == TRIES_MAX - 1
        assert meter.registry.get_sample_value("dead_letters_total", {"topic": "rebalance.signals"}) == 1
        again = Seen()
        await publisher.publish(signal(3))
        async with running(group(settings, codec, again)):
            await until(lambda: 3 in again.versions)
        assert again.versions == [3]  # what was set aside is committed

    async def test_a_partition_that_fails_holds_up_no_other(
        self, settings: Settings, codec: Codec, publisher: KafkaPublisher
    ) -> None:
        healed, down = asyncio.Event(), UnreachableError("PostgreSQL", "db", "down")
        seen = Seen(lambda number: None if number != 0 or healed.is_set() else down)
        async with running(group(settings, codec, seen)):
            await publisher.publish(signal(0, "portfolio-a"))
            await until(lambda: 0 in seen.versions)
            for number in range(1, 40):
                await publisher.publish(signal(number, f"portfolio-{number}"))
            await until(lambda: len(set(seen.versions)) > 30)
            healed.set()
            await until(lambda: set(seen.versions) == set(range(40)))
        assert len(seen.partitions) > 1

    async def test_too_many_dead_letters_stop_the_service_and_keep_the_rest(
        self, settings: Settings, codec: Codec, publisher: KafkaPublisher
    ) -> None:
        put_raw(settings, "rebalance.signals", [b"bad"] * 10)
        limited = settings.kafka.model_copy(update={"dead_letters_per_minute_max": 4})
        strict = settings.model_copy(update={"kafka": limited})
        with pytest.raises(TooManyDeadLettersError, match="executor gave up 4 records within a minute"):
            async with asyncio.timeout(SECONDS_MAX):
                await group(strict, codec, Seen()).run()
        assert len(letters(settings, "rebalance.signals", 4)) == 4
        await publisher.publish(signal(7))
        seen = Seen()
        async with running(group(settings, codec, seen)):
            await until(lambda: seen.versions == [7])
        offsets = [int(dict(record.headers())["dlq.offset"]) for record in letters(settings, "rebalance.signals", 10)]
        assert offsets == list(range(10))

    async def test_partitions_are_shared_out_moved_and_taken_over(
        self, settings: Settings, codec: Codec, publisher: KafkaPublisher
    ) -> None:
        owned: dict[str, set[int]] = {"a": set(), "b": set()}
        seen = Seen()

        def member(name: str) -> Any:
            async def assigned(partitions: list[int]) -> None:
                await asyncio.sleep(0)
                owned[name] |= set(partitions)

            async def revoked(partitions: list[int], lost: bool) -> None:  # noqa: FBT001 - the callback's signature
                assert not lost
                owned[name] -= set(partitions)

            return group(settings, codec, seen, hooks=Hooks(assigned=assigned, revoked=revoked))

        everything = set(range(12))
        async with running(member("a")):
            await until(lambda: owned["a"] == everything)
            async with running(member("b")):
                await until(lambda: len(owned["a"]) == 6 and len(owned["b"]) == 6)
                assert owned["a"] | owned["b"] == everything
                for number in range(60):
                    await publisher.publish(signal(number, f"portfolio-{number}"))
                await until(lambda: len(seen.versions) == 60)
            assert owned["b"] == set()
            await until(lambda: owned["a"] == everything)
        assert owned["a"] == set()
        assert sorted(seen.versions) == list(range(60))

    async def test_a_fenced_member_gives_up_and_comes_back_with_a_new_epoch(
        self, settings: Settings, codec: Codec, publisher: KafkaPublisher
    ) -> None:
        epochs: list[list[int]] = []
        gone: list[int] = []

        async def assigned(partitions: list[int]) -> None:
            epochs.append(partitions)

        async def revoked(partitions: list[int], lost: bool) -> None:  # noqa: FBT001 - the callback's signature
            gone.extend(partitions)

        seen = Seen(
            lambda number: FencedError("signals/3 has a newer owner") if number == 1 and len(epochs) == 1 else None
        )
        async with running(group(settings, codec, seen, hooks=Hooks(assigned=assigned, revoked=revoked))):
            for number in range(3):
                await publisher.publish(signal(number))
            await until(lambda: 2 in seen.versions)
        assert seen.versions == [0, 1, 1, 2]
        assert len(epochs) == 2
        assert sorted(gone[:12]) == list(range(12))

    async def test_nothing_is_taken_before_ownership_is(
        self, settings: Settings, codec: Codec, publisher: KafkaPublisher
    ) -> None:
        failures = [UnreachableError("PostgreSQL", "db", "down")] * 2
        ready: list[int] = []

        async def assigned(partitions: list[int]) -> None:
            if failures:
                raise failures.pop()
            ready.extend(partitions)

        seen = Seen(lambda _: None if ready else AssertionError("no epoch was taken"))
        await publisher.publish(signal(0))
        async with running(group(settings, codec, seen, hooks=Hooks(assigned=assigned))):
            await until(lambda: bool(seen.versions))
        assert seen.versions == [0]
        assert failures == []

    async def test_a_handler_that_hangs_does_not_hold_up_the_end_and_its_record_is_not_lost(
        self, settings: Settings, codec: Codec, publisher: KafkaPublisher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("trimtab.adapters.kafka.threads.GIVE_UP_SECONDS", 0.2)
        began = asyncio.Event()

        async def hang(_: Record[Signal]) -> None:
            began.set()
            await asyncio.sleep(3_600)

        await publisher.publish(signal(0))
        async with asyncio.timeout(SECONDS_MAX), running(group(settings, codec, hang)):
            await began.wait()
        seen = Seen()
        async with running(group(settings, codec, seen)):
            await until(lambda: seen.versions == [0])


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


@pytest.mark.parametrize("name", [topic.name for topic in TOPICS])
async def test_every_topics_records_and_bad_records_pass_through_its_own_reader(
    settings: Settings, codec: Codec, publisher: KafkaPublisher, name: str
) -> None:
    """One consumer a topic: its examples arrive, and a corrupt, a cut and an absurd one lie in its dead letters."""
    wanted = messages(name)
    whole = codec.encode(wanted[0])
    channel = codec._channels[name]
    for message in wanted:
        await publisher.publish(message)
    bad = [b"junk", whole[:-1], absurd(codec, name), HEADER.pack(0, 2_000_000_000) + whole[5:]]
    put_raw(settings, name, bad)
    seen: list[Any] = []

    async def handle(record: Record[Any]) -> None:
        seen.append(record.message)

    async with running(GroupConsumer(settings, codec, "any", channel.topic, handle)):
        await until(lambda: len(seen) == len(wanted))
        found = await asyncio.to_thread(letters, settings, name, 4)
    assert sorted(map(repr, seen)) == sorted(map(repr, [codec.decode(name, codec.encode(m)) for m in wanted]))
    reasons = {record.value(): dict(record.headers())["dlq.reason"].decode() for record in found}
    assert list(reasons) == bad
    starts = ["bad magic byte", "truncated", "event_time_us: found 1; allowed: ", "unknown schema id"]
    assert [reason[: len(start)] for reason, start in zip(reasons.values(), starts, strict=True)] == starts
    assert all(topic_of(message).name == name for message in seen)


def absurd(codec: Codec, name: str) -> bytes:
    """A record of a topic that is well-formed and happened in 1970."""
    channel = codec._channels[name]
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, channel.schema, channel.to_record(messages(name)[0]) | {"event_time_us": 1})
    return channel.header + buffer.getvalue()


class TestPublisher:
    async def test_equal_keys_stand_in_one_partition_in_order(
        self, settings: Settings, publisher: KafkaPublisher
    ) -> None:
        places = [await publisher.publish_raw("execution.fills", b"core", b"%d" % n, []) for n in range(5)]
        assert len({partition for partition, _ in places}) == 1
        assert [offset for _, offset in places] == list(range(5))

    async def test_java_and_python_agree_on_the_partition_of_a_key(
        self, settings: Settings, publisher: KafkaPublisher
    ) -> None:
        """Kafka's own murmur2: (hash & 0x7fffffff) % partitions, as Java and aiokafka reckon it."""
        for key in (b"core-60-30-10", b"p", b"binance:BTC/USDT", b"\xff\x00"):
            partition, _ = await publisher.publish_raw("execution.fills", key, b"x", [])
            assert partition == (murmur2(key) & 0x7FFFFFFF) % 12

    async def test_a_topic_that_is_not_there_says_what_to_do(self, bare_settings: Settings) -> None:
        publisher = KafkaPublisher(bare_settings.kafka, Codec({topic.name: 1 for topic in TOPICS}))
        try:
            with pytest.raises(UnreachableError, match=r"run trimtab topics apply$"):
                async with asyncio.timeout(SECONDS_MAX):
                    await publisher.publish(signal(0))
        finally:
            await publisher.close()

    async def test_a_record_too_large_is_refused_at_once(self, publisher: KafkaPublisher) -> None:
        with pytest.raises(
            InvalidValueError, match=r"^execution\.fills: found '1000001 bytes'; allowed: 1000000 bytes$"
        ):
            await publisher.publish_raw("execution.fills", b"k", b"x" * 1_000_001, [])

    async def test_many_at_once_are_all_acknowledged(self, publisher: KafkaPublisher) -> None:
        places = await asyncio.gather(*(publisher.publish_raw("market.frames", None, b"x", []) for _ in range(2_000)))
        assert sorted(offset for _, offset in places) == list(range(2_000))

    async def test_without_a_broker_publishing_fails_with_its_address_and_market_data_is_counted(
        self, codec: Codec, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("trimtab.adapters.kafka.client.ACKNOWLEDGED_MS_MAX", 2_000)
        meter = PrometheusMeter()
        publisher = KafkaPublisher(KafkaSettings(bootstrap_servers="127.0.0.1:1"), codec, meter=meter)
        assert publisher.publish_nowait(frame(0))
        with pytest.raises(UnreachableError, match=r"^Kafka at 127\.0\.0\.1:1 does not answer: rebalance\.signals: "):
            async with asyncio.timeout(SECONDS_MAX):
                await publisher.publish(signal(0))
        await until(lambda: meter.registry.get_sample_value("publish_failures_total", {"topic": "market.frames"}) == 1)
        await publisher.close()
