"""A worker's copy of portfolio.state: the latest state of every portfolio in the partitions it owns."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from trimtab.domain.portfolio import Portfolio
from trimtab.drift.decision import Subject
from trimtab.drift.targets import aimed, counts
from trimtab.messages import PortfolioState, Targets
from trimtab.ports.topics import Record

ParseDocument = Callable[[str, int], Portfolio]
"""Return the portfolio a document (canonical JSON, version) means. Raises TrimtabError if it means none."""


@dataclass(slots=True)
class Entry:
    """One portfolio. `subject` is prepared when it is first looked at and dropped when what it stands on changes.

    `signalled_us` is the event time of the signal emitted on this very state, `retry_us` when it counts as lost. From
    `rests_from_us` until `rests_until_us` no new targets are due.
    """

    partition: int
    offset: int
    state: PortfolioState
    portfolio: Portfolio
    instruments: frozenset[str]
    subject: Subject | None = None
    signalled_us: int | None = None
    retry_us: int = 0
    rests_from_us: int = 0
    rests_until_us: int = 0

    def waits(self, event_time_us: int) -> bool:
        """Tell whether a signal was emitted on this state that may still be answered with a new one."""
        return self.signalled_us is not None and self.signalled_us <= event_time_us < self.retry_us

    def rests(self, event_time_us: int) -> bool:
        """Tell whether it is certain that no new targets are due."""
        return self.rests_from_us <= event_time_us < self.rests_until_us


@dataclass(slots=True)
class Portfolios:
    """Nothing of a partition is handed out for decisions before the copy reached the end it had when assigned."""

    parse: ParseDocument
    _entries: dict[str, Entry] = field(default_factory=dict)
    _allocated: dict[str, Entry] = field(default_factory=dict)
    _targets: dict[str, Record[Targets]] = field(default_factory=dict)
    _complete: set[int] = field(default_factory=set)
    _changed: set[str] = field(default_factory=set)

    def put(self, record: Record[PortfolioState]) -> None:
        """Take a state unless a newer one is known; states may come twice and in two ways.

        Raises:
            TrimtabError: if its document means no portfolio.

        """
        state = record.message
        known = self._entries.get(state.portfolio_id)
        if known is not None and (record.offset <= known.offset or state.ledger_version < known.state.ledger_version):
            return
        portfolio = aimed(self.parse(state.document, state.document_version), self._targets.get(state.portfolio_id))
        entry = Entry(record.partition, record.offset, state, portfolio, _instruments(state, portfolio))
        self._entries[state.portfolio_id] = entry
        self._allocated.pop(state.portfolio_id, None)
        if portfolio.allocation is not None:
            self._allocated[state.portfolio_id] = entry
        self._changed.add(state.portfolio_id)

    def aim(self, record: Record[Targets]) -> None:
        """Take a portfolio's computed targets, whoever owns it, unless newer ones are known."""
        portfolio_id = record.message.portfolio_id
        known = self._targets.get(portfolio_id)
        if not counts(record.message, known.message if known is not None else None):
            return
        self._targets[portfolio_id] = record
        entry = self._allocated.get(portfolio_id)
        if entry is not None:
            entry.portfolio = aimed(entry.portfolio, record)
            entry.instruments = _instruments(entry.state, entry.portfolio)
            entry.subject = None
            self._changed.add(portfolio_id)

    def targets(self, portfolio_id: str) -> Record[Targets] | None:
        """Return the computed targets that count last."""
        return self._targets.get(portfolio_id)

    def allocated(self) -> Iterator[Entry]:
        """Yield the portfolios with computed targets that may be decided on."""
        return (entry for entry in self._allocated.values() if entry.partition in self._complete)

    def complete(self, partition: int) -> None:
        """Say that everything the partition held at its assignment is in."""
        self._complete.add(partition)
        self._changed.update(name for name, entry in self._entries.items() if entry.partition == partition)

    def forget(self, partitions: Collection[int]) -> None:
        """Drop what these partitions brought; they are not ours, or will be read afresh."""
        self._complete.difference_update(partitions)
        for portfolio_id in [name for name, entry in self._entries.items() if entry.partition in partitions]:
            del self._entries[portfolio_id]
            self._allocated.pop(portfolio_id, None)
            self._changed.add(portfolio_id)

    def get(self, portfolio_id: str) -> Entry | None:
        """Return a portfolio if it may be decided on."""
        entry = self._entries.get(portfolio_id)
        return entry if entry is not None and entry.partition in self._complete else None

    def changes(self) -> Iterator[str]:
        """Hand out, once each, the portfolios that have come, changed or gone."""
        changed, self._changed = self._changed, set()
        return iter(sorted(changed))

    def unprepare(self, quote: str) -> None:
        """Drop what was prepared with an older risk estimate in this currency."""
        for entry in self._entries.values():
            if entry.portfolio.quote == quote:
                entry.subject = None


def _instruments(state: PortfolioState, portfolio: Portfolio) -> frozenset[str]:
    venues = {position.venue for position in state.positions}
    assets = {position.asset for position in state.positions} | {asset for asset, _ in portfolio.targets}
    return frozenset(f"{venue}:{asset}/{portfolio.quote}" for venue in venues for asset in assets - {portfolio.quote})
