"""A drift worker of the past: the live worker's own deciding part, fed as its journal says."""

import contextlib
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from trimtab.domain.errors import InvalidValueError
from trimtab.drift.deciding import Deciding
from trimtab.drift.journal import NOWHERE
from trimtab.drift.portfolios import Entry, ParseDocument, Portfolios
from trimtab.journal_rows import AppliedState
from trimtab.messages import Frame, JournalEntry, Signal
from trimtab.ports.topics import Record
from trimtab.replay.errors import GoneError
from trimtab.replay.session import Session
from trimtab.settings import DriftSettings

R = TypeVar("R")


@dataclass(slots=True)
class Worker:
    """One worker from its first frame until the last of which it is certain that its signals got out."""

    session: Session
    entries: deque[JournalEntry]
    deciding: Deciding
    earlier: Mapping[tuple[str, int], Sequence[Signal]]  # before the session, by portfolio and ledger version
    _end: int
    _places: dict[str, int] = field(default_factory=dict)
    _signalled: dict[str, tuple[Entry, int]] = field(default_factory=dict)
    _begun: bool = False

    @classmethod
    def of(
        cls, entries: Iterable[JournalEntry], session: Session, settings: DriftSettings, parse: ParseDocument
    ) -> "Worker":
        """Return the worker that wrote these entries, which are sorted by number."""
        unbroken = deque(entry for number, entry in enumerate(entries) if entry.number == number)
        end = max((entry.settled_offset for entry in unbroken), default=-1)
        earlier: dict[tuple[str, int], list[Signal]] = defaultdict(list)
        for each in session.signals:
            if each.signal.frame_offset < session.first:
                earlier[each.signal.portfolio_id, each.signal.ledger_version].append(each.signal)
        return cls(session, unbroken, Deciding(Portfolios(parse), settings), earlier, end)

    def holds(self, portfolio_id: str, offset: int) -> bool:
        """Tell whether it decided on this portfolio at a frame that it has just seen."""
        return self._begun and offset <= self._end and self.deciding.portfolios.get(portfolio_id) is not None

    def see(self, frame: Record[Frame]) -> Iterator[Signal]:
        """Yield what it signalled on a frame.

        Raises:
            GoneError: if a record is gone that it decided with.

        """
        while self.entries and self.entries[0].frame_offset <= frame.offset:
            self._apply(self.entries.popleft())
        if not self._begun or frame.offset > self._end:
            return
        try:
            self.deciding.advance(frame)
        except InvalidValueError:
            return
        self.deciding.take_over()
        if frame.offset < self.session.first:
            return
        for entry, signal in self.deciding.look(frame.message).signals:
            self._signalled[signal.portfolio_id] = entry, signal.frame_offset
            yield signal

    def _apply(self, note: JournalEntry) -> None:
        self._begun = True
        for risk in note.risks:
            known = self.deciding.risks.get(risk.quote)
            if known is None or known.offset != risk.offset:
                self.deciding.on_risk(_kept(self.session.risks.get(risk.offset), "market.risk", risk.offset))
        costs_offset = note.costs_offset
        if costs_offset >= 0:
            self.deciding.costs = _kept(self.session.costs.get(costs_offset), "market.costs", costs_offset)
        for row in note.states:
            self._take(row, note.frame_offset)
        for unsent in note.unsent:
            entry, offset = self._signalled.get(unsent.portfolio_id, (None, -1))
            if entry is not None and offset == unsent.frame_offset:
                self.deciding.release(entry)

    def _take(self, row: AppliedState, since: int) -> None:
        """Take a portfolio's state; each is a partition of its own here, so that it can be let go by itself."""
        place = self._places.setdefault(row.portfolio_id, len(self._places))
        portfolios = self.deciding.portfolios
        if row.fresh:
            portfolios.forget({place})
        if row.offset == NOWHERE:
            return
        if row.targets_offset >= 0:
            portfolios.aim(_kept(self.session.targets.get(row.targets_offset), "portfolio.targets", row.targets_offset))
        if not row.fresh:
            return
        where = f"portfolio.state of {row.portfolio_id} in partition {row.partition}"
        state = _kept(self.session.states.get((row.partition, row.offset)), where, row.offset)
        portfolios.complete(place)
        with contextlib.suppress(InvalidValueError):
            portfolios.put(Record(state.message, state.topic, place, state.offset))
        if since < self.session.first:
            self._remember(row, since)

    def _remember(self, row: AppliedState, since: int) -> None:
        """Note what it had signalled on this state before the session began."""
        entry = self.deciding.portfolios.get(row.portfolio_id)
        for signal in self.earlier.get((row.portfolio_id, row.ledger_version), ()):
            if entry is not None and since <= signal.frame_offset:
                entry.signalled_us = signal.event_time_us
                entry.retry_us = 2 * signal.deadline_us - signal.event_time_us


def _kept(record: R | None, topic: str, offset: int) -> R:
    if record is None:
        raise GoneError(f"{topic}: offset {offset} is named by drift.journal and is not there")
    return record
