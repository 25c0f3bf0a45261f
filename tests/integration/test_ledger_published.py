"""A real topic read back by event id, and a real outbox relayed into it."""

import pytest

from ledger_worlds import NOW_US, PORTFOLIO, LedgerWorld
from trimtab.adapters.avro import Codec
from trimtab.adapters.kafka.producer import KafkaPublisher
from trimtab.adapters.kafka.published import PublishedEvents
from trimtab.adapters.postgres.outbox import EVENT_ID_HEADER
from trimtab.adapters.postgres.relay import Relay
from trimtab.domain.errors import UnreachableError
from trimtab.settings import KafkaSettings, Settings

TOPIC = "portfolio.state"


@pytest.mark.integration
async def test_a_topic_is_read_back_from_the_offsets_given(settings: Settings, codec: Codec) -> None:
    publisher, events = KafkaPublisher(settings.kafka, codec), PublishedEvents(settings.kafka, EVENT_ID_HEADER)
    try:
        assert await events.find(TOPIC, {}) == {}
        places = {
            name: await publisher.publish_raw(TOPIC, b"core", b"x", [(EVENT_ID_HEADER, name.encode())])
            for name in "abc"
        }
        await publisher.publish_raw(TOPIC, b"core", b"x", [])  # not from an outbox
        assert await events.find(TOPIC, {}) == places
        partition, offset = places["a"]
        assert await events.find(TOPIC, {partition: offset}) == {name: places[name] for name in "bc"}
        assert await events.find(TOPIC, {partition: offset + 3}) == {}
    finally:
        await publisher.close()


@pytest.mark.integration
async def test_a_relay_that_died_unmarked_publishes_nothing_twice(
    settings: Settings, codec: Codec, funded: LedgerWorld
) -> None:
    publisher, events = KafkaPublisher(settings.kafka, codec), PublishedEvents(settings.kafka, EVENT_ID_HEADER)
    try:
        async with funded.cli.transaction() as book:
            await book.bump(PORTFOLIO, "test", NOW_US)
        (first, second) = (row["event_id"] for row in funded.ask("SELECT event_id FROM ledger.outbox ORDER BY id"))
        place = await publisher.publish_raw(TOPIC, PORTFOLIO.encode(), b"x", [(EVENT_ID_HEADER, str(first).encode())])
        relay = Relay(funded.sessions["cli"], "cli-2", publisher.publish_raw, events.find, stale_seconds=0)
        assert await relay.drain() == 2
        found = await events.find(TOPIC, {})
        assert found == {first: place, second: (place[0], place[1] + 1)}
    finally:
        await publisher.close()


async def test_a_broker_that_is_not_there_is_said() -> None:
    events = PublishedEvents(KafkaSettings(bootstrap_servers="127.0.0.1:1"), EVENT_ID_HEADER)
    with pytest.raises(UnreachableError, match=r"Kafka at 127\.0\.0\.1:1"):
        await events.find(TOPIC, {})
