"""What the topics keep of a stretch of time: everything that decisions in it stand on, and the decisions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from trimtab.messages import Costs, Frame, JournalEntry, PortfolioState, Risk, Signal, Targets
from trimtab.ports.topics import Record

Place = tuple[int, int]
"""Partition and offset."""


@dataclass(frozen=True, slots=True)
class Published:
    """A signal as it stands on its topic, with its bytes."""

    signal: Signal
    value: bytes


@dataclass(frozen=True, slots=True)
class Session:
    """Decisions are compared on frames from `first` to `last`, offsets of market.frames.

    Attributes:
        frames: in their order, from the last full one that is not after `first` on.
        journal: in their order, from each worker's first entry on.
        signals: in any order; also those on frames before `first` that may still have been waited for.

    """

    first: int
    last: int
    frames: Iterable[Record[Frame]]
    journal: Sequence[JournalEntry]
    states: Mapping[Place, Record[PortfolioState]]
    risks: Mapping[int, Record[Risk]]
    targets: Mapping[int, Record[Targets]]
    costs: Mapping[int, Record[Costs]]
    signals: Sequence[Published]
