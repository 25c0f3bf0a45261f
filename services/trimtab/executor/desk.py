"""The desk: everything an order is worked with, gathered once and handed to each loop."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from trimtab.domain.market import Market, Quote
from trimtab.domain.orders import ParentOrder
from trimtab.executor.ownership import Ownership
from trimtab.ports.clock import Clock
from trimtab.ports.ledger import TradingLedger
from trimtab.ports.metrics import Meter
from trimtab.ports.trail import Trail
from trimtab.ports.venue import Venue
from trimtab.settings import ExecutorSettings


@dataclass(frozen=True, slots=True)
class Desk:
    """Ports and settings of the executor. `venues` are by account; `market` returns the latest one."""

    ledger: TradingLedger
    venues: Mapping[str, Venue]
    ownership: Ownership
    market: Callable[[], Market]
    clock: Clock
    meter: Meter
    trail: Trail
    log: FilteringBoundLogger
    settings: ExecutorSettings

    def quote(self, parent: ParentOrder) -> Quote | None:
        """Return the latest book of what this parent trades; None while the market is not complete."""
        market = self.market()
        return market.quotes.get(f"{parent.venue}:{parent.instrument}") if market.complete else None

    def tell_closed(self, parent: ParentOrder) -> None:
        """Measure how much of a parent was filled, now that nothing more is placed for it."""
        self.meter.observe("order_fill_ratio", float(parent.filled / parent.quantity), venue=parent.venue)

    def now_us(self) -> int:
        """Return the event time of the latest frame: the clock of every order's life."""
        return self.market().event_time_us
