"""What the stack tells its caller while it works, and the log of it in the data folder."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

Kind = Literal[
    "download", "starting", "ready", "died", "restarting", "gave_up", "killed", "stopping", "stopped", "warning"
]


@dataclass(frozen=True)
class Event:
    """One thing that happened. `part` is kafka, registry, postgres or stack; `done` and `total` count bytes."""

    at_us: int
    part: str
    kind: Kind
    text: str
    done: int = 0
    total: int = 0

    @classmethod
    def now(cls, part: str, kind: Kind, text: str, done: int = 0, total: int = 0) -> "Event":
        """An event that happens now."""
        return cls(time.time_ns() // 1000, part, kind, text, done, total)


OnEvent = Callable[[Event], None]


def ignore(_: Event) -> None:
    """The listener of a caller who does not listen."""


class Journal:
    """Passes every event on and keeps all but download progress in a file, one JSON document a line."""

    def __init__(self, path: Path, on_event: OnEvent) -> None:
        self._path = path
        self._on_event = on_event
        self._lock = threading.Lock()

    def tell(self, part: str, kind: Kind, text: str, done: int = 0, total: int = 0) -> None:
        """Record and pass on one event; callable from any thread."""
        event = Event.now(part, kind, text, done, total)
        with self._lock:
            if kind != "download":
                with self._path.open("a", encoding="utf-8") as log:
                    log.write(json.dumps(asdict(event)) + "\n")
            self._on_event(event)


def read_events(path: Path, offset: int, on_event: OnEvent) -> int:
    """Pass on the whole lines of an event log from `offset`; returns where to go on from."""
    if not path.exists():
        return offset
    with path.open("rb") as log:
        log.seek(offset)
        for line in log:
            if not line.endswith(b"\n"):
                break  # being written right now
            offset += len(line)
            on_event(Event(**json.loads(line)))
    return offset
