"""A frame of market.frames as it counted when it was written, and how one is found again."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from trimtab.domain.errors import InvalidValueError
from trimtab.domain.market import Market
from trimtab.drift.explanation import time_text
from trimtab.frames import Feed
from trimtab.messages import Costs, Frame
from trimtab.ports.recorded import Recorded, Stamped
from trimtab.ports.topics import Record
from trimtab.replay.errors import GoneError
from trimtab.topics import MARKET_FRAMES

# A full frame comes every second, and at most a hundred others; where they are rarer, more is read.
_FRAMES_FIRST = 200
_WIDER = 10


CostsAt = Callable[[Stamped[Frame]], Record[Costs] | None]


@dataclass(frozen=True, slots=True)
class Moment:
    """The market as of one frame, the time stamped on that frame (ms UTC, wall clock), and the costs in the market."""

    market: Market
    recorded_ms: int
    costs: Record[Costs] | None = None

    @property
    def offset(self) -> int:
        """The frame's offset."""
        return self.market.offset

    @property
    def event_time_us(self) -> int:
        """The frame's event time: the clock of whatever is decided on it."""
        return self.market.event_time_us

    def __str__(self) -> str:
        return f"frame {self.offset} of {time_text(self.event_time_us)}"


class Moments:
    """Finds frames. Its methods raise UnreachableError if the broker does not answer."""

    def __init__(self, recorded: Recorded, costs_at: CostsAt) -> None:
        """`costs_at` says of a full frame which costs count from it on."""
        self._recorded, self._costs_at = recorded, costs_at

    def newest(self) -> Moment | None:
        """Return the newest frame that can be read; None if no full one is kept."""
        found = self.since_full(self._recorded.marks(MARKET_FRAMES)[1])
        return self._moment(found) if found else None

    def at(self, offset: int) -> Moment:
        """Return the frame at this offset.

        Raises:
            GoneError: if it is not kept or cannot be read, or no full frame before it is kept.

        """
        self._require_kept(offset)
        found = self.since_full(offset + 1)
        if not found:
            raise GoneError(f"frame {offset}: no full frame before it is kept, so its market cannot be rebuilt")
        moment = self._moment(found)
        if moment.offset != offset:
            raise GoneError(
                f"frame {offset}: it could not be read, so nothing was decided on it; see market.frames.dlq"
            )
        return moment

    def at_time(self, time_us: int) -> Moment:
        """Return the last frame whose event time is not later than this; event times are taken to rise.

        Raises:
            GoneError: if none is kept.

        """
        offset = self.offset_at(time_us)
        if offset is None:
            low, high = self._recorded.marks(MARKET_FRAMES)
            first = next(self._recorded.span(MARKET_FRAMES, low, high), None)
            begin = (
                f"begins with frame {first.record.offset} of {time_text(first.message.event_time_us)}"
                if first
                else "is empty"
            )
            raise GoneError(f"{time_text(time_us)}: no frame of then is kept; market.frames {begin}")
        return self.at(offset)

    def offset_at(self, time_us: int) -> int | None:
        """Return the offset of the last frame whose event time is not later than this; None if none is kept."""
        low, high = self._recorded.marks(MARKET_FRAMES)
        found, end = None, high
        while low < end:
            middle = (low + end) // 2
            frame = next(self._recorded.span(MARKET_FRAMES, middle, end), None)
            if frame is None:
                end = middle
            elif frame.message.event_time_us <= time_us:
                found = frame.record.offset
                low = found + 1
            else:
                end = middle
        return found

    def full(self, start: int, end: int) -> Iterator[Moment]:
        """Yield the full frames from `start` until before `end`."""
        for each in self._recorded.span(MARKET_FRAMES, start, end):
            if each.message.full and (moment := self._moment([each])).market.complete:
                yield moment

    def _require_kept(self, offset: int) -> None:
        low, high = self._recorded.marks(MARKET_FRAMES)
        if offset < low:
            raise GoneError(f"frame {offset}: past retention; market.frames begins with frame {low}")
        if offset >= high:
            raise GoneError(f"frame {offset}: not there yet; market.frames ends with frame {high - 1}")

    def since_full(self, end: int) -> Sequence[Stamped[Frame]]:
        """Return the last full frame before `end` and those after it; nothing if no full one is kept."""
        low, _ = self._recorded.marks(MARKET_FRAMES)
        start, number = end, _FRAMES_FIRST
        while start > low:
            start, number = max(low, end - number), number * _WIDER
            found = list(self._recorded.span(MARKET_FRAMES, start, end))
            full = max((place for place, each in enumerate(found) if each.message.full), default=None)
            if full is not None:
                return found[full:]
        return ()

    def _moment(self, frames: Sequence[Stamped[Frame]]) -> Moment:
        """Return the market after a full frame and those that follow, as drift sees it: a refused one is a gap."""
        feed, recorded_ms, costs = Feed(), 0, self._costs_at(frames[0])
        for each in frames:
            try:
                feed = feed.advance(each.message, each.record.offset, costs)
            except InvalidValueError:
                feed = feed.doubt(each.message)
                continue
            recorded_ms = each.recorded_ms
        return Moment(feed.market, recorded_ms, costs)
