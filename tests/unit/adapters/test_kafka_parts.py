"""The parts of the Kafka adapters that need no broker: backoff, the batch, the dead letters' limit, complaints."""

import asyncio
import time
from typing import Any

import pytest
import structlog

from examples import messages
from trimtab.adapters.kafka.batch import TRIES_MAX, Batch, Handling, Progress
from trimtab.adapters.kafka.broadcast import BroadcastReader
from trimtab.adapters.kafka.client import Complaints
from trimtab.adapters.kafka.deadletter import DeadLetter, DeadLetters, TooManyDeadLettersError
from trimtab.adapters.kafka.incoming import Incoming
from trimtab.adapters.kafka.retries import SECONDS_MAX, Retries
from trimtab.adapters.metrics import PrometheusMeter
from trimtab.domain.errors import FencedError, LedgerConflictError, UnreachableError
from trimtab.messages import Signal
from trimtab.ports.topics import Record
from trimtab.settings import KafkaSettings, Settings
from trimtab.topics import REBALANCE_SIGNALS

SIGNAL = messages("rebalance.signals")[0]
assert isinstance(SIGNAL, Signal)


def letter(offset: int = 0) -> DeadLetter:
    return DeadLetter("rebalance.signals", 0, offset, 0, None, b"x", (), "bad magic byte: 120")


def item(partition: int, offset: int) -> Incoming[Signal]:
    return holding(partition, offset, Record(SIGNAL, "rebalance.signals", partition, offset))


def holding(partition: int, offset: int, content: Any) -> Incoming[Signal]:
    def write(reason: str) -> DeadLetter:
        return DeadLetter("rebalance.signals", partition, offset, 0, b"k", b"as it came", (), reason)

    return Incoming(partition, offset, (), content, write)


def handling(handler: Any, letters: DeadLetters | None = None, **options: Any) -> Handling[Signal]:
    usual: dict[str, Any] = {"give_up": None, "retries": Retries(), "stopping": lambda: False}
    return Handling(handler=handler, dead_letters=letters or Letters(), **(usual | options))


class Letters(DeadLetters):
    """Keeps letters instead of sending them; the limit is the real one."""

    def __init__(self, per_minute_max: int = 60, **options: Any) -> None:
        super().__init__(KafkaSettings(dead_letters_per_minute_max=per_minute_max), "executor", **options)
        self.sent: list[DeadLetter] = []

    def _send(self, letter: DeadLetter) -> None:
        self.sent.append(letter)


class TestRetries:
    def test_pauses_double_up_to_a_limit_and_jitter_by_half(self) -> None:
        retries = Retries()
        for attempt in range(1, 20):
            assert retries.failed(3, now=0.0) == attempt
            assert retries.waiting(3)
            longest = min(0.1 * 2 ** (attempt - 1), SECONDS_MAX)
            assert retries.due(longest * 0.49) == []
            assert retries.due(longest * 1.01) == [3]
            assert not retries.waiting(3)

    def test_success_starts_over_and_a_lost_partition_is_forgotten(self) -> None:
        retries = Retries()
        retries.failed(1, now=0.0)
        retries.due(100.0)
        retries.succeeded(1)
        assert retries.failed(1, now=0.0) == 1
        retries.forget(1)
        assert not retries.waiting(1)
        assert retries.due(100.0) == []


class TestBroadcastBatch:
    def reader(self, on_record: Any) -> BroadcastReader[Signal]:
        nothing: Any = None  # what is handed over is decoded
        reader = BroadcastReader(Settings(), nothing, REBALANCE_SIGNALS, on_record)
        reader._loop = asyncio.get_running_loop()
        return reader

    async def test_others_get_their_turn_between_the_records_of_a_long_batch(self) -> None:
        seen: list[str] = []

        def slow(record: Record[Signal]) -> None:
            time.sleep(0.003)
            seen.append(str(record.offset))

        reader = self.reader(slow)
        handed = asyncio.create_task(asyncio.to_thread(reader._hand_over, [item(0, n) for n in range(20)]))
        while not handed.done():
            seen.append("other")
            await asyncio.sleep(0)
        between = seen[seen.index("0") : seen.index("19")]
        assert "other" in between
        assert [entry for entry in seen if entry != "other"] == [str(n) for n in range(20)]
        assert reader.position == 20

    async def test_a_reader_that_was_stopped_calls_nobody_any_more(self) -> None:
        seen: list[int] = []

        def last(record: Record[Signal]) -> None:
            seen.append(record.offset)
            time.sleep(0.02)  # longer than a slice
            reader._stopping.set()

        reader = self.reader(last)
        await asyncio.to_thread(reader._hand_over, [item(0, n) for n in range(20)])
        await asyncio.sleep(0.05)
        assert seen == [0]


class TestBatch:
    async def test_a_failure_stops_its_own_partition_at_that_record(self) -> None:
        seen: list[tuple[int, int]] = []

        async def handle(record: Record[Signal]) -> None:
            seen.append((record.partition, record.offset))
            if (record.partition, record.offset) == (0, 1):
                raise UnreachableError("PostgreSQL", "db", "down")

        progress = Progress()
        items = [item(0, 0), item(1, 5), item(0, 1), item(0, 2), item(1, 6)]
        await Batch(items, progress).run(handling(handle))
        assert sorted(seen) == [(0, 0), (0, 1), (1, 5), (1, 6)]
        assert progress.positions == {0: 1, 1: 7}
        assert progress.failures[0][0] == 1
        assert progress.handled == 3

    async def test_an_undecodable_record_goes_to_its_letters_in_turn_and_the_line_goes_on(self) -> None:
        letters, seen = Letters(), list[int]()

        async def handle(record: Record[Signal]) -> None:
            assert len(letters.sent) == (record.offset > 1)
            seen.append(record.offset)

        progress = Progress()
        items = [item(0, 0), holding(0, 1, letter(1)), item(0, 2)]
        await Batch(items, progress).run(handling(handle, letters))
        assert seen == [0, 2]
        assert [sent.offset for sent in letters.sent] == [1]
        assert progress.positions == {0: 3}

    async def test_a_record_that_cannot_be_judged_yet_is_handed_in_again(self) -> None:
        progress = Progress()
        down = UnreachableError("schema registry", "http://r", "down")
        await Batch([holding(0, 4, down)], progress).run(handling(_never))
        assert progress.failures == {0: (4, down)}
        assert progress.positions == {}

    async def test_partitions_are_handled_side_by_side_each_in_order(self) -> None:
        later, seen = asyncio.Event(), list[tuple[int, int]]()

        async def handle(record: Record[Signal]) -> None:
            if record.partition == 0:
                await later.wait()  # partition 1 must not stand behind it
            seen.append((record.partition, record.offset))
            if (record.partition, record.offset) == (1, 1):
                later.set()

        progress = Progress()
        items = [item(0, 0), item(1, 0), item(0, 1), item(1, 1)]
        await Batch(items, progress).run(handling(handle))
        assert seen == [(1, 0), (1, 1), (0, 0), (0, 1)]
        assert progress.positions == {0: 2, 1: 2}

    async def test_it_stops_between_records_when_told(self) -> None:
        progress, stop = Progress(), asyncio.Event()

        async def handle(_: Record[Signal]) -> None:
            stop.set()

        await Batch([item(0, 0), item(0, 1)], progress).run(handling(handle, stopping=stop.is_set))
        assert progress.positions == {0: 1}

    async def test_too_many_letters_stop_the_service_before_the_record_is_given_up(self) -> None:
        letters, progress = Letters(per_minute_max=2), Progress()
        items = [holding(0, offset, letter(offset)) for offset in range(5)]
        with pytest.raises(TooManyDeadLettersError, match="offset 2: bad magic byte"):
            await Batch(items, progress).run(handling(_never, letters))
        assert progress.positions == {0: 2}
        assert len(letters.sent) == 2

    async def test_a_record_that_breaks_its_handler_is_given_up_after_some_tries_and_those_behind_go_on(self) -> None:
        letters, told, seen = Letters(), list[tuple[int, str]](), list[int]()

        async def handle(record: Record[Signal]) -> None:
            seen.append(record.offset)
            if record.offset == 1:
                raise KeyError("step")

        async def give_up(record: Record[Signal], failure: Exception) -> None:
            assert letters.sent == []
            told.append((record.offset, repr(failure)))

        used = handling(handle, letters, give_up=give_up)
        items = [item(0, 0), item(0, 1), item(0, 2)]
        for _ in range(TRIES_MAX - 1):
            await Batch(items, progress := Progress()).run(used)
            assert (progress.positions, [offset for offset, _ in progress.failures.values()]) == ({0: 1}, [1])
        assert (told, letters.sent) == ([], [])
        await Batch(items, progress := Progress()).run(used)
        assert (progress.positions, progress.failures) == ({0: 3}, {})
        assert told == [(1, "KeyError('step')")]
        assert [(sent.offset, sent.value, sent.reason) for sent in letters.sent] == [
            (1, b"as it came", "KeyError: 'step'")
        ]
        assert seen.count(1) == TRIES_MAX

    @pytest.mark.parametrize(
        "passing",
        [UnreachableError("PostgreSQL", "db", "down"), LedgerConflictError("deadlock"), FencedError("newer owner")],
    )
    async def test_what_passes_is_no_reason_to_give_a_record_up(self, passing: Exception) -> None:
        letters, failures = Letters(), [passing] * (3 * TRIES_MAX) + [ValueError("bug")] * (TRIES_MAX - 1)

        async def handle(_: Record[Signal]) -> None:
            if failures:
                raise failures.pop()

        used = handling(handle, letters)
        while failures:
            await Batch([item(0, 0)], progress := Progress()).run(used)
            assert progress.positions == {}
        await Batch([item(0, 0)], progress := Progress()).run(used)
        assert (progress.positions, letters.sent) == ({0: 1}, [])

    async def test_each_record_and_each_owner_has_its_own_tries(self) -> None:
        retries = Retries()
        assert [retries.blame(0, 7), retries.blame(0, 7), retries.blame(1, 7), retries.blame(0, 8)] == [1, 2, 1, 1]
        retries.blame(0, 8)
        retries.forget(0)
        assert retries.blame(0, 8) == 1

    async def test_a_record_stays_while_the_ledger_cannot_settle_it_and_goes_if_settling_breaks_too(self) -> None:
        letters = Letters()
        answers: list[Exception] = [ValueError("again"), UnreachableError("PostgreSQL", "db", "down")]

        async def handle(_: Record[Signal]) -> None:
            raise ValueError("bug")

        async def give_up(*_: object) -> None:
            raise answers.pop()

        used = handling(handle, letters, give_up=give_up)
        for _ in range(TRIES_MAX):
            await Batch([item(0, 0)], progress := Progress()).run(used)
        assert progress.positions == {}
        assert isinstance(progress.failures[0][1], UnreachableError)
        with structlog.testing.capture_logs() as logged:
            await Batch([item(0, 0)], progress := Progress()).run(used)
        assert progress.positions == {0: 1}
        assert [sent.reason for sent in letters.sent] == ["ValueError: bug"]
        assert next((line["event"], line["reason"]) for line in logged if "reason" in line) == (
            "record given up and left unsettled",
            "ValueError: again",
        )


async def _never(_: Record[Signal]) -> None:
    raise AssertionError("no record was handed over")


class TestDeadLetters:
    def test_the_limit_is_a_minute_wide(self) -> None:
        now = [0.0]
        letters = Letters(per_minute_max=3, clock=lambda: now[0])
        for offset in range(3):
            letters.put(letter(offset))
            now[0] += 10
        with pytest.raises(TooManyDeadLettersError, match=r"3 records within a minute \(allowed: 3\)"):
            letters.put(letter(3))
        now[0] = 60.0  # the first is a minute old
        letters.put(letter(3))
        assert [sent.offset for sent in letters.sent] == [0, 1, 2, 3]

    def test_letters_are_counted_by_topic(self) -> None:
        meter = PrometheusMeter()
        Letters(meter=meter).put(letter())
        assert meter.registry.get_sample_value("dead_letters_total", {"topic": "rebalance.signals"}) == 1


def test_a_client_complains_once_and_again_after_a_while() -> None:
    now = [0.0]
    complaints = Complaints(lambda: now[0])
    with structlog.testing.capture_logs() as logged:
        for second in range(61):
            now[0] = float(second)
            complaints.say("_ALL_BROKERS_DOWN", "1/1 brokers are down")
        complaints.say("_AUTHENTICATION", "refused")
    assert [line["kind"] for line in logged] == ["_ALL_BROKERS_DOWN"] * 3 + ["_AUTHENTICATION"]
