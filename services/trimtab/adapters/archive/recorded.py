"""Recorded topics where they are kept: in an archive."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from trimtab.adapters.archive.container import Container
from trimtab.adapters.archive.contents import FILE, Contents, load
from trimtab.adapters.avro import Codec
from trimtab.adapters.gathering import Gathering
from trimtab.domain.errors import UnreachableError
from trimtab.messages import Message
from trimtab.ports.recorded import History, Stamped
from trimtab.ports.topics import M
from trimtab.topics import TOPICS, Topic

_UNREGISTERED = 0  # registries count from 1


class RecordedArchive:
    """`trimtab.ports.recorded` on an archive; nothing is kept of what was read."""

    def __init__(self, folder: Path, contents: Contents) -> None:
        self._folder, self._contents = folder, contents
        self._codec = Codec(schema_ids(contents))
        self._containers: dict[str, Container[Any]] = {}

    def marks(self, topic: Topic[M]) -> tuple[int, int]:
        """Return the first offset that a topic of one partition keeps, and the one after its last."""
        return self._container(topic).kept.partitions[0]

    def after(self, topic: Topic[M], recorded_ms: int) -> int:
        """Return the first offset of a topic of one partition that was stamped later than this."""
        container = self._container(topic)
        blocks = container.kept.blocks
        first = next((number for number, block in enumerate(blocks) if block.latest_ms > recorded_ms), None)
        if first is not None:
            for row in container.rows(first):
                if row.front["recorded_ms"] > recorded_ms:
                    return int(row.front["offset"])
        return container.kept.partitions[0][1]

    def span(self, topic: Topic[M], start: int, end: int) -> Iterator[Stamped[M]]:
        """Yield the records of a topic of one partition from `start` until before `end`, as far as they are kept."""
        container = self._container(topic)
        begins = [block.first_offset for block in container.kept.blocks]
        first, last = max(bisect_right(begins, start) - 1, 0), bisect_left(begins, end)
        for row in container.rows(first, max(first, last)):
            offset = row.front["offset"]
            if offset >= end:
                return
            if offset >= start and (found := container.stamped(row)) is not None:
                yield found

    def whole(self, topic: Topic[M]) -> Iterator[Stamped[M]]:
        """Yield all records of a topic, each partition's in their order."""
        container = self._container(topic)
        return (found for row in container.rows() if (found := container.stamped(row)) is not None)

    def at(self, topic: Topic[M], offset: int) -> Stamped[M] | None:
        """Return one record of a topic of one partition; None if it is not kept, not there yet, or not readable."""
        return next(self.span(topic, offset, offset + 1), None)

    def history(self, topic: Topic[M], key: str, since_ms: int | None = None) -> History[M]:
        """Return what a topic keeps of one key; with `since_ms` only what was stamped no earlier."""
        container = self._container(topic)
        gathering: Gathering[M] = Gathering(key, container.kept.partitions if since_ms is None else ())
        begun = set[int]()  # a partition counts from its first record that was stamped no earlier
        for row in container.rows():
            number = row.front["partition"]
            if since_ms is None or row.front["recorded_ms"] >= since_ms:
                begun.add(number)
            name = (row.front["key"] or b"").decode(errors="replace")
            if number in begun and gathering.see(number, row.front["offset"], name):
                found = container.stamped(row)
                gathering.keep(() if found is None else (found,))
        return gathering.history()

    def encoded(self, message: Message) -> bytes:
        """Return a message's bytes as this version of trimtab writes them."""
        return self._codec.encode(message)

    def _container(self, topic: Topic[M]) -> Container[M]:
        if topic.name not in self._containers:
            kept = self._contents.topics.get(topic.name)
            if kept is None:
                held = ", ".join(sorted(self._contents.topics)) or "nothing"
                raise UnreachableError("archive", str(self._folder), f"it holds {held}; {topic.name} is needed")
            self._containers[topic.name] = Container(self._folder, topic, kept, self._codec)
        return self._containers[topic.name]


def schema_ids(contents: Contents) -> Mapping[str, int]:
    """Return the ids that records of this archive were written with, of every topic."""
    kept = contents.topics
    return {topic.name: kept[topic.name].schema_id if topic.name in kept else _UNREGISTERED for topic in TOPICS}


def is_archive(path: Path) -> bool:
    """Tell whether this is a folder that holds an archive, sound or not."""
    return (path / FILE).is_file()


def open_archive(folder: Path) -> RecordedArchive:
    """Open an archive for looking back.

    Raises:
        InvalidValueError: if the folder is not an archive, or a damaged one.

    """
    return RecordedArchive(folder, load(folder))
