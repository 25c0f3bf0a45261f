"""How the exchange misbehaves on command: the faults there are, and those that are armed.

A fault is armed with a kind, the requests it strikes, how often, and with what chance. It strikes in one of these
places:

- `delay`: a request arrives late, perhaps after its recvWindow;
- `before`: it never reaches the matching engine;
- `twice`: it reaches it twice;
- `after`: it was carried out, and its answer is lost, cut, wrong, late or overtaken;
- `socket`: websockets are closed, at once.
"""

from dataclasses import dataclass, field
from random import Random
from typing import Literal

Kind = Literal[
    "lost_request",
    "lost_answer",
    "error_before",
    "error_after",
    "rate_limit",
    "latency",
    "late_answer",
    "cut_answer",
    "empty_answer",
    "html_answer",
    "duplicate_request",
    "overtaken_answer",
    "websocket_drop",
]
Place = Literal["delay", "before", "twice", "after", "socket"]

PLACES: dict[Kind, Place] = {
    "lost_request": "before",
    "lost_answer": "after",
    "error_before": "before",
    "error_after": "after",
    "rate_limit": "before",
    "latency": "delay",
    "late_answer": "after",
    "cut_answer": "after",
    "empty_answer": "after",
    "html_answer": "after",
    "duplicate_request": "twice",
    "overtaken_answer": "after",
    "websocket_drop": "socket",
}


@dataclass(slots=True)
class Fault:
    """An armed fault.

    `endpoint` is matched against "METHOD /path" as a part of it, "" strikes everything; `count` is how often it still
    strikes, None without end; `probability` the chance at each match. `status` is the HTTP status of an error
    and `code` Binance's code in its JSON (None: a gateway's HTML, which has none),
    `retry_after_seconds` belongs to rate_limit, `latency_ms` to latency and late_answer, and to overtaken_answer, which
    waits no longer than that; `cut` to cut_answer: "body" is a whole answer with half its JSON, "connection" one
    whose connection ends within it; `streams` to websocket_drop.
    """

    kind: Kind
    endpoint: str = ""
    count: int | None = 1
    probability: float = 1.0
    status: int = 503
    code: int | None = None
    retry_after_seconds: int = 1
    latency_ms: int = 1000
    cut: Literal["body", "connection"] = "body"
    streams: Literal["market", "user", "all"] = "all"
    fault_id: int = 0
    struck: int = field(default=0)

    @property
    def place(self) -> Place:
        """Where it strikes."""
        return PLACES[self.kind]


class Faults:
    """The armed faults. `seed` decides the chances."""

    def __init__(self, seed: int = 0) -> None:
        self._random = Random(seed)  # noqa: S311 - chances in a test venue, no secrets
        self._armed: list[Fault] = []
        self._last_id = 0

    def arm(self, fault: Fault) -> Fault:
        """Add a fault; it gets its id."""
        self._last_id += 1
        fault.fault_id = self._last_id
        self._armed.append(fault)
        return fault

    def disarm(self, fault_id: int | None = None) -> int:
        """Remove one fault, or all; how many went."""
        before = len(self._armed)
        self._armed = [fault for fault in self._armed if fault_id is not None and fault.fault_id != fault_id]
        return before - len(self._armed)

    def armed(self) -> list[Fault]:
        """What can still strike, in the order of arming."""
        return list(self._armed)

    def strike(self, endpoint: str) -> list[Fault]:
        """The faults that strike this request ("METHOD /path"): at most one a place, the first armed."""
        struck: dict[Place, Fault] = {}
        for fault in list(self._armed):
            if fault.place == "socket" or fault.place in struck or fault.endpoint not in endpoint:
                continue
            if fault.probability < 1 and self._random.random() >= fault.probability:
                continue
            struck[fault.place] = fault
            self.used(fault)
        return list(struck.values())

    def used(self, fault: Fault) -> None:
        """Count one strike; a fault that is used up goes."""
        fault.struck += 1
        if fault.count is not None:
            fault.count -= 1
            if fault.count <= 0:
                self._armed.remove(fault)
