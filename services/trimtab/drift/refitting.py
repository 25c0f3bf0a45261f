"""The owner of market.frames in the group refits fees and impact from own fills and publishes them on market.costs.

It sees the fees that venues state, and there is one of it. It keeps nothing: each record goes on from the one that
counts, with the fills and signals that have come since, read when it is time: fills first, so that the signal of each
is there. So a takeover needs no hand-over, and of two workers that both believe to be the owner the second one's record
does not count.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal

from structlog.typing import FilteringBoundLogger

from trimtab.domain.amounts import plain
from trimtab.domain.errors import TrimtabError
from trimtab.domain.market import Market
from trimtab.drift.refit import refit
from trimtab.messages import Costs, Fill, Signal
from trimtab.ports.topics import Publisher, Record, Stretch

REFIT_US = 60_000_000  # event time from one look at the fills to the next
FILLS_MAX = 20_000  # in one record; what is left comes in the next
SIGNALS_MAX = 5_000

ReadFills = Callable[[tuple[int, ...], int], Awaitable[Stretch[Fill]]]
"""Return the fills from these offsets on, one a partition (none: the beginning); about as many as asked for."""
ReadSignals = Callable[[tuple[int, ...], int], Awaitable[Stretch[Signal]]]
"""As for fills."""


@dataclass(slots=True)
class Refitting:
    """Works beside the frames, one refit at a time.

    `latest` gives the record that counts, `coefficient` is the setting of Y.
    """

    publisher: Publisher
    log: FilteringBoundLogger
    fills: ReadFills
    signals: ReadSignals
    latest: Callable[[], Record[Costs] | None]
    coefficient: Decimal
    _work: asyncio.Task[None] | None = None
    _looked_us: int | None = None

    def look(self, market: Market) -> None:
        """Begin a refit at this market, whose fees are the stated ones, if it is time for one."""
        now_us = market.event_time_us
        resting = self._looked_us is not None and 0 <= now_us - self._looked_us < REFIT_US
        if resting or not market.complete or (self._work is not None and not self._work.done()):
            return
        self._looked_us = now_us
        self._work = asyncio.get_running_loop().create_task(self._refit(market))

    async def settled(self) -> None:
        """Wait until what was begun is published or given up."""
        if self._work is not None:
            await self._work

    async def _refit(self, market: Market) -> None:
        known = self.latest()
        if known is not None and known.message.frame_offset >= market.offset:
            return  # frames are caught up on; the record that counts is younger
        begin = (known.message.fills_offsets, known.message.signals_offsets) if known is not None else ((), ())
        try:
            fills, signals = await self.fills(begin[0], FILLS_MAX), await self.signals(begin[1], SIGNALS_MAX)
            # In a thread: many fills take longer than a frame may wait.
            found = await asyncio.to_thread(refit, market, fills, signals, known, self.coefficient)
            if found is not None:
                await self.publisher.publish(found)
                self.log.info(
                    "costs",
                    sequence=found.sequence,
                    fills=len(fills.records),
                    fees=len(found.fees),
                    impact_coefficient=plain(found.impact_coefficient),
                    pending=len(found.pending),
                )
        except TrimtabError as error:
            self.log.warning("costs not refit", reason=str(error))
