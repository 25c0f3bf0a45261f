"""Which frames a span means, and from which one on they have to be read."""

from trimtab.domain.errors import UnreachableError
from trimtab.ports.recorded import Recorded
from trimtab.replay.errors import GoneError
from trimtab.replay.moment import Moments
from trimtab.topics import MARKET_FRAMES

Asked = tuple[int | None, int | None]
"""Offset or event time (us) of a frame; neither is as far as frames are kept."""


def extent(recorded: Recorded, begin: Asked, end: Asked) -> tuple[int, int, int]:
    """Return the first and the last frame, both included, and the full one that the market is rebuilt from.

    Raises:
        UnreachableError: if the records are not to be had, or hold no full frame.
        GoneError: if a frame of the span is not kept, or there is no frame in it.

    """
    low, high = recorded.marks(MARKET_FRAMES)
    kept = recorded.span(MARKET_FRAMES, low, high)
    full = next((each.record.offset for each in kept if each.message.full), None)
    if full is None:
        raise UnreachableError("market data", "market.frames", "no full frame; is ingest running?")
    moments = Moments(recorded, lambda _: None)
    first, last = _offset(moments, begin, full, after=True), _offset(moments, end, high - 1, after=False)
    if not full <= first <= last < high:
        there = f"market.frames can be replayed from frame {full} to {high - 1}"
        raise GoneError(f"frames {first} to {last}: not there, or the wrong way round; {there}")
    return first, last, moments.since_full(first + 1)[0].record.offset


def _offset(moments: Moments, asked: Asked, otherwise: int, *, after: bool) -> int:
    """Return the offset that is asked for, or that of the last frame not later than a time (`after`: the next)."""
    offset, time_us = asked
    if offset is not None or time_us is None:
        return offset if offset is not None else otherwise
    found = moments.offset_at(time_us)
    if found is None:
        return otherwise if after else -1
    return found + 1 if after and moments.at(found).event_time_us < time_us else found
