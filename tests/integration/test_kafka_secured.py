"""Every kind of client against a real broker that asks for TLS and a password: let in, or told why not."""

import asyncio
from collections.abc import Iterator
from typing import Any

import certifi
import pytest
from secured_broker import PASSWORD, USER, SecuredBroker, secured_broker

from examples import messages
from stack import Addresses
from trimtab.adapters.avro import load_codec
from trimtab.adapters.kafka.admin import apply_topics, check_topics
from trimtab.adapters.kafka.broadcast import FROM_BEGINNING, BroadcastReader
from trimtab.adapters.kafka.group import GroupConsumer
from trimtab.adapters.kafka.producer import KafkaPublisher
from trimtab.cli.checks import kafka
from trimtab.domain.errors import UnreachableError
from trimtab.drift.stream import Raw, Stream
from trimtab.messages import Frame, Signal
from trimtab.ports.topics import Record
from trimtab.settings import KafkaSettings, RegistrySettings, Settings
from trimtab.topics import MARKET_FRAMES, REBALANCE_SIGNALS

pytestmark = pytest.mark.integration

SECONDS_MAX = 60


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    with secured_broker(tmp_path_factory.mktemp("secured")) as found:
        yield found


def settings_for(broker: SecuredBroker, stack: Addresses, prefix: str, **changed: Any) -> Settings:
    login: dict[str, Any] = {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "username": USER,
        "password": PASSWORD,
        "ca_file": str(broker.ca_file),
    }
    return Settings(
        kafka=KafkaSettings.model_validate(
            {"bootstrap_servers": broker.address, "topic_prefix": prefix} | login | changed
        ),
        registry=RegistrySettings(url=stack.registry),
    )


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
async def test_topics_publisher_group_broadcast_and_faust_are_let_in(
    mechanism: str, broker: SecuredBroker, stack: Addresses, topic_prefix: str
) -> None:
    settings = settings_for(broker, stack, topic_prefix, sasl_mechanism=mechanism)
    await asyncio.to_thread(apply_topics, settings)
    assert await asyncio.to_thread(check_topics, settings) == []
    codec = load_codec(settings.registry.url, topic_prefix)
    sent = messages(REBALANCE_SIGNALS.name)[0]
    frame = messages(MARKET_FRAMES.name)[0]
    assert isinstance(sent, Signal)
    assert isinstance(frame, Frame)
    grouped: asyncio.Queue[Signal] = asyncio.Queue()
    cast: asyncio.Queue[Frame] = asyncio.Queue()
    streamed: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def on_signal(record: Record[Signal]) -> None:
        await grouped.put(record.message)

    async def on_raw(raw: Raw) -> None:
        await streamed.put(raw.value)

    stream = Stream(settings.kafka, "drift", lambda *_: None, lambda *_: None)
    stream.subscribe(REBALANCE_SIGNALS.name, on_raw)
    publisher = KafkaPublisher(settings.kafka, codec)
    await publisher.publish(sent)
    await publisher.publish(frame)
    readers = (
        GroupConsumer(settings, codec, "executor", REBALANCE_SIGNALS, on_signal),
        BroadcastReader(
            settings, codec, MARKET_FRAMES, lambda record: cast.put_nowait(record.message), start=FROM_BEGINNING
        ),
        stream,
    )
    tasks = [asyncio.create_task(reader.run()) for reader in readers]  # type: ignore[attr-defined] # all have it
    try:
        async with asyncio.timeout(SECONDS_MAX):
            assert await grouped.get() == sent
            assert await cast.get() == frame
            assert await streamed.get() == codec.encode(sent)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await publisher.close()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"password": "hunter3-hunter3"}, "uthentication failed"),
        ({"sasl_mechanism": "PLAIN", "username": "somebody"}, "uthentication failed"),
        ({"ca_file": certifi.where()}, "certificate verify failed"),
    ],
)
def test_who_is_not_let_in_is_told_why(
    changed: dict[str, str], reason: str, broker: SecuredBroker, stack: Addresses, topic_prefix: str
) -> None:
    with pytest.raises(UnreachableError, match=reason) as refused:
        kafka(settings_for(broker, stack, topic_prefix, **changed))

    assert broker.address in str(refused.value)
    assert "hunter" not in str(refused.value)
