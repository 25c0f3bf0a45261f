"""`python -m trimtab.ingest` between the simulated exchange and a real Kafka: what a reader of the topics gets."""

import asyncio
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from simulated_exchange import SimulatedExchange
from trimtab.adapters import tracing
from trimtab.adapters.avro import Codec
from trimtab.frames import Feed
from trimtab.messages import Book, Frame, Tick
from trimtab.settings import Settings

pytestmark = pytest.mark.integration

SECONDS_MAX = 60


def environment(settings: Settings, rest_url: str, websocket_url: str) -> dict[str, str]:
    venue = "TRIMTAB_VENUES__BINANCE__"
    return os.environ | {
        "TRIMTAB_KAFKA__BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
        "TRIMTAB_KAFKA__TOPIC_PREFIX": settings.kafka.topic_prefix,
        "TRIMTAB_REGISTRY__URL": settings.registry.url,
        f"{venue}REST_URL": rest_url,
        f"{venue}WEBSOCKET_URL": websocket_url,
        f"{venue}INSTRUMENTS": '["BTC/USDT", "ETH/USDT"]',
    }


@asynccontextmanager
async def ingest(settings: Settings, rest_url: str, log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the service; its log is written to a file."""
    variables = environment(settings, rest_url, rest_url.replace("http", "ws"))
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "trimtab.ingest", env=variables, stderr=stderr
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
                async with asyncio.timeout(20):
                    assert await process.wait() == 0


@contextmanager
def reading(settings: Settings, topic: str) -> Iterator[Consumer]:
    """Read every partition of a topic from its start."""
    consumer = Consumer({"bootstrap.servers": settings.kafka.bootstrap_servers, "group.id": "unused"})
    name = f"{settings.kafka.topic_prefix}{topic}"
    partitions = consumer.list_topics(name, timeout=10).topics[name].partitions
    consumer.assign([TopicPartition(name, number, 0) for number in partitions])
    try:
        yield consumer
    finally:
        consumer.close()


def take(consumer: Consumer, count: int) -> list:  # type: ignore[type-arg]  # confluent's messages
    """Take so many records, or fail."""
    found: list = []  # type: ignore[type-arg]  # as above
    deadline = time.monotonic() + SECONDS_MAX
    while len(found) < count:
        assert time.monotonic() < deadline, f"{len(found)} of {count} records came"
        found += consumer.consume(count - len(found), 0.5)
    assert all(record.error() is None for record in found)
    return found


async def test_the_topics_carry_the_market(
    settings: Settings, codec: Codec, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    async with ingest(settings, exchange.rest_url, tmp_path / "log"):
        with reading(settings, "market.frames") as consumer:
            records = await asyncio.to_thread(take, consumer, 60)
        with reading(settings, "market.books") as consumer:
            books = [
                codec.decode("market.books", record.value()) for record in await asyncio.to_thread(take, consumer, 40)
            ]
        with reading(settings, "market.ticks") as consumer:
            ticks = [
                codec.decode("market.ticks", record.value()) for record in await asyncio.to_thread(take, consumer, 5)
            ]
    feed = Feed()
    for record in records:
        frame = codec.decode("market.frames", record.value())
        assert isinstance(frame, Frame)
        feed = feed.advance(frame, record.offset())
        assert feed.market.complete
        with tracing.attached(record.headers()):
            ticked_us = tracing.tick_us()
            assert ticked_us is not None
            assert 0 <= record.timestamp()[1] * 1_000 - ticked_us + 1_000 < 5_000_000
            assert tracing.trace_id()
    assert set(feed.market.quotes) == {"binance:BTC/USDT", "binance:ETH/USDT"}
    assert all(quote.fault() is None for quote in feed.market.quotes.values())
    assert all(isinstance(book, Book) and book.bids and book.asks for book in books)
    assert all(isinstance(tick, Tick) for tick in ticks)


async def test_a_venue_that_is_not_there_is_waited_for_in_clear_words(
    settings: Settings, codec: Codec, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    log = tmp_path / "log"
    async with ingest(settings, f"http://127.0.0.1:{port}", log) as process:
        async with asyncio.timeout(SECONDS_MAX):
            while log.read_text().count("does not answer") < 3:  # noqa: ASYNC110 - another process is watched
                await asyncio.sleep(0.1)
        assert process.returncode is None
    said = log.read_text()
    assert f"venue binance at http://127.0.0.1:{port}/api/v3 does not answer" in said
    assert "Traceback" not in said


async def test_an_instrument_the_venue_does_not_have_ends_the_service_with_one_line(
    settings: Settings, codec: Codec, exchange: SimulatedExchange
) -> None:
    variables = environment(settings, exchange.rest_url, exchange.rest_url.replace("http", "ws"))
    variables["TRIMTAB_VENUES__BINANCE__INSTRUMENTS"] = '["BTC/USDT", "NOPE/USDT"]'
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "trimtab.ingest", env=variables, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(SECONDS_MAX):
        _, stderr = await process.communicate()
    assert process.returncode == 2
    assert "NOPE/USDT" in stderr.decode().splitlines()[-1]
    assert b"Traceback" not in stderr
