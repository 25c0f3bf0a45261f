"""Whether recorded frames follow on one another: what is missing between them, and their first and last times."""

from dataclasses import dataclass, field

PLACES_MAX = 10
"""How many places of a kind are named; all are counted."""
SILENCE_US = 60_000_000
"""More event time than this between two frames is a gap: ingest was away, or the venue silent."""


@dataclass(slots=True)
class Continuity:
    """Sees frames in the order of their offsets.

    Attributes:
        frames: seen.
        first_us, last_us: event times of the first and the last, UTC microseconds; None before there was any.
        gaps: places where offsets, a session's sequences or the event times leave something out.
        disorder: frames whose event time is before that of the frame before them.
        places: offsets of the frames after the first few gaps.

    """

    frames: int = 0
    first_us: int | None = None
    last_us: int | None = None
    gaps: int = 0
    disorder: int = 0
    places: list[int] = field(default_factory=list)
    _before: tuple[int, str, int] | None = None

    def see(self, offset: int, session: str, sequence: int, event_time_us: int) -> None:
        """Take note of a frame."""
        self.frames += 1
        self.first_us = event_time_us if self.first_us is None else self.first_us
        silent = self.last_us is not None and event_time_us - self.last_us > SILENCE_US
        self.disorder += self.last_us is not None and event_time_us < self.last_us
        self.last_us = event_time_us
        if self._before is not None and (silent or not self._follows(offset, session, sequence, self._before)):
            self.gaps += 1
            if len(self.places) < PLACES_MAX:
                self.places.append(offset)
        self._before = offset, session, sequence

    @staticmethod
    def _follows(offset: int, session: str, sequence: int, before: tuple[int, str, int]) -> bool:
        """Tell whether a frame is the next one: a new session begins with a number of its own."""
        return offset == before[0] + 1 and (session != before[1] or sequence == before[2] + 1)
