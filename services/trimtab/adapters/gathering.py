"""What a topic keeps of one key, gathered record by record, whatever the topic is kept in."""

from collections.abc import Iterable
from typing import Generic

from trimtab.ports.recorded import History, Stamped
from trimtab.ports.topics import M


class Gathering(Generic[M]):
    """Sees every record of a topic, each partition's in their order, and keeps those of one key."""

    def __init__(self, key: str, partitions: Iterable[int]) -> None:
        """Holes are looked for in these partitions, which are seen from where they begin."""
        self._key = key
        self._places = dict.fromkeys(partitions, 0)
        self._holes: dict[int, int] = {}
        self._keys: set[str] = set()
        self._found: list[Stamped[M]] = []

    def see(self, partition: int, offset: int, key: str) -> bool:
        """Take note of a record; return whether it is one of the key."""
        if offset > self._places.get(partition, offset):
            self._holes.setdefault(partition, self._places[partition])
        self._places[partition] = offset + 1
        self._keys.add(key)
        return key == self._key

    def keep(self, records: Iterable[Stamped[M]]) -> None:
        """Keep what could be decoded of a record of the key."""
        self._found.extend(records)

    def history(self) -> History[M]:
        """Return what was kept."""
        self._found.sort(key=lambda each: each.record.offset)
        hole = self._holes.get(self._found[0].record.partition) if self._found else None
        return History(tuple(self._found), hole, frozenset(self._keys))
