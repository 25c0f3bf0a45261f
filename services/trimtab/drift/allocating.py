"""The owner of a portfolio with computed targets publishes new ones when its schedule comes round."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from structlog.typing import FilteringBoundLogger

from trimtab.domain.errors import TrimtabError
from trimtab.domain.market import Market
from trimtab.domain.portfolio import Allocation
from trimtab.drift.allocation import UnallocatableError
from trimtab.drift.portfolios import Entry, Portfolios
from trimtab.drift.targets import computed, due_us, renewed, sufficient
from trimtab.messages import Risk
from trimtab.ports.topics import Publisher, Record
from trimtab.schedule import next_us
from trimtab.settings import DriftSettings

# Event time until targets are tried again that lacked an estimate or could not be sent, and such as no weights were
# found for: that may have taken seconds of work, and what assets do to each other changes slowly.
RETRY_US = 5_000_000
HOPELESS_US = 60_000_000

_Weights = dict[tuple[Allocation, int], tuple[Decimal, ...]]


@dataclass(slots=True)
class Allocating:
    """Looks at the schedules on full frames, and works beside the frames: one pass at a time, one portfolio a step."""

    portfolios: Portfolios
    publisher: Publisher
    log: FilteringBoundLogger
    settings: DriftSettings
    estimates: Callable[[], Mapping[str, Record[Risk]]]
    _work: asyncio.Task[None] | None = None
    _said: dict[str, str] = field(default_factory=dict)

    def look(self, market: Market) -> None:
        """Begin to make the targets that are due at this market, unless older ones are still being made."""
        if self._work is not None and not self._work.done():
            return
        waiting = [entry for entry in self.portfolios.allocated() if not entry.rests(market.event_time_us)]
        due = [(entry, time_us) for entry in waiting if (time_us := self._due(entry, market)) is not None]
        if due:
            self._work = asyncio.get_running_loop().create_task(self._renew(due, market))

    async def settled(self) -> None:
        """Wait until what was begun is published or given up."""
        if self._work is not None:
            await self._work

    def _due(self, entry: Entry, market: Market) -> int | None:
        known = self.portfolios.targets(entry.state.portfolio_id)
        due = due_us(entry.portfolio, market.event_time_us, known.message if known is not None else None)
        if due is None:
            _rest(entry, market)
        return due

    async def _renew(self, due: Sequence[tuple[Entry, int]], market: Market) -> None:
        """Make and publish targets; portfolios with the same method share the work."""
        found: _Weights = {}
        for entry, time_us in due:
            try:
                await self._publish(entry, time_us, market, found)
            except TrimtabError as error:
                pause_us = HOPELESS_US if isinstance(error, UnallocatableError) else RETRY_US
                entry.rests_from_us, entry.rests_until_us = market.event_time_us, market.event_time_us + pause_us
                self._say(entry.state.portfolio_id, str(error))

    async def _publish(self, entry: Entry, time_us: int, market: Market, found: _Weights) -> None:
        portfolio, allocation = entry.portfolio, entry.portfolio.allocation
        risk = sufficient(self.estimates().get(portfolio.quote), self.settings.risk_observations_min)
        assert allocation is not None, "only such portfolios are due"
        if (allocation, risk.offset) not in found:
            # In a thread: with many assets this takes longer than a frame may wait.
            found[allocation, risk.offset] = await asyncio.to_thread(computed, allocation, risk.message)
        weights = found[allocation, risk.offset]
        targets = renewed(portfolio, time_us, market, risk, weights, self.portfolios.targets(portfolio.portfolio_id))
        await self.publisher.publish(targets)
        _rest(entry, market)
        self._said.pop(portfolio.portfolio_id, None)
        self.log.info("targets", portfolio=portfolio.portfolio_id, due_us=time_us, risk_offset=risk.offset)

    def _say(self, portfolio_id: str, reason: str) -> None:
        """Log why a portfolio has no new targets, once for each reason."""
        if self._said.get(portfolio_id) != reason:
            self._said[portfolio_id] = reason
            self.log.warning("targets not made", portfolio=portfolio_id, reason=reason)


def _rest(entry: Entry, market: Market) -> None:
    """Leave a portfolio alone until its schedule's next time."""
    assert entry.portfolio.allocation is not None, "only such portfolios are looked at"
    following = next_us(entry.portfolio.allocation.every, market.event_time_us)
    entry.rests_from_us = market.event_time_us
    entry.rests_until_us = following if following is not None else market.event_time_us
