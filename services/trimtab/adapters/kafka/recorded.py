"""Recorded topics where they are: on the broker."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import stamina
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage

from trimtab.adapters.avro import Codec, UndecodableError
from trimtab.adapters.gathering import Gathering
from trimtab.adapters.kafka.reading import open_consumer, read_codec
from trimtab.domain.errors import UnreachableError
from trimtab.messages import Message
from trimtab.ports.recorded import History, RawRecord, Stamped
from trimtab.ports.topics import M, Record
from trimtab.settings import Settings
from trimtab.topics import Topic

_ANSWER_SECONDS_MAX = 5.0
_POLL_SECONDS = 0.2
_SILENT_POLLS_MAX = 50  # in a row, before records that the broker says it has are given up
_BATCH_RECORDS_MAX = 1_000


class RecordedTopics:
    """`trimtab.ports.recorded` on a broker; in no group, and nothing is committed. One consumer reads."""

    def __init__(self, consumer: Consumer, asking: Consumer, codec: Codec, settings: Settings) -> None:
        """`asking` is another consumer: an answer about offsets would wait for the fetch that `consumer` has out."""
        self._consumer, self._asking, self._codec = consumer, asking, codec
        self._known: dict[str, dict[int, tuple[int, int]]] = {}
        self._prefix, self._servers = settings.kafka.topic_prefix, settings.kafka.bootstrap_servers

    def marks(self, topic: Topic[M]) -> tuple[int, int]:
        """Return the first offset that a topic of one partition keeps, and the one after its last."""
        return self._marks(topic)[0]

    def after(self, topic: Topic[M], recorded_ms: int) -> int:
        """Return the first offset of a topic of one partition that was stamped later than this."""
        return self._after(topic, recorded_ms, self._marks(topic))[0]

    def span(self, topic: Topic[M], start: int, end: int) -> Iterator[Stamped[M]]:
        """Yield the records of a topic of one partition from `start` until before `end`, as far as they are kept."""
        low, high = self.marks(topic)
        for raw in self._messages(topic, {0: max(start, low)}, {0: min(end, high)}):
            yield from self._decoded(topic, raw)

    def whole(self, topic: Topic[M]) -> Iterator[Stamped[M]]:
        """Yield all records of a topic, each partition's in their order."""
        marks = self._marks(topic)
        starts, ends = ({number: mark[which] for number, mark in marks.items()} for which in (0, 1))
        for raw in self._messages(topic, starts, ends):
            yield from self._decoded(topic, raw)

    def at(self, topic: Topic[M], offset: int) -> Stamped[M] | None:
        """Return one record of a topic of one partition; None if it is not kept, not there yet, or not readable."""
        return next(self.span(topic, offset, offset + 1), None)

    def history(self, topic: Topic[M], key: str, since_ms: int | None = None) -> History[M]:
        """Return what a topic keeps of one key; with `since_ms` only what was stamped no earlier."""
        marks = self._marks(topic)
        starts = {number: low for number, (low, _) in marks.items()}
        if since_ms is not None:
            starts = self._after(topic, since_ms - 1, marks)
        ends = {number: high for number, (_, high) in marks.items()}
        gathering: Gathering[M] = Gathering(key, marks if since_ms is None else ())
        for raw in self._messages(topic, starts, ends):
            name = (raw.key() or b"").decode(errors="replace")
            if gathering.see(*_place(raw), name):
                gathering.keep(self._decoded(topic, raw))
        return gathering.history()

    def encoded(self, message: Message) -> bytes:
        """Return a message's bytes as this version of trimtab writes them."""
        return self._codec.encode(message)

    def bounds(
        self, topic: Topic[M], since_ms: int | None = None, until_ms: int | None = None
    ) -> Mapping[int, tuple[int, int]]:
        """Return the first offset of each partition, and the one after its last, of what was stamped in that time.

        Both ends are included; None is as far as records are kept.
        """
        marks = self._marks(topic)
        starts = {number: low for number, (low, _) in marks.items()}
        ends = {number: high for number, (_, high) in marks.items()}
        if since_ms is not None:
            starts = self._after(topic, since_ms - 1, marks)
        if until_ms is not None:
            ends = self._after(topic, until_ms, marks)
        return {number: (starts[number], max(starts[number], ends[number])) for number in marks}

    def raw(self, topic: Topic[M], bounds: Mapping[int, tuple[int, int]]) -> Iterator[RawRecord]:
        """Yield the records between these offsets as they are, those that cannot be decoded included."""
        starts, ends = ({number: bound[which] for number, bound in bounds.items()} for which in (0, 1))
        for raw in self._messages(topic, starts, ends):
            yield RawRecord(*_place(raw), raw.timestamp()[1], raw.key(), raw.value() or b"")

    def _marks(self, topic: Topic[M]) -> dict[int, tuple[int, int]]:
        name = self._name(topic)
        if name not in self._known:
            self._known[name] = self._asked(name)
        return self._known[name]

    def _asked(self, name: str) -> dict[int, tuple[int, int]]:
        found = {}
        with self._answering():
            # A broker that has just started, or made the topic, says for a moment that it leads nothing.
            for attempt in stamina.retry_context(on=KafkaException, attempts=None, timeout=_ANSWER_SECONDS_MAX):
                with attempt:
                    metadata = self._asking.list_topics(name, timeout=_ANSWER_SECONDS_MAX).topics[name]
                    if metadata.error is not None:
                        raise KafkaException(metadata.error)
                    # A consumer that never heard of a topic takes a second until it reads it.
                    self._consumer.list_topics(name, timeout=_ANSWER_SECONDS_MAX)
                    places = [TopicPartition(name, number) for number in metadata.partitions]
                    found = {place.partition: self._watermarks(place) for place in places}
        return found

    def _watermarks(self, place: TopicPartition) -> tuple[int, int]:
        low, high = self._asking.get_watermark_offsets(place, timeout=_ANSWER_SECONDS_MAX)
        return low, high

    def _after(self, topic: Topic[M], recorded_ms: int, marks: Mapping[int, tuple[int, int]]) -> dict[int, int]:
        places = [TopicPartition(self._name(topic), number, max(recorded_ms + 1, 0)) for number in marks]
        with self._answering():
            found = self._asking.offsets_for_times(places, timeout=_ANSWER_SECONDS_MAX)
        # Nothing is stamped later: a negative number that says "the end".
        return {each.partition: each.offset if each.offset >= 0 else marks[each.partition][1] for each in found}

    def _messages(self, topic: Topic[M], starts: Mapping[int, int], ends: Mapping[int, int]) -> Iterator[KafkaMessage]:
        """Yield what the partitions have from their starts until before their ends."""
        name = self._name(topic)
        unread = {number for number in ends if starts[number] < ends[number]}
        with self._answering():
            self._consumer.assign([TopicPartition(name, number, starts[number]) for number in sorted(unread)])
            silent, before = 0, [0]
            while unread:
                first = self._consumer.poll(_POLL_SECONDS)
                for raw in [] if first is None else [first, *self._consumer.consume(_BATCH_RECORDS_MAX, 0)]:
                    if (error := raw.error()) is not None:
                        raise KafkaException(error)
                    number, offset = _place(raw)
                    if offset < ends[number]:
                        yield raw
                # Positions, not records, tell how far it is: a compacted partition's last offsets may hold none.
                places = self._consumer.position([TopicPartition(name, number) for number in sorted(unread)])
                unread -= {place.partition for place in places if place.offset >= ends[place.partition]}
                now = [place.offset for place in places]
                silent, before = (silent + 1 if now == before else 0), now
                if silent > _SILENT_POLLS_MAX:
                    raise UnreachableError("Kafka", self._servers, f"it does not hand out what it has of {name}")

    def _decoded(self, topic: Topic[M], raw: KafkaMessage) -> Iterator[Stamped[M]]:
        value = raw.value() or b""
        try:
            message = self._codec.decode(topic.name, value)
        except UndecodableError:
            return
        assert isinstance(message, topic.message)
        yield Stamped(Record(message, topic.name, *_place(raw)), raw.timestamp()[1], value)

    def _name(self, topic: Topic[M]) -> str:
        return f"{self._prefix}{topic.name}"

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except KafkaException as error:
            raise UnreachableError("Kafka", self._servers, error.args[0].str()) from None


def _place(raw: KafkaMessage) -> tuple[int, int]:
    return raw.partition() or 0, raw.offset() or 0


@contextmanager
def open_recorded(settings: Settings) -> Iterator[RecordedTopics]:
    """Open Kafka and the registry for looking back.

    Raises:
        UnreachableError: if the registry does not answer.

    """
    codec = read_codec(settings)
    with open_consumer(settings) as consumer, open_consumer(settings) as asking:
        yield RecordedTopics(consumer, asking, codec, settings)
