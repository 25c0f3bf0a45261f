"""Conflation: what changed since the last frame goes into the next, the newest state of each instrument. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from trimtab.domain.instruments import Instrument
from trimtab.messages import Frame, FrameQuote, InstrumentRules


@dataclass(frozen=True, slots=True)
class Built:
    """A frame, and the receive time (wall clock) of the oldest change in it; None when nothing in it is new."""

    frame: Frame
    oldest_us: int | None


class FrameBuilder:
    """The state of all instruments, and what of it is not published yet.

    `session` names this process; sequences count its frames from 1 without a gap. A full frame is due at once and then
    every `full_interval_us` of the wall clock.
    """

    def __init__(self, session: str, full_interval_us: int) -> None:
        self._session = session
        self._full_interval_us = full_interval_us
        self._sequence = 0
        self._event_time_us = 0
        self._full_due_us = 0
        self._instruments: dict[str, Instrument] = {}
        self._quotes: dict[str, FrameQuote] = {}
        self._changed: set[str] = set()
        self._oldest_us: int | None = None

    @property
    def changed(self) -> bool:
        """Whether there is something that no frame has told yet."""
        return bool(self._changed)

    @property
    def ready(self) -> bool:
        """Whether any venue has told a time yet: a frame has to have one."""
        return self._event_time_us > 0

    @property
    def full_due_us(self) -> int:
        """When (wall clock) the next full frame is due."""
        return self._full_due_us

    def know(self, instruments: Iterable[Instrument]) -> None:
        """Take the rules of a venue's instruments; a full frame is due when any of them is new or different."""
        for instrument in instruments:
            key = instrument.key
            if self._instruments.get(key) != instrument:
                self._instruments[key] = instrument
                self._quotes.setdefault(key, FrameQuote(instrument.venue, instrument.symbol, 0, 0, (), ()))
                self._full_due_us = 0

    def update(
        self,
        instrument: Instrument,
        update_id: int,
        event_time_us: int,
        received_us: int,
        bids: tuple[int, ...],
        asks: tuple[int, ...],
    ) -> None:
        """Take an instrument's new ladders (as `ladder.flatten` makes them)."""
        self._event_time_us = max(self._event_time_us, event_time_us)
        self._quotes[instrument.key] = FrameQuote(
            instrument.venue, instrument.symbol, event_time_us, update_id, bids, asks
        )
        self._note(instrument.key, received_us)

    def hear(self, event_time_us: int) -> None:
        """Take note of a venue's time at which nothing has changed."""
        self._event_time_us = max(self._event_time_us, event_time_us)

    def empty(self, instrument: Instrument, received_us: int) -> FrameQuote:
        """Take an instrument's ladders away: nobody may trade on them. Return its quote."""
        last = self._quotes[instrument.key]
        quote = FrameQuote(last.venue, last.instrument, last.event_time_us, last.update_id, (), ())
        self._quotes[instrument.key] = quote
        self._note(instrument.key, received_us)
        return quote

    def build(self, now_us: int) -> Built:
        """Return the next frame: everything if a full one is due, else what changed."""
        full = now_us >= self._full_due_us
        keys = sorted(self._quotes if full else self._changed)
        self._sequence += 1
        frame = Frame(
            session=self._session,
            sequence=self._sequence,
            event_time_us=self._event_time_us,
            full=full,
            rules=tuple(_rules(self._instruments[key]) for key in keys) if full else (),
            quotes=tuple(self._quotes[key] for key in keys),
        )
        built = Built(frame, self._oldest_us)
        self._changed.clear()
        self._oldest_us = None
        if full:
            self._full_due_us = now_us + self._full_interval_us
        return built

    def lost(self) -> None:
        """Make up for a frame that could not be sent: the next one is full."""
        self._full_due_us = 0

    def _note(self, key: str, received_us: int) -> None:
        self._changed.add(key)
        if self._oldest_us is None:
            self._oldest_us = received_us


def _rules(item: Instrument) -> InstrumentRules:
    return InstrumentRules(
        venue=item.venue,
        instrument=item.symbol,
        base=item.base,
        quote=item.quote,
        tick=item.tick,
        step=item.step,
        min_quantity=item.min_quantity,
        min_notional=item.min_notional,
        maker_fee=item.maker_fee,
        taker_fee=item.taker_fee,
        tradable=item.tradable,
    )
