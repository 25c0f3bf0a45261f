"""Fills booked and funds released, as the topics tell of them; a sweep finds what the topics did not bring."""

from collections import Counter

from structlog.typing import FilteringBoundLogger

from trimtab.domain.errors import InsufficientFundsError, LedgerConflictError, TrimtabError, UnreachableError
from trimtab.domain.orders import ParentState
from trimtab.ledger.settlement import Settled, settle_fill, settle_parent
from trimtab.ledger.turns import surviving
from trimtab.messages import Fill, ParentEvent
from trimtab.ports.clock import Clock
from trimtab.ports.ledger import FillRow, Ledger
from trimtab.ports.metrics import Meter
from trimtab.ports.topics import Record
from trimtab.reconciler.account import LASTING

_SWEEP_SECONDS = 5.0
# A recorded market's times lie far from this clock's: an age beyond this says nothing about settlement.
_AGE_SECONDS_MAX = 86_400.0


class Settling:
    """Books every recorded fill once, and releases every closed parent once.

    The topics only say where to look: the ledger has everything, and the sweep finds there what a record could not do.
    """

    def __init__(self, ledger: Ledger, clock: Clock, meter: Meter, log: FilteringBoundLogger) -> None:
        self._ledger = ledger
        self._clock = clock
        self._meter = meter
        self._log = log

    async def on_fill(self, record: Record[Fill]) -> None:
        """Book a fill from execution.fills.

        Raises:
            UnreachableError: if the ledger does not answer.
            LedgerConflictError: if another transaction stood in the way.
        """
        fill = record.message
        try:
            await self._settle(fill)
        except (UnreachableError, LedgerConflictError):
            raise
        except TrimtabError as error:  # must not hold up the fills of others behind it
            self._log.error("fill left to the sweep", trade_id=fill.trade_id, reason=str(error))

    async def on_parent(self, record: Record[ParentEvent]) -> None:
        """Release a closed parent from execution.parents. Raises as `on_fill` does."""
        event = record.message
        if event.state is not ParentState.CLOSED:
            return
        try:
            await self._release(event.portfolio_id, event.parent_id, event.event_time_us)
        except (UnreachableError, LedgerConflictError):
            raise
        except TrimtabError as error:  # as above
            self._log.error("release left to the sweep", parent_id=event.parent_id, reason=str(error))

    async def sweep(self) -> None:
        """Settle what is recorded but was not heard of, on a timer, until cancelled."""
        while True:
            await self._clock.sleep(_SWEEP_SECONDS)
            with surviving(self._log, self._meter, "sweep interrupted"):
                await self.sweep_once()

    async def sweep_once(self) -> None:
        """Settle whatever is recorded; what cannot be settled does not keep the rest."""
        for fill in await self._ledger.unsettled_fills():
            with surviving(self._log, self._meter, "fill not booked", trade_id=fill.trade_id):
                await self._settle(fill)
        for parent in await self._ledger.closed_parents():
            with surviving(self._log, self._meter, "funds not released", parent_id=parent.parent_id):
                await self._release(parent.portfolio_id, parent.parent_id, parent.decided_us)
        open_kinds = Counter(found.kind for found in await self._ledger.open_breaks())
        for kind in {*LASTING, *open_kinds}:
            self._meter.set("open_breaks", open_kinds[kind], kind=kind)

    async def _release(self, portfolio_id: str, parent_id: str, event_time_us: int) -> None:
        async with self._ledger.transaction() as book:
            await settle_parent(book, portfolio_id, parent_id, event_time_us)

    async def _settle(self, fill: Fill | FillRow) -> None:
        try:
            async with self._ledger.transaction() as book:
                settled = await settle_fill(book, fill.portfolio_id, fill.venue, fill.account, fill.trade_id)
        except InsufficientFundsError as shortage:
            # The venue has charged it all the same: a person has to fund the ledger; the sweep books it then.
            self._log.error("fill cannot be booked", trade_id=fill.trade_id, reason=str(shortage))
            async with self._ledger.transaction() as book:
                await book.portfolio(fill.portfolio_id)
                await book.halt(fill.portfolio_id, f"fill {fill.trade_id} cannot be booked: {shortage}")
            return
        if settled is not None:
            self._measure(settled)

    def _measure(self, settled: Settled) -> None:
        venue = settled.fill.venue
        self._meter.count("fills_settled_total", venue=venue)
        self._meter.set("slippage_ratio", float(settled.slippage), venue=venue)
        self._meter.observe("slippage_budget_utilization", float(settled.budget_used), venue=venue)
        age_seconds = (self._clock.now_us() - settled.fill.event_time_us) / 1_000_000
        if 0 <= age_seconds < _AGE_SECONDS_MAX:
            self._meter.observe("settlement_seconds", age_seconds, venue=venue)
