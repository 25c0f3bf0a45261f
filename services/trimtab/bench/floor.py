"""The least a tick to order can take here: two bare Kafka hops, one commit, one HTTP round trip, summed.

A process of its own beside the line, on the same broker, database and exchange with the same client settings. Each
sample begins when a frame arrives, as the line's own work does. Bare: one thread, no codec, no decision, no tracing.
The first line of its standard input is a JSON object: url, key and secret of an account at the exchange. It prints a
JSON object a sample until its standard input ends.
"""

import asyncio
import hashlib
import hmac
import json
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from urllib.parse import urlencode

import aiohttp
import psycopg
from confluent_kafka import Consumer, Producer, TopicPartition

from trimtab.adapters.kafka.client import Complaints, consumer_config, producer_config
from trimtab.adapters.postgres.connections import SESSION
from trimtab.adapters.postgres.queries import SQL
from trimtab.settings import KafkaSettings, load_settings
from trimtab.topics import MARKET_FRAMES

HOP_TOPIC = "bench.hop"
SIGNAL_BYTES = 1_500
_PAUSE_SECONDS = 0.15
_POLL_SECONDS = 1.0
_ANSWER_SECONDS_MAX = 10.0
_WARM_SAMPLES = 10


@dataclass(frozen=True, slots=True)
class Sample:
    """One floor, in milliseconds; `at_us` is when it began (wall clock)."""

    at_us: int
    first_hop_ms: float
    second_hop_ms: float
    commit_ms: float
    http_ms: float

    @property
    def total_ms(self) -> float:
        """All of it, one after the other."""
        return self.first_hop_ms + self.second_hop_ms + self.commit_ms + self.http_ms


def samples_of(lines: Sequence[str]) -> list[Sample]:
    """Read what the probe printed; the first samples, which open connections, are left out."""
    return [Sample(**json.loads(line)) for line in lines][_WARM_SAMPLES:]


class Hops:
    """Two bare hops: produce, and poll until it arrives."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._name = f"{kafka.topic_prefix}{HOP_TOPIC}"
        self._producer = Producer(producer_config(kafka, "bench-floor", Complaints()))
        self._consumer = _reader(kafka, HOP_TOPIC)

    def hop(self, value: bytes) -> float:
        """Return how long one record takes, in milliseconds."""
        began = time.perf_counter()
        self._producer.produce(self._name, value=value, partition=0)
        while (record := self._consumer.poll(_ANSWER_SECONDS_MAX)) is None or record.error() is not None:
            pass
        took = (time.perf_counter() - began) * 1_000
        self._producer.poll(0)
        return took


class Probe:
    """Takes samples on connections of its own."""

    def __init__(self, dsn: str, kafka: KafkaSettings, url: str, key: str, secret: str) -> None:
        self._url = f"{url}/api/v3/account"
        self._key, self._secret = key, secret
        self._hops = Hops(kafka)
        # Of the options of trimtab's own sessions, those that concern a bare connection.
        self._database = psycopg.connect(
            dsn, autocommit=True, prepare_threshold=1, options=SESSION["options"], application_name="bench-floor"
        )
        self._loop = asyncio.new_event_loop()
        self._session = self._loop.run_until_complete(_session())

    def sample(self, frame: bytes) -> Sample:
        """Take one sample with records of a frame's and a signal's size."""
        at_us = time.time_ns() // 1_000
        hops = self._hops.hop(frame), self._hops.hop(b"s" * SIGNAL_BYTES)
        return Sample(at_us, *hops, self._commit(), self._loop.run_until_complete(self._ask()))

    def _commit(self) -> float:
        """Write one row of the ledger's in a transaction of its own: the lease of a resource nobody else has."""
        began = time.perf_counter()
        values = {"resource": "bench/floor", "owner": "bench", "seconds": 1.0}
        self._database.execute(SQL["lease"].encode(), values)
        return (time.perf_counter() - began) * 1_000

    async def _ask(self) -> float:
        """Make one signed request on a connection that stays open."""
        began = time.perf_counter()
        query = urlencode({"timestamp": time.time_ns() // 1_000_000, "recvWindow": 5_000})
        signature = hmac.new(self._secret.encode(), query.encode(), hashlib.sha256).hexdigest()
        headers = {"X-MBX-APIKEY": self._key}
        async with self._session.get(f"{self._url}?{query}&signature={signature}", headers=headers) as answer:
            await answer.read()
            answer.raise_for_status()
        return (time.perf_counter() - began) * 1_000

    def close(self) -> None:
        """Let the connections go."""
        self._database.close()
        self._loop.run_until_complete(self._session.close())


async def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession()


def _reader(kafka: KafkaSettings, topic: str) -> Consumer:
    """Return a reader of a single-partition topic, standing at its end."""
    config = consumer_config(kafka, "bench-floor", Complaints()) | {"group.id": "bench-floor-unused"}
    consumer = Consumer(config)
    place = TopicPartition(f"{kafka.topic_prefix}{topic}", 0)
    _, place.offset = consumer.get_watermark_offsets(place, timeout=_ANSWER_SECONDS_MAX)
    consumer.assign([place])
    return consumer


def main() -> None:
    """Take samples until standard input ends."""
    settings = load_settings()
    probe = Probe(settings.postgres.dsn.get_secret_value(), settings.kafka, **json.loads(sys.stdin.readline()))
    frames = _reader(settings.kafka, MARKET_FRAMES.name)
    ended = threading.Event()
    threading.Thread(target=_await_end, args=(ended,), daemon=True).start()
    with closing(probe):
        while not ended.wait(_PAUSE_SECONDS):
            frames.consume(1_000, 0)  # what came during the pause is no beginning
            frame = frames.poll(_POLL_SECONDS)
            if frame is not None and frame.error() is None:
                sys.stdout.write(json.dumps(asdict(probe.sample(frame.value() or b""))) + "\n")
                sys.stdout.flush()


def _await_end(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


if __name__ == "__main__":
    main()
