"""Where on a tape things stand: when the book was due that a frame tells of."""

from collections.abc import Iterable, Mapping

from trimtab.exchange.instruments import Instrument
from trimtab.exchange.market import DepthUpdate, MarketEvent, Snapshot
from trimtab.messages import Frame


class Places:
    """The market's time (UTC microseconds) of every book update of a tape, by instrument and the update's id."""

    def __init__(self, events: Iterable[MarketEvent], instruments: Mapping[str, Instrument]) -> None:
        names = {symbol: f"{rules.base}/{rules.quote}" for symbol, rules in instruments.items()}
        self._due: dict[tuple[str, int], int] = {}
        self.end_us = 0
        for event in events:
            self.end_us = event.time_us
            if isinstance(event, Snapshot | DepthUpdate):
                self._due.setdefault((names[event.symbol], event.last_id), event.time_us)

    def of(self, frame: Frame) -> int:
        """Return when the newest book of a frame was due; its event time if it tells of none that is on the tape."""
        found = (self._due.get((quote.instrument, quote.update_id)) for quote in frame.quotes)
        return max((time_us for time_us in found if time_us is not None), default=frame.event_time_us)
