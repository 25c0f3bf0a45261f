"""A producer that has failed for good is replaced, and nobody waits for its records for ever."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError

from examples import messages
from trimtab.adapters.avro import Codec
from trimtab.adapters.kafka import producer as module
from trimtab.adapters.kafka.producer import KafkaPublisher
from trimtab.domain.errors import UnreachableError
from trimtab.settings import KafkaSettings
from trimtab.topics import TOPICS

SIGNAL = messages("rebalance.signals")[0]


class Acknowledged:
    def partition(self) -> int:
        return 3

    def offset(self) -> int:
        return 14


class LostProducer:
    """librdkafka as it behaves once an idempotent producer lost its place: the first one of them never delivers."""

    made: list["LostProducer"]

    def __init__(self, config: dict[str, Any]) -> None:
        self.broken = not self.made
        self.made.append(self)
        self.complain: Callable[[KafkaError], None] = config["error_cb"]
        self.waiting: list[Callable[[KafkaError | None, Any], None]] = []
        self.purged = False

    def produce(self, *_: object, on_delivery: Callable[[KafkaError | None, Any], None], **__: object) -> None:
        self.waiting.append(on_delivery)

    def poll(self, seconds: float) -> int:
        threading.Event().wait(0.005)
        if self.broken and self.waiting:
            self.complain(KafkaError(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, "sequence lost", fatal=True))
        elif not self.broken:
            self._answer(None)
        return 0

    def purge(self) -> None:
        self.purged = True

    def flush(self, seconds: float) -> int:
        if self.purged:
            self._answer(KafkaError(KafkaError._PURGE_QUEUE))
        return 0

    def _answer(self, error: KafkaError | None) -> None:
        while self.waiting:
            self.waiting.pop()(error, Acknowledged())


async def test_after_a_fatal_error_waiters_are_told_and_a_new_producer_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    LostProducer.made = []
    monkeypatch.setattr(module, "Producer", LostProducer)
    publisher = KafkaPublisher(KafkaSettings(), Codec({topic.name: 1 for topic in TOPICS}))
    with pytest.raises(UnreachableError, match=r"^Kafka at 127\.0\.0\.1:9092 does not answer: rebalance\.signals: "):
        await publisher.publish(SIGNAL)
    assert await publisher.publish_raw("rebalance.signals", b"k", b"v", []) == (3, 14)
    assert len(LostProducer.made) == 2
    await publisher.close()


async def test_a_full_queue_holds_up_who_waits_and_drops_market_data(monkeypatch: pytest.MonkeyPatch) -> None:
    class FullProducer(LostProducer):
        refusals = 3

        def produce(self, *_: object, on_delivery: Callable[[KafkaError | None, Any], None], **__: object) -> None:
            if FullProducer.refusals:
                FullProducer.refusals -= 1
                raise BufferError("queue full")
            super().produce(on_delivery=on_delivery)

    FullProducer.made = [LostProducer.__new__(LostProducer)]  # so that the next one is sound
    monkeypatch.setattr(module, "Producer", FullProducer)
    publisher = KafkaPublisher(KafkaSettings(), Codec({topic.name: 1 for topic in TOPICS}))
    assert publisher.publish_nowait(messages("market.frames")[1]) is False
    assert await publisher.publish_raw("rebalance.signals", b"k", b"v", []) == (3, 14)
    assert FullProducer.refusals == 0
    assert publisher.publish_nowait(messages("market.frames")[1]) is True
    await publisher.close()


async def test_a_callback_that_fails_leaves_nobody_without_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    LostProducer.made = [LostProducer.__new__(LostProducer)]  # so that the next one is sound
    monkeypatch.setattr(module, "Producer", LostProducer)
    publisher = KafkaPublisher(KafkaSettings(), Codec({topic.name: 1 for topic in TOPICS}))

    def raises(_: KafkaError | None, __: object) -> None:
        raise ValueError("I/O operation on closed file")

    publisher._produce("rebalance.signals", b"k", b"v", [], raises)
    assert await publisher.publish_raw("rebalance.signals", b"k", b"v", []) == (3, 14)
    await publisher.close()
