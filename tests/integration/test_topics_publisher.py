"""Records to a real broker: where they come to stand, and what is said when they cannot be."""

import asyncio

import pytest
from aiokafka.partitioner import murmur2
from topic_readers import SECONDS_MAX, frame, signal, until

from trimtab.adapters.avro import Codec
from trimtab.adapters.kafka.producer import KafkaPublisher
from trimtab.adapters.metrics import PrometheusMeter
from trimtab.domain.errors import InvalidValueError, UnreachableError
from trimtab.settings import KafkaSettings, Settings
from trimtab.topics import TOPICS

pytestmark = pytest.mark.integration


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
