"""Records through a real broker: in order, at least once, bad ones set aside, failures and rebalances survived."""

import asyncio
import io
from typing import Any

import fastavro
import pytest
from topic_readers import SECONDS_MAX, Seen, group, letters, put_raw, running, signal, until

from examples import messages
from trimtab.adapters import tracing
from trimtab.adapters.avro import HEADER, Codec
from trimtab.adapters.kafka.batch import TRIES_MAX
from trimtab.adapters.kafka.deadletter import TooManyDeadLettersError
from trimtab.adapters.kafka.group import GroupConsumer, Hooks
from trimtab.adapters.kafka.producer import KafkaPublisher
from trimtab.adapters.metrics import PrometheusMeter
from trimtab.domain.errors import FencedError, UnreachableError
from trimtab.messages import Signal
from trimtab.ports.topics import Record
from trimtab.settings import Settings
from trimtab.topics import TOPICS, topic_of

pytestmark = pytest.mark.integration


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
