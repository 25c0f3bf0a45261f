"""One venue account under comparison."""

from dataclasses import dataclass, replace

from structlog.typing import FilteringBoundLogger

from trimtab.domain.ids import derive
from trimtab.messages import Break
from trimtab.ports.clock import Clock
from trimtab.ports.ledger import UNALLOCATED, Ledger
from trimtab.ports.metrics import Meter
from trimtab.ports.venue import Venue
from trimtab.reconciler.differences import Difference
from trimtab.settings import ReconcilerSettings

# The executor is about to record most of what the venue tells: it is given this long before a fill counts as missed.
GRACE_SECONDS = 0.5
UNEXPLAINED, UNKNOWN_ORDER = "unexplained", "unknown_order"
# Breaks that stay open until the difference is gone; all others are dealt with when they are told.
LASTING = (UNEXPLAINED, UNKNOWN_ORDER)


@dataclass(frozen=True, slots=True)
class Account:
    """What every part of a comparison works with. `log` names the account."""

    ledger: Ledger
    venue: Venue
    clock: Clock
    meter: Meter
    log: FilteringBoundLogger
    settings: ReconcilerSettings

    @property
    def name(self) -> str:
        return self.venue.account

    def found(self, kind: str, difference: Difference, holder: str, *causes: object, detail: str = "") -> Break:
        """Return a break; its times are the wall clock's, its id is derived from what caused it."""
        now_us = self.clock.now_us()
        return Break(
            event_id=derive("break", self.name, kind, difference.asset, *causes),
            portfolio_id="" if holder == UNALLOCATED else holder,
            venue=self.venue.name,
            account=self.name,
            kind=kind,
            asset=difference.asset,
            ledger=difference.ledger,
            at_venue=difference.at_venue,
            difference=difference.size,
            first_seen_us=now_us,
            event_time_us=now_us,
            resolution="" if kind in LASTING else "booked",
            detail=detail,
        )

    def closed(self, known: Break, resolution: str, detail: str = "") -> Break:
        """Return an open break as it ends."""
        event_id = derive("break", "closed", known.event_id)
        return replace(
            known, event_id=event_id, resolution=resolution, detail=detail, event_time_us=self.clock.now_us()
        )

    def noted(self, known: Break, detail: str) -> Break:
        """Return an open break with something more to say of it."""
        event_id = derive("break", "noted", known.event_id, detail)
        return replace(known, event_id=event_id, detail=detail, event_time_us=self.clock.now_us())
