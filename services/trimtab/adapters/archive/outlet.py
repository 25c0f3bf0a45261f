"""Market messages into an archive, as `trimtab.ingest.handlers.Outlet` hands them over."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from trimtab.adapters.archive.topic_file import TopicWriter
from trimtab.adapters.archive.writing import ArchiveWriter
from trimtab.adapters.avro import Codec
from trimtab.messages import Message
from trimtab.ports.recorded import RawRecord
from trimtab.topics import MARKET_BOOKS, MARKET_FRAMES, MARKET_TICKS, topic_of

_TOPICS = (MARKET_TICKS, MARKET_BOOKS, MARKET_FRAMES)
UNREGISTERED = 0  # the schema id of what was on no topic; registries count from 1


class ArchiveOutlet:
    """Every topic's records stand in partition 0, stamped with the time that it is when they are handed over."""

    def __init__(self, writers: dict[str, TopicWriter], codec: Codec, now_us: Callable[[], int]) -> None:
        self._writers, self._codec, self._now_us = writers, codec, now_us
        self._ends = dict.fromkeys(writers, 0)

    def publish_nowait(self, message: Message) -> bool:
        """Write a message.

        Raises:
            InvalidValueError: if it cannot be encoded.

        """
        topic: Any = topic_of(message)
        key = topic.key(message)
        place = self._ends[topic.name]
        name, value = None if key is None else key.encode(), self._codec.encode(message)
        self._writers[topic.name].add(RawRecord(0, place, self._now_us() // 1_000, name, value))
        self._ends[topic.name] += 1
        return True


@contextmanager
def market_outlet(archive: ArchiveWriter, codec: Codec, now_us: Callable[[], int]) -> Iterator[ArchiveOutlet]:
    """Write the market topics of an archive, all at once."""
    with ExitStack() as files:
        writers = {topic.name: files.enter_context(archive.topic(topic)) for topic in _TOPICS}
        yield ArchiveOutlet(writers, codec, now_us)
