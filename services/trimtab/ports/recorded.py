"""Topics as they are kept: records by offset, by key and by time, with what their writer stamped on them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, Protocol

from trimtab.messages import Message
from trimtab.ports.topics import M, Record
from trimtab.topics import Topic


@dataclass(frozen=True, slots=True)
class Stamped(Generic[M]):
    """A record, its bytes, and the time its writer stamped on it: milliseconds UTC of the wall clock."""

    record: Record[M]
    recorded_ms: int
    value: bytes

    @property
    def message(self) -> M:
        """The decoded message."""
        return self.record.message


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A record as it stands on its topic, in its framed bytes; `recorded_ms` as in `Stamped`."""

    partition: int
    offset: int
    recorded_ms: int
    key: bytes | None
    value: bytes


@dataclass(frozen=True, slots=True)
class History(Generic[M]):
    """What a topic keeps of one key, in the order of its offsets.

    Attributes:
        records: those that can be decoded.
        hole: the first offset that the key's partition does not have any more; None if nothing was ever taken away.
        keys: every key that came by.

    """

    records: tuple[Stamped[M], ...]
    hole: int | None
    keys: frozenset[str]

    @property
    def beheaded(self) -> bool:
        """Whether records before the first one may have been compacted away."""
        return self.hole is not None and bool(self.records) and self.hole < self.records[0].record.offset


class Recorded(Protocol):
    """Records that cannot be decoded are left out: their readers bury them.

    What a topic has is asked once, so that all answers are of one time. Every method raises UnreachableError if the
    records are not to be had, and InvalidValueError if what they are kept in is damaged. Whoever iterates over `span`
    or `whole` reads nothing else meanwhile.
    """

    def marks(self, topic: Topic[M]) -> tuple[int, int]:
        """Return the first offset that a topic of one partition keeps, and the one after its last."""
        ...

    def after(self, topic: Topic[M], recorded_ms: int) -> int:
        """Return the first offset of a topic of one partition that was stamped later than this."""
        ...

    def span(self, topic: Topic[M], start: int, end: int) -> Iterator[Stamped[M]]:
        """Yield the records of a topic of one partition from `start` until before `end`, as far as they are kept."""
        ...

    def whole(self, topic: Topic[M]) -> Iterator[Stamped[M]]:
        """Yield all records of a topic, each partition's in their order."""
        ...

    def at(self, topic: Topic[M], offset: int) -> Stamped[M] | None:
        """Return one record of a topic of one partition; None if it is not kept, not there yet, or not readable."""
        ...

    def history(self, topic: Topic[M], key: str, since_ms: int | None = None) -> History[M]:
        """Return what a topic keeps of one key; with `since_ms` only what was stamped no earlier."""
        ...

    def encoded(self, message: Message) -> bytes:
        """Return a message's bytes as this version of trimtab writes them."""
        ...
