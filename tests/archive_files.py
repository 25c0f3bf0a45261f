"""Archives as suites make them: records kept topic by topic, then written to a folder."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from trimtab.adapters.archive.writing import new_archive
from trimtab.adapters.avro import Codec
from trimtab.messages import Message
from trimtab.ports.recorded import RawRecord
from trimtab.topics import TOPICS, Topic, topic_named, topic_of

IDS = {topic.name: number for number, topic in enumerate(TOPICS, 1)}
CODEC = Codec(IDS)


@dataclass
class Shelf:
    """Records of every topic, in partition 0 unless told otherwise; offsets count from 0."""

    kept: dict[str, list[RawRecord]] = field(default_factory=dict)
    starts: dict[str, int] = field(default_factory=dict)
    ends: dict[tuple[str, int], int] = field(default_factory=dict)

    def put(self, message: Message, recorded_ms: int, partition: int = 0) -> int:
        topic = topic_of(message)
        key = topic.key(message)
        return self.put_raw(topic, None if key is None else key.encode(), CODEC.encode(message), recorded_ms, partition)

    def put_raw(self, topic: Topic[Any], key: bytes | None, value: bytes, recorded_ms: int, partition: int = 0) -> int:
        offset = self.ends.get((topic.name, partition), 0)
        self.ends[topic.name, partition] = offset + 1
        self.kept.setdefault(topic.name, []).append(RawRecord(partition, offset, recorded_ms, key, value))
        return offset

    def forget(self, topic: Topic[Any], before: int) -> None:
        self.starts[topic.name] = before
        self.kept[topic.name] = [raw for raw in self.kept[topic.name] if raw.offset >= before]

    def move(self, topic: Topic[Any], number: int, **changes: Any) -> None:
        """Change where, when or what the so-manieth record of a topic is."""
        self.kept[topic.name][number] = replace(self.kept[topic.name][number], **changes)

    def write(self, folder: Path, topics: Iterable[Topic[Any]] = TOPICS, codec: Codec = CODEC) -> Path:
        with new_archive(folder, codec) as archive:
            for topic in topics:
                with archive.topic(topic_named(topic.name), self._bounds(topic)) as file:
                    for raw in self.kept.get(topic.name, ()):
                        file.add(raw)
        return folder

    def _bounds(self, topic: Topic[Any]) -> Mapping[int, tuple[int, int]]:
        low = self.starts.get(topic.name, 0)
        partitions = {number for name, number in self.ends if name == topic.name} | {0}
        return {number: (low, max(low, self.ends.get((topic.name, number), 0))) for number in sorted(partitions)}
