"""What a worker notes of itself on drift.journal: from which frame on it decided with which records.

Signals cite what they were decided on; where none was made, only the journal tells what a worker had read, so that a
replay can say whether one is missing.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from structlog.typing import FilteringBoundLogger

from trimtab.domain.errors import TrimtabError
from trimtab.domain.ids import derive
from trimtab.drift.deciding import Deciding
from trimtab.drift.portfolios import Entry
from trimtab.journal_rows import AppliedRisk, AppliedState, UnsentSignal
from trimtab.messages import Frame, JournalEntry, Signal
from trimtab.ports.topics import Publisher, Record

STATES_MAX = 5_000  # in one record, which the broker takes up to a megabyte
NOWHERE = -1  # offset of a state that is not decided on any more


@dataclass(slots=True)
class Journal:
    """One worker's entries, sent in their order; one that is not acknowledged is sent again with the next."""

    worker: str
    publisher: Publisher
    log: FilteringBoundLogger
    _number: int = 0
    _risks: tuple[AppliedRisk, ...] = ()
    _costs_offset: int = -1
    _entries: dict[str, Entry] = field(default_factory=dict)
    _unsent: list[UnsentSignal] = field(default_factory=list)
    _waiting: deque[JournalEntry] = field(default_factory=deque)
    _work: asyncio.Task[None] | None = None

    def unsent(self, signal: Signal) -> None:
        """Note that a signal did not get out, and that its portfolio is decided afresh from the next frame on."""
        self._unsent.append(UnsentSignal(signal.portfolio_id, signal.frame_offset))

    def note(
        self, frame: Record[Frame], changed: Mapping[str, Entry | None], deciding: Deciding, settled_offset: int
    ) -> None:
        """Note what this frame will be decided with, if anything is new, and on every full frame.

        `settled_offset` is the last frame before which no signal waits to be acknowledged.
        """
        risks = tuple(AppliedRisk(quote, record.offset) for quote, record in sorted(deciding.risks.items()))
        costs_offset = deciding.feed.market.costs_offset
        same = (risks, costs_offset) == (self._risks, self._costs_offset) and not changed and not self._unsent
        if same and not frame.message.full and self._number:
            return
        self._risks, self._costs_offset = risks, costs_offset
        states = tuple(self._states(changed))
        unsent, self._unsent = tuple(self._unsent), []
        for start in range(0, max(len(states), 1), STATES_MAX):
            self._waiting.append(
                JournalEntry(
                    event_id=derive("journal", self.worker, self._number),
                    event_time_us=frame.message.event_time_us,
                    worker=self.worker,
                    number=self._number,
                    frame_offset=frame.offset,
                    settled_offset=settled_offset,
                    costs_offset=costs_offset,
                    risks=risks,
                    states=states[start : start + STATES_MAX],
                    unsent=unsent,
                )
            )
            self._number, unsent = self._number + 1, ()
        if self._work is None or self._work.done():
            self._work = asyncio.get_running_loop().create_task(self._send())

    async def settled(self) -> None:
        """Wait until every entry is acknowledged, or one is not."""
        if self._work is not None:
            await self._work

    def _states(self, changed: Mapping[str, Entry | None]) -> Iterator[AppliedState]:
        for portfolio_id, entry in sorted(changed.items()):
            known = self._entries.pop(portfolio_id, None)
            if entry is None:
                if known is not None:
                    yield AppliedState(portfolio_id, 0, NOWHERE, 0, -1, fresh=True)
                continue
            self._entries[portfolio_id] = entry
            yield AppliedState(
                portfolio_id,
                entry.partition,
                entry.offset,
                entry.state.ledger_version,
                entry.portfolio.targets_offset,
                fresh=entry is not known,
            )

    async def _send(self) -> None:
        while self._waiting:
            try:
                await self.publisher.publish(self._waiting[0])
            except TrimtabError as error:
                self.log.warning("journal waits", reason=str(error))
                return
            self._waiting.popleft()
