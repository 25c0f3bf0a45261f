"""How the exchange misbehaves on command: the faults there are, and those that are armed.

A fault is armed with a kind, the requests it strikes, how often, and with what chance. It strikes in one of these
places:

- `delay`: a request arrives late, perhaps after its recvWindow;
- `before`: it never reaches the matching engine;
- `twice`: it reaches it twice;
- `after`: it was carried out, and its answer is lost, cut, wrong, late or overtaken;
- `stream`: a message of a stream goes missing, comes twice, or after the one that follows it;
- `socket`: websockets are closed, at once;
- `lasting`: something is wrong from now on, for a while.
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
    "stream_gap",
    "stream_duplicate",
    "stream_reorder",
    "websocket_drop",
    "stale_reads",
    "stream_silence",
    "clock_skew",
    "maintenance",
    "thin_book",
    "empty_book",
    "crossed_book",
    "halt",
    "delisting",
]
Place = Literal["delay", "before", "twice", "after", "stream", "socket", "lasting"]
Audience = Literal["market", "user"]

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
    "stream_gap": "stream",
    "stream_duplicate": "stream",
    "stream_reorder": "stream",
    "websocket_drop": "socket",
    "stale_reads": "lasting",
    "stream_silence": "lasting",
    "clock_skew": "lasting",
    "maintenance": "lasting",
    "thin_book": "lasting",
    "empty_book": "lasting",
    "crossed_book": "lasting",
    "halt": "lasting",
    "delisting": "lasting",
}
_ON_REQUESTS = frozenset({"delay", "before", "twice", "after"})


@dataclass(slots=True)
class Fault:
    """An armed fault.

    Attributes:
        endpoint: what it strikes: a part of "METHOD /path", for streams of the stream's name ("btcusdt@depth@100ms",
            "account@executionReport"); "" strikes everything.
        count: how often it still strikes; None: without end.
        probability: the chance at each match.
        status: HTTP status of an error.
        code: Binance's code in the error's JSON; None: a page of HTML, which has none.
        retry_after_seconds: of rate_limit.
        latency_ms: of latency and late_answer; how long at most overtaken_answer and stream_reorder wait.
        cut: "body" is a whole answer with half its JSON, "connection" one whose connection ends within it.
        streams: whose streams and connections.
        duration_ms: of what lasts; None: until it is disarmed.
        skew_ms: how far server time jumps ahead; negative: behind.
        drift_ppm: how many microseconds a second server time gains.
        notice_ms: for how long maintenance is announced before it begins; part of its duration.
        symbol: of faults of one market ("BTCUSDT").
        share_percent: what is left of every level of a thin book.
        sides: which sides of a book are empty.
        symbol_status: what exchangeInfo says of a symbol that does not trade.

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
    streams: Audience | Literal["all"] = "all"
    duration_ms: int | None = 2000
    skew_ms: int = 0
    drift_ppm: int = 0
    notice_ms: int = 0
    symbol: str = ""
    share_percent: int = 1
    sides: Literal["bids", "asks", "both"] = "both"
    symbol_status: Literal["BREAK", "HALT"] = "BREAK"
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
            if fault.place not in _ON_REQUESTS or fault.place in struck or not self._matches(fault, endpoint):
                continue
            struck[fault.place] = fault
            self._used(fault)
        return list(struck.values())

    def strike_message(self, audience: Audience, stream: str) -> Fault | None:
        """The fault that strikes the next message of a stream: the first armed."""
        for fault in self._armed:
            meant = fault.place == "stream" and fault.streams in {"all", audience}
            if meant and self._matches(fault, stream):
                self._used(fault)
                return fault
        return None

    def _matches(self, fault: Fault, name: str) -> bool:
        return fault.endpoint in name and (fault.probability >= 1 or self._random.random() < fault.probability)

    def _used(self, fault: Fault) -> None:
        """Count one strike; a fault that is used up goes."""
        fault.struck += 1
        if fault.count is not None:
            fault.count -= 1
            if fault.count <= 0:
                self._armed.remove(fault)
