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
        event = Event(time.time_ns() // 1000, part, kind, text, done, total)
        with self._lock:
            if kind != "download":
                with self._path.open("a", encoding="utf-8") as log:
                    log.write(json.dumps(asdict(event)) + "\n")
            self._on_event(event)
