"""What faults make of streams: messages that go missing, come twice, come in the wrong order, or do not come at all."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trimtab.exchange.faults import Audience, Fault, Faults

Publish = Callable[[str, bytes], None]
"""Sends a stream's message to all who listen to it."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A message that waits until the next one of its stream has gone first."""

    message: bytes
    timer: asyncio.TimerHandle


class Tampering:
    """Stands between what the exchange has to tell and who hears it. `note` writes down a strike and what it struck."""

    def __init__(self, faults: Faults, note: Callable[[Fault, str], None]) -> None:
        self._faults = faults
        self._note = note
        self._held: dict[tuple[Audience, str], _Held] = {}

    def passed(self, audience: Audience, stream: str, message: bytes, publish: Publish) -> Sequence[bytes]:
        """What goes out now in the place of a stream's next message; `publish` is for what has been held too long."""
        key = audience, stream
        held = self._held.pop(key, None)
        if held is not None:
            held.timer.cancel()
            return (message, held.message)
        fault = self._faults.strike_message(audience, stream)
        if fault is None:
            return (message,)
        self._note(fault, stream)
        if fault.kind == "stream_duplicate":
            return (message, message)
        if fault.kind == "stream_reorder":
            loop = asyncio.get_running_loop()
            timer = loop.call_later(fault.latency_ms / 1000, self._release, key, publish)
            self._held[key] = _Held(message, timer)
        return ()

    def _release(self, key: tuple[Audience, str], publish: Publish) -> None:
        publish(key[1], self._held.pop(key).message)


class Silence:
    """Connections that stay and hear nothing of the streams with `part` in their names. Counts what they miss."""

    def __init__(self, part: str) -> None:
        self._part = part
        self.swallowed = 0

    def swallows(self, stream: str) -> bool:
        """Whether a message of this stream does not arrive."""
        silent = self._part in stream
        self.swallowed += silent
        return silent
