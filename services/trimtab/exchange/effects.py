"""What faults that last do to a venue, and undo."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from trimtab.exchange.faults import Fault
from trimtab.exchange.market_effects import BentBook, Delisting, Halt
from trimtab.exchange.tampering import Silence
from trimtab.exchange.venue import Venue


class Effect(Protocol):
    """What a fault does while it lasts. `about` says what it is about; of one thing there is one effect at a time."""

    about: str

    def begin(self) -> Mapping[str, object]:
        """Do it; what else the journal is to know."""
        ...

    def end(self) -> Mapping[str, object]:
        """Undo it; what else the journal is to know."""
        ...


class StaleReads:
    """Questions about accounts are answered as of the moment it began."""

    about = "reads"

    def __init__(self, venue: Venue) -> None:
        self._reads = venue.reads

    def begin(self) -> Mapping[str, object]:
        """Freeze what look-ups see."""
        self._reads.freeze()
        return {}

    def end(self) -> Mapping[str, object]:
        """Let them see everything again."""
        self._reads.thaw()
        return {}


class StreamSilence:
    """Connections that stand when it begins stay and hear nothing of some streams; new ones hear all."""

    def __init__(self, venue: Venue, fault: Fault) -> None:
        self.about = f"streams: {fault.streams} {fault.endpoint}".strip()
        self._connections = venue.hub.of(fault.streams)
        self._silence = Silence(fault.endpoint)

    def begin(self) -> Mapping[str, object]:
        """Let them hear nothing; tells how many they are."""
        for connection in self._connections:
            connection.silence = self._silence
        return {"connections": len(self._connections)}

    def end(self) -> Mapping[str, object]:
        """Let them hear again; tells how many messages they missed."""
        for connection in self._connections:
            if connection.silence is self._silence:
                connection.silence = None
        return {"swallowed": self._silence.swallowed}


class ClockSkew:
    """Server time jumps, and gains or loses from there on."""

    about = "clock"

    def __init__(self, venue: Venue, fault: Fault) -> None:
        self._clock = venue.server_clock
        self._fault = fault

    def begin(self) -> Mapping[str, object]:
        """Set the clock wrong; tells by how much."""
        self._clock.set_wrong(self._fault.skew_ms, self._fault.drift_ppm)
        return {"skew_ms": self._fault.skew_ms, "drift_ppm": self._fault.drift_ppm}

    def end(self) -> Mapping[str, object]:
        """Set it right; tells how wrong it was by then."""
        skew_ms = self._clock.skew_us() // 1000
        self._clock.set_right()
        return {"skew_ms": skew_ms}


class Maintenance:
    """The exchange says so, after the notice lets nobody in, and the market stands still."""

    about = "exchange"

    def __init__(self, venue: Venue, fault: Fault) -> None:
        self._venue = venue
        self._fault = fault
        self._timer: asyncio.TimerHandle | None = None
        self._paused = False

    def begin(self) -> Mapping[str, object]:
        """Announce it, and close the doors when the notice is over."""
        self._venue.maintenance = True
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._fault.notice_ms / 1000, self._close)
        return {"notice_ms": self._fault.notice_ms}

    def end(self) -> Mapping[str, object]:
        """Open the doors; tells whether they were closed at all."""
        venue = self._venue
        was_closed, venue.closed, venue.maintenance = venue.closed, False, False
        if self._timer is not None:
            self._timer.cancel()
        if was_closed and not self._paused:
            venue.clock.set(paused=False)
        return {"closed": was_closed}

    def _close(self) -> None:
        venue = self._venue
        self._paused = venue.clock.paused
        venue.clock.set(paused=True)
        venue.closed = True
        for connection in (connections := venue.hub.of("all")):
            connection.end()
        venue.note_fault(self._fault, "exchange: closed", connections=len(connections))


def effect_of(venue: Venue, fault: Fault) -> Effect:
    """What a lasting fault does.

    Raises VenueError -1121 if it is about a symbol that is not listed.
    """
    match fault.kind:
        case "stale_reads":
            return StaleReads(venue)
        case "stream_silence":
            return StreamSilence(venue, fault)
        case "clock_skew":
            return ClockSkew(venue, fault)
        case "maintenance":
            return Maintenance(venue, fault)
        case "thin_book" | "empty_book" | "crossed_book":
            return BentBook(venue, fault)
        case "halt":
            return Halt(venue, fault)
        case "delisting":
            return Delisting(venue, fault)
        case _:
            raise ValueError(f"{fault.kind}: does not last")
