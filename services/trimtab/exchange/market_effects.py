"""What faults that last do to a symbol's market, and undo."""

from collections.abc import Callable, Mapping
from decimal import Decimal

from trimtab.exchange import errors
from trimtab.exchange.faults import Fault
from trimtab.exchange.mirror import Bend, crossed, empty, thin
from trimtab.exchange.venue import Venue


class _OnMarket:
    """A fault of one symbol's market.

    Raises VenueError -1121 if the symbol is not listed.
    """

    def __init__(self, venue: Venue, fault: Fault) -> None:
        if fault.symbol not in venue.engine.instruments:
            raise errors.invalid_symbol()
        self.about = f"market {fault.symbol}"
        self._venue = venue
        self._fault = fault
        self._mirror = venue.mirror(fault.symbol)

    def _straighten(self) -> None:
        self._venue.show(self._mirror.straighten(self._venue.now_us()))


class BentBook(_OnMarket):
    """The book is thin, empty or crossed."""

    def begin(self) -> Mapping[str, object]:
        """Show it so."""
        self._venue.show(self._mirror.bend(self._bend(), self._venue.now_us()))
        return {}

    def end(self) -> Mapping[str, object]:
        """Show it as it is."""
        self._straighten()
        return {}

    def _bend(self) -> Bend:
        fault, rules = self._fault, self._venue.engine.instruments[self._fault.symbol]
        if fault.kind == "thin_book":
            return thin(rules, Decimal(fault.share_percent) / 100)
        if fault.kind == "empty_book":
            return empty(bids=fault.sides != "asks", asks=fault.sides != "bids")
        return crossed(rules)


class Halt(_OnMarket):
    """The symbol does not trade: orders are refused, cancellations are not, and nothing moves."""

    def begin(self) -> Mapping[str, object]:
        """Close its market; tells the status it has now."""
        self._venue.engine.halted[self._fault.symbol] = self._fault.symbol_status
        self._mirror.stand_still()
        return {"symbol_status": self._fault.symbol_status}

    def end(self) -> Mapping[str, object]:
        """Open it again."""
        del self._venue.engine.halted[self._fault.symbol]
        self._straighten()
        return {}


class Delisting(_OnMarket):
    """The symbol is not there any more: its orders are cancelled, and whoever asks for it hears that it is invalid."""

    _relist: Callable[[], None]

    def begin(self) -> Mapping[str, object]:
        """Take it off the list."""
        self._mirror.stand_still()
        self._relist = self._venue.delist(self._fault.symbol)
        return {}

    def end(self) -> Mapping[str, object]:
        """List it again, without the orders it had."""
        self._relist()
        self._straighten()
        return {}
