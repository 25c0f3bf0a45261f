"""Raw records from the group to this worker's copy and its estimator; what cannot be read is buried."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from structlog.typing import FilteringBoundLogger

from trimtab.domain.errors import TrimtabError, UnreachableError
from trimtab.drift.estimating import Estimating
from trimtab.drift.portfolios import Portfolios
from trimtab.drift.stream import Raw
from trimtab.messages import Frame, Message, PortfolioState
from trimtab.ports.clock import Clock
from trimtab.ports.topics import Record
from trimtab.topics import MARKET_FRAMES, PORTFOLIO_STATE

RETRY_SECONDS = 0.5

Decode = Callable[[str, bytes | None], Message]
"""Return the message of a topic's record. Raises TrimtabError if it is none, UnreachableError if that is not known."""
Bury = Callable[[Raw, str], Awaitable[None]]
"""Send a record to its dead letters with the reason. Raises TrimtabError when there are too many."""
Snapshot = Callable[[frozenset[int]], Awaitable[Mapping[int, Sequence[Record[PortfolioState]]]]]
"""Return the last readable record per portfolio of each partition, up to the end the partition has now."""


@dataclass(slots=True)
class Intake:
    """What the group brings: states, and for the owner of market.frames the frames to estimate from.

    On every assignment a partition's states are read afresh from its beginning to the end it has then. The group goes
    on from what it had committed, which lies before that end, so between the two nothing is missed, whatever was or
    was not committed; a state that comes twice changes nothing.
    """

    portfolios: Portfolios
    estimating: Estimating
    decode: Decode
    clock: Clock
    log: FilteringBoundLogger
    snapshot: Snapshot
    bury: Bury
    _assignment: int = 0
    _unread: asyncio.Queue[tuple[int, frozenset[int]]] = field(default_factory=asyncio.Queue)

    def assigned(self, topic: str, partitions: frozenset[int]) -> None:
        """Have the states of these partitions read afresh; or become the estimator."""
        if topic == MARKET_FRAMES.name:
            self.estimating.take()
        elif topic == PORTFOLIO_STATE.name:
            self._assignment += 1
            self.portfolios.forget(partitions)
            self._unread.put_nowait((self._assignment, partitions))

    def revoked(self, topic: str, partitions: frozenset[int]) -> None:
        """Decide nothing more on these partitions."""
        if topic == PORTFOLIO_STATE.name:
            self._assignment += 1
            self.portfolios.forget(partitions)

    async def rebuild(self) -> None:
        """Read the states of every assignment afresh, until cancelled."""
        while True:
            assignment, partitions = await self._unread.get()
            if assignment == self._assignment:
                self._fill(assignment, await self.snapshot(partitions))

    async def on_state(self, raw: Raw) -> None:
        """Put a state into the copy; one that means nothing goes to the dead letters."""
        try:
            message = await self._decoded(raw)
            assert isinstance(message, PortfolioState)
            self.portfolios.put(Record(message, raw.topic, raw.partition, raw.offset))
        except TrimtabError as error:
            await self.bury(raw, str(error))

    async def on_frame(self, raw: Raw) -> int | None:
        """Let the estimator see a frame; return where to go on when it is far behind."""
        goto = self.estimating.skip_to(raw.offset)
        if goto is not None:
            return goto
        try:
            message = await self._decoded(raw)
        except TrimtabError:
            return None  # the broadcast reader of the same topic has buried it
        assert isinstance(message, Frame)
        await self.estimating.on_frame(Record(message, raw.topic, raw.partition, raw.offset))
        return None

    async def _decoded(self, raw: Raw) -> Message:
        while True:
            try:
                return self.decode(raw.topic, raw.value)
            except UnreachableError as error:
                self.log.warning("waiting", reason=str(error))
                await self.clock.sleep(RETRY_SECONDS)

    def _fill(self, assignment: int, found: Mapping[int, Sequence[Record[PortfolioState]]]) -> None:
        if assignment != self._assignment:
            return  # the partitions went away meanwhile, or are read once more
        for partition in sorted(found):
            for record in found[partition]:
                try:
                    self.portfolios.put(record)
                except TrimtabError as error:
                    self.log.warning("state refused", portfolio=record.message.portfolio_id, reason=str(error))
            self.portfolios.complete(partition)
        self.log.info("caught up", partitions=sorted(found), portfolios=sum(len(records) for records in found.values()))
