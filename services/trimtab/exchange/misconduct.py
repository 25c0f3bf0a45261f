"""Faults from their arming to their end: some strike at once, some last, the others wait for a request."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from trimtab.exchange.effects import Effect, effect_of
from trimtab.exchange.faults import Fault
from trimtab.exchange.venue import Venue


@dataclass(frozen=True, slots=True)
class _Lasting:
    """A fault that has begun: what it does, and what will end it."""

    fault: Fault
    effect: Effect
    timer: asyncio.TimerHandle | None


class Misconduct:
    """Arms and disarms a venue's faults."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._lasting: dict[str, _Lasting] = {}  # by what they are about: one at a time

    def arm(self, fault: Fault) -> Fault:
        """Add a fault; it gets its id. One that strikes at once or lasts does so now.

        Raises VenueError -1121 if it is about a symbol that is not listed.
        """
        effect = effect_of(self._venue, fault) if fault.place == "lasting" else None
        self._venue.faults.arm(fault)
        if fault.place == "socket":
            self._drop_sockets(fault)
        elif effect is not None:
            self._begin(fault, effect)
        return fault

    def armed(self) -> list[Fault]:
        """What can still strike, and what lasts, in the order of arming."""
        return self._venue.faults.armed()

    def disarm(self, fault_id: int | None = None) -> int:
        """Remove one fault, or all, ending what lasts; how many went."""
        gone = self._venue.faults.disarm(fault_id)
        for lasting in list(self._lasting.values()):
            if fault_id in {None, lasting.fault.fault_id}:
                self._end(lasting)
        return gone

    def _drop_sockets(self, fault: Fault) -> None:
        cut = self._venue.hub.drop(fault.streams)
        fault.struck += 1
        self._venue.faults.disarm(fault.fault_id)
        self._venue.note_fault(fault, f"websockets: {fault.streams}", cut=cut)

    def _begin(self, fault: Fault, effect: Effect) -> None:
        """Let a fault begin; an earlier one about the same ends."""
        earlier = self._lasting.get(effect.about)
        if earlier is not None:
            self._over(earlier)
        fault.struck += 1
        more = effect.begin()
        self._venue.note_fault(fault, effect.about, **more)
        timer = None
        if fault.duration_ms is not None:
            timer = asyncio.get_running_loop().call_later(fault.duration_ms / 1000, self._timed(effect.about))
        self._lasting[effect.about] = _Lasting(fault, effect, timer)

    def _timed(self, about: str) -> Callable[[], None]:
        return lambda: self._over(self._lasting[about])

    def _over(self, lasting: _Lasting) -> None:
        self._venue.faults.disarm(lasting.fault.fault_id)
        self._end(lasting)

    def _end(self, lasting: _Lasting) -> None:
        del self._lasting[lasting.effect.about]
        if lasting.timer is not None:
            lasting.timer.cancel()
        self._venue.note_fault_over(lasting.fault, **lasting.effect.end())
