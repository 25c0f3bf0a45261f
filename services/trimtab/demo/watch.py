"""Reads the line's topics as any other system could, and keeps the demo's measures."""

import threading
from collections.abc import Iterable

from confluent_kafka import Consumer, Message, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined] # its stubs lack the name
from opentelemetry import baggage

from trimtab.adapters.avro import Codec, UndecodableError
from trimtab.adapters.kafka.client import Complaints, client_config, consumer_config
from trimtab.adapters.kafka.incoming import raw_headers
from trimtab.adapters.tracing import Headers, context_of
from trimtab.demo.measures import Measures
from trimtab.domain.errors import InvalidValueError
from trimtab.domain.market import Market
from trimtab.domain.portfolio import Portfolio
from trimtab.frames import Feed
from trimtab.messages import Fill, Frame, OrderEvent, PortfolioState, Risk, Signal
from trimtab.ports.topics import Record
from trimtab.settings import KafkaSettings
from trimtab.topics import (
    EXECUTION_FILLS,
    EXECUTION_ORDERS,
    MARKET_FRAMES,
    MARKET_RISK,
    PORTFOLIO_STATE,
    REBALANCE_SIGNALS,
    TOPICS,
)

_POLL_SECONDS = 0.2
_BATCH = 500
_ANSWER_SECONDS_MAX = 10.0
_READ = (MARKET_FRAMES, MARKET_RISK, PORTFOLIO_STATE, REBALANCE_SIGNALS, EXECUTION_ORDERS, EXECUTION_FILLS)


class Watch:
    """One thread that reads from the beginning of every topic; `measures` may be looked at while it runs."""

    def __init__(self, settings: KafkaSettings, codec: Codec, portfolios: dict[str, Portfolio]) -> None:
        self.measures = Measures()
        self.risk: Record[Risk] | None = None
        self._settings = settings
        self._codec = codec
        self._portfolios = portfolios
        self._feed = Feed()
        self._stop = threading.Event()
        self._consumer = Consumer(
            consumer_config(settings, "trimtab-demo", Complaints())
            | {"group.id": f"{settings.topic_prefix}demo", "auto.offset.reset": "earliest"}
        )
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    @property
    def market(self) -> Market:
        """Return the market as of the last frame read."""
        return self._feed.market

    def start(self) -> None:
        """Begin to read."""
        self._consumer.assign([TopicPartition(name, part, 0) for name, part in self._partitions(t.name for t in _READ)])
        self._thread.start()

    def stop(self) -> None:
        """Read what is there and end."""
        self._stop.set()
        self._thread.join()

    def close(self) -> None:
        """Let the broker go."""
        self._consumer.close()

    def dead_letters(self) -> int:
        """Return how many records every topic's dead letters hold together."""
        places = [TopicPartition(*place) for place in self._partitions(topic.dead_letters for topic in TOPICS)]
        admin = AdminClient(client_config(self._settings, "trimtab-demo", Complaints()))
        counts: list[int] = []
        for spec in (OffsetSpec.earliest(), OffsetSpec.latest()):  # type: ignore[no-untyped-call] # the client's stubs lack them
            found = admin.list_offsets(dict.fromkeys(places, spec), request_timeout=_ANSWER_SECONDS_MAX)
            counts.append(sum(offset.result().offset for offset in found.values()))
        return counts[1] - counts[0]

    def _partitions(self, names: Iterable[str]) -> list[tuple[str, int]]:
        known = self._consumer.list_topics(timeout=10).topics
        full = [f"{self._settings.topic_prefix}{name}" for name in names]
        return [(name, partition) for name in full if name in known for partition in sorted(known[name].partitions)]

    def _run(self) -> None:
        while True:
            records = self._consumer.consume(_BATCH, _POLL_SECONDS)
            for record in records:
                if record.error() is None:
                    self._take(record)
            if not records and self._stop.is_set():
                return

    def _take(self, record: Message) -> None:
        name = (record.topic() or "").removeprefix(self._settings.topic_prefix)
        try:
            message = self._codec.decode(name, record.value())
        except UndecodableError:
            return  # its reader puts it among the dead letters, and those are counted
        measures = self.measures
        match message:
            case Frame():
                measures.frames += 1
                self._feed = self._after(message, record.offset() or 0)
                if message.full and self._feed.market.complete:
                    measures.on_market(self._feed.market, self._portfolios)
            case Risk():
                self.risk = Record(message, name, record.partition() or 0, record.offset() or 0)
            case PortfolioState():
                measures.on_state(message)
            case Signal():
                measures.on_signal(message)
            case OrderEvent():
                measures.on_order(message, times_us(raw_headers(record)))
            case Fill():
                measures.on_fill(message)

    def _after(self, frame: Frame, offset: int) -> Feed:
        try:
            return self._feed.advance(frame, offset)
        except InvalidValueError:
            return self._feed.doubt(frame)  # as whoever decides on it


def times_us(headers: Headers) -> dict[str, int]:
    """Return the times (wall clock, microseconds) that a record's headers carry along, by name."""
    carried = baggage.get_all(context_of(headers))
    return {name: int(value) for name, value in carried.items() if isinstance(value, str) and value.isdigit()}
