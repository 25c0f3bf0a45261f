"""What faults that last do to a venue, and undo."""

from collections.abc import Mapping
from typing import Protocol

from trimtab.exchange.faults import Fault
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


def effect_of(venue: Venue, fault: Fault) -> Effect:
    """What a lasting fault does.

    Raises VenueError -1121 if it is about a symbol that is not listed.
    """
    match fault.kind:
        case "stale_reads":
            return StaleReads(venue)
        case "stream_silence":
            return StreamSilence(venue, fault)
        case _:
            raise ValueError(f"{fault.kind}: does not last")
