"""Topics in memory, as `Recorded` gives them out: one partition each."""

from collections.abc import Callable, Iterator
from typing import Any

from trimtab.messages import Message
from trimtab.ports.recorded import History, Recorded, Stamped
from trimtab.ports.topics import Record
from trimtab.topics import MARKET_FRAMES, Topic, topic_of


class Topics(Recorded):
    """`keep` appends a message; `forget` takes the records before an offset away, as retention and compaction do."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[int, Stamped[Any]]] = {}
        self._ends: dict[str, int] = {}
        self.reads = 0

    def keep(self, message: Message, recorded_ms: int) -> int:
        name = topic_of(message).name
        offset = self._ends.get(name, 0)
        self._ends[name] = offset + 1
        record = Record(message, name, 0, offset)
        self._kept.setdefault(name, {})[offset] = Stamped(record, recorded_ms, self.encoded(message))
        return offset

    def skip(self, topic: Topic[Any]) -> int:
        """Append a record that cannot be read."""
        offset = self._ends.get(topic.name, 0)
        self._ends[topic.name] = offset + 1
        return offset

    def forget(self, topic: Topic[Any], before: int) -> None:
        kept = self._kept[topic.name]
        self._kept[topic.name] = {offset: each for offset, each in kept.items() if offset >= before}

    def marks(self, topic: Topic[Any]) -> tuple[int, int]:
        end = self._ends.get(topic.name, 0)
        return min(self._kept.get(topic.name, {}), default=end), end

    def after(self, topic: Topic[Any], recorded_ms: int) -> int:
        found = (offset for offset, each in self._all(topic) if each.recorded_ms > recorded_ms)
        return next(found, self._ends.get(topic.name, 0))

    def span(self, topic: Topic[Any], start: int, end: int) -> Iterator[Stamped[Any]]:
        for offset, each in self._all(topic):
            if start <= offset < end:
                self.reads += topic is MARKET_FRAMES
                yield each

    def whole(self, topic: Topic[Any]) -> Iterator[Stamped[Any]]:
        return (each for _, each in self._all(topic))

    def at(self, topic: Topic[Any], offset: int) -> Stamped[Any] | None:
        return next(self.span(topic, offset, offset + 1), None)

    def history(self, topic: Topic[Any], key: str, since_ms: int | None = None) -> History[Any]:
        rows = [each for _, each in self._all(topic) if since_ms is None or each.recorded_ms >= since_ms]
        keys: Callable[[Any], str | None] = topic.key
        low, _ = self.marks(topic)
        mine = tuple(each for each in rows if keys(each.message) == key)
        return History(mine, 0 if low > 0 else None, frozenset(keys(each.message) or "" for each in rows))

    def encoded(self, message: Message) -> bytes:
        return repr(message).encode()

    def _all(self, topic: Topic[Any]) -> list[tuple[int, Stamped[Any]]]:
        return sorted(self._kept.get(topic.name, {}).items())
