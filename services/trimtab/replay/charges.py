"""Which refit costs counted at a full frame: costs count from one full frame to the next."""

from trimtab.drift.refit import NO_OFFSET, counts
from trimtab.messages import Costs, Frame
from trimtab.ports.recorded import Recorded, Stamped
from trimtab.ports.topics import Record
from trimtab.replay.errors import GoneError
from trimtab.topics import MARKET_COSTS


class Charges:
    """What market.costs keeps of the records that ever counted."""

    def __init__(self, recorded: Recorded) -> None:
        """Read them all."""
        self._begin, end = recorded.marks(MARKET_COSTS)
        self._counting: list[Stamped[Costs]] = []
        for each in recorded.span(MARKET_COSTS, self._begin, end):
            if counts(each.message, self._counting[-1].message if self._counting else None):
                self._counting.append(each)

    def newest(self, _frame: Stamped[Frame]) -> Record[Costs] | None:
        """Return those that count now."""
        return self._counting[-1].record if self._counting else None

    def at(self, frame: Stamped[Frame]) -> Record[Costs] | None:
        """Return the newest that were written no later than a full frame, and made from no later one.

        Raises:
            GoneError: if they may have been there and are past retention.

        """
        for each in reversed(self._counting):
            if each.recorded_ms <= frame.recorded_ms and each.message.frame_offset <= frame.record.offset:
                return each.record
        if self._begin > 0:
            where = f"market.costs at frame {frame.record.offset}"
            raise GoneError(f"{where}: past retention; it begins with offset {self._begin}")
        return None


def cited_costs(recorded: Recorded, offset: int) -> Record[Costs] | None:
    """Return the costs at an offset that a signal cites.

    Raises:
        GoneError: if they are past retention.

    """
    if offset == NO_OFFSET:
        return None
    found = recorded.at(MARKET_COSTS, offset)
    if found is None:
        low, _ = recorded.marks(MARKET_COSTS)
        raise GoneError(f"market.costs: offset {offset} is past retention; the topic begins at {low}")
    return found.record
