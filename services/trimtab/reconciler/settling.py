"""Fills booked and funds released, as the topics tell of them; a sweep finds what the topics did not bring."""

from structlog.typing import FilteringBoundLogger

from trimtab.domain.errors import InsufficientFundsError, TrimtabError
from trimtab.domain.orders import ParentState
from trimtab.ledger.settlement import settle_fill, settle_parent
from trimtab.messages import Fill, ParentEvent
from trimtab.ports.clock import Clock
from trimtab.ports.ledger import FillRow, Ledger
from trimtab.ports.metrics import Meter
from trimtab.ports.topics import Record

_SWEEP_SECONDS = 5.0


class Settling:
    """Books every recorded fill once, and releases every closed parent once."""

    def __init__(self, ledger: Ledger, clock: Clock, meter: Meter, log: FilteringBoundLogger) -> None:
        self._ledger = ledger
        self._clock = clock
        self._meter = meter
        self._log = log

    async def on_fill(self, record: Record[Fill]) -> None:
        """Book a fill from execution.fills. Raises UnreachableError if the ledger does not answer."""
        await self._settle(record.message)

    async def on_parent(self, record: Record[ParentEvent]) -> None:
        """Release a closed parent from execution.parents. Raises UnreachableError if the ledger does not answer."""
        event = record.message
        if event.state is not ParentState.CLOSED:
            return
        async with self._ledger.transaction() as book:
            await settle_parent(book, event.portfolio_id, event.parent_id, event.event_time_us)

    async def sweep(self) -> None:
        """Settle what is recorded but was not heard of, on a timer, until cancelled."""
        while True:
            await self._clock.sleep(_SWEEP_SECONDS)
            try:
                for fill in await self._ledger.unsettled_fills():
                    await self._settle(fill)
                for parent in await self._ledger.closed_parents():
                    async with self._ledger.transaction() as book:
                        await settle_parent(book, parent.portfolio_id, parent.parent_id, parent.decided_us)
            except TrimtabError as error:
                self._log.warning("sweep interrupted", reason=str(error))

    async def _settle(self, fill: Fill | FillRow) -> None:
        try:
            async with self._ledger.transaction() as book:
                if await settle_fill(book, fill.portfolio_id, fill.venue, fill.account, fill.trade_id):
                    self._meter.count("fills_settled_total", venue=fill.venue)
        except InsufficientFundsError as shortage:
            # The venue has charged it all the same: a person has to fund the ledger; the sweep books it then.
            self._log.error("fill cannot be booked", trade_id=fill.trade_id, reason=str(shortage))
            async with self._ledger.transaction() as book:
                await book.portfolio(fill.portfolio_id)
                await book.halt(fill.portfolio_id, f"fill {fill.trade_id} cannot be booked: {shortage}")
