"""Every recorded signal is decided again, and every frame looked at for signals that should be there or should not.

Two questions, asked of the topics alone. Does each published signal come out again, byte for byte, on exactly what it
cites? And do the workers, fed once more in the order that their journals tell, signal what was published, nothing else
and nothing less? A frame that no worker is certain to have settled (it died within a second of it, say) answers only
the first.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from trimtab.domain.errors import TrimtabError
from trimtab.drift.portfolios import ParseDocument
from trimtab.messages import Frame, JournalEntry, Signal
from trimtab.ports.topics import Record
from trimtab.replay.errors import GoneError
from trimtab.replay.session import Published, Session
from trimtab.replay.worker import Worker
from trimtab.settings import DriftSettings

Encode = Callable[[Signal], bytes]
Again = Callable[[Published], Signal | None]
"""Decide a published signal again on what it cites; None if it would be a hold. Raises TrimtabError if that is gone."""
OnFrame = Callable[[int], None]

KINDS = ("mismatched", "missing", "unexpected", "gone")


@dataclass(frozen=True, slots=True)
class Fault:
    """Where a replay and the topic differ: `kind` is one of `KINDS`."""

    kind: str
    portfolio_id: str
    signal_id: str
    frame_offset: int
    detail: str = ""


@dataclass(slots=True)
class Parity:
    """What a replay found.

    Attributes:
        signals: published on the session's frames, each id once.
        matched: those that came out equal, byte for byte.
        unwatched: those of them on frames that no journal vouches for; they were decided again by what they cite.
        frames, workers: that were replayed.

    """

    signals: int = 0
    matched: int = 0
    unwatched: int = 0
    frames: int = 0
    workers: int = 0
    faults: list[Fault] = field(default_factory=list)

    def count(self, kind: str) -> int:
        """Return how many faults of this kind there are."""
        return sum(fault.kind == kind for fault in self.faults)

    def document(self) -> dict[str, int]:
        """Return all numbers by name."""
        counted = {kind: self.count(kind) for kind in KINDS}
        whole = {"frames": self.frames, "workers": self.workers, "signals": self.signals, "matched": self.matched}
        return whole | counted | {"unwatched": self.unwatched}

    @property
    def holds(self) -> bool:
        """Whether everything came out as it was published."""
        return not self.faults


@dataclass(slots=True)
class Replay:
    """One comparison; `verify` is called once."""

    session: Session
    settings: DriftSettings
    parse: ParseDocument
    encode: Encode
    again: Again
    on_frame: OnFrame = lambda _: None
    _found: Parity = field(default_factory=Parity)
    _made: dict[str, Signal] = field(default_factory=dict)

    def verify(self) -> Parity:
        """Return what came out."""
        published: dict[int, dict[str, Published]] = defaultdict(dict)
        for each in self.session.signals:
            if self.session.first <= each.signal.frame_offset <= self.session.last:
                published[each.signal.frame_offset].setdefault(each.signal.signal_id, each)
        workers = list(self._workers())
        self._found.workers = len(workers)
        seen = set[int]()
        for frame in self.session.frames:
            if frame.offset > self.session.last:
                break
            seen.add(frame.offset)
            self._frame(frame, workers, published.get(frame.offset, {}))
            self.on_frame(frame.offset)
        for offset in sorted(published.keys() - seen):
            for each in published[offset].values():
                self._cited(each)
        unsent = {(row.portfolio_id, row.frame_offset) for entry in self.session.journal for row in entry.unsent}
        there = {signal_id for found in published.values() for signal_id in found}
        for signal_id, signal in self._made.items():
            if signal_id not in there and (signal.portfolio_id, signal.frame_offset) not in unsent:
                self._fault(
                    "missing", signal, "the worker that had the portfolio signals here, and nothing was published"
                )
        return self._found

    def _workers(self) -> Iterator[Worker]:
        entries: dict[str, list[JournalEntry]] = defaultdict(list)
        for entry in self.session.journal:
            entries[entry.worker].append(entry)
        for name in sorted(entries):
            # An entry may have been sent twice: the broker took it and the answer was lost.
            mine = {entry.number: entry for entry in entries[name]}
            yield Worker.of((mine[number] for number in sorted(mine)), self.session, self.settings, self.parse)

    def _frame(self, frame: Record[Frame], workers: list[Worker], published: dict[str, Published]) -> None:
        made: dict[str, Signal] = {}
        for worker in list(workers):
            try:
                made |= {signal.signal_id: signal for signal in worker.see(frame)}
            except GoneError as error:
                workers.remove(worker)
                self._found.faults.append(Fault("gone", "", "", frame.offset, str(error)))
        if frame.offset >= self.session.first:
            self._found.frames += 1
        self._made |= made
        for signal_id, each in published.items():
            if signal_id in made:
                self._compare(each, made[signal_id])
            elif any(worker.holds(each.signal.portfolio_id, frame.offset) for worker in workers):
                self._found.signals += 1
                self._fault("unexpected", each.signal, "the worker that had the portfolio does not signal here")
            else:
                self._cited(each)

    def _cited(self, each: Published) -> None:
        """Decide a signal again by what it cites alone."""
        self._found.unwatched += 1
        try:
            again = self.again(each)
        except TrimtabError as error:
            self._found.signals += 1
            self._fault("gone", each.signal, str(error))
            return
        if again is None:
            self._found.signals += 1
            self._fault("mismatched", each.signal, "decided again on what it cites it holds")
        else:
            self._compare(each, again)

    def _compare(self, each: Published, again: Signal) -> None:
        self._found.signals += 1
        if self.encode(again) == each.value:
            self._found.matched += 1
        else:
            self._fault("mismatched", each.signal, "decided again on what it cites it comes out otherwise")

    def _fault(self, kind: str, signal: Signal, detail: str) -> None:
        self._found.faults.append(Fault(kind, signal.portfolio_id, signal.signal_id, signal.frame_offset, detail))
