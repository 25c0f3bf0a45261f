"""Market events through ingest's own code, on a clock that the events drive.

A frame is published as ingest publishes it: what changed, at once when it was quiet and one an interval under load.
What is of one time goes into one frame. Where nothing happens there are no frames: full ones too come only with a
change.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import structlog

from trimtab.adapters.memory.clock import VirtualClock
from trimtab.domain.ids import derive
from trimtab.imports.findings import KINDS, OFF_GRID, Findings
from trimtab.imports.sieve import SILENT, Sieve
from trimtab.imports.source import Source
from trimtab.ingest.frames import FrameBuilder
from trimtab.ingest.handlers import Ingest, Outlet
from trimtab.ingest.pace import Pace
from trimtab.ports.metrics import Unmetered
from trimtab.settings import IngestSettings


class Feeding:
    """One import; `run` goes through it once."""

    def __init__(
        self,
        source: Source,
        outlet: Outlet,
        clock: VirtualClock,
        findings: Findings,
        settings: IngestSettings,
        name: str,
    ) -> None:
        """`name` tells this import's frames from others'."""
        self._source, self._clock = source, clock
        session = derive("import", name)
        self._builder = FrameBuilder(session, settings.full_frame_interval_ms * 1_000)
        self._pace = Pace(settings.frame_interval_ms * 1_000, settings.frames_saved_max)
        self._sieve = Sieve(source.instruments, source.silences_us, findings, settings.ladder_levels)
        self._ingest = Ingest(
            (),
            self._builder,
            outlet,
            clock,
            Unmetered(),
            lambda _: nullcontext(),
            structlog.wrap_logger(
                None,
                processors=[_noting(findings)],
                wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
            ),
            settings,
        )

    def run(self) -> Iterator[int]:
        """Import everything; yields the time after each event.

        Raises:
            ImportRefusedError: if the files cannot be read on.
            InvalidValueError: if something of them cannot stand in a record.

        """
        self._builder.know(self._source.instruments.values())
        for event in self._source.events():
            time_us = self._sieve.time_us(event)
            for when_us, stale in self._sieve.losses(time_us, self._source.holes):
                self._advance(when_us)
                self._ingest.handle(stale)
            self._advance(time_us)
            for told in self._sieve.sift(event, time_us):
                self._ingest.handle(told)
            yield time_us
        if self._builder.changed and self._builder.ready:
            self._publish()

    def _advance(self, time_us: int) -> None:
        """Let time go on, and publish what is due before it."""
        while self._builder.changed and self._builder.ready:
            now_us = self._clock.now_us()
            due_us = now_us + self._pace.wait_us(now_us)
            if due_us >= time_us:
                break
            self._clock.move(due_us)
            self._publish()
        self._clock.move(time_us)

    def _publish(self) -> None:
        self._ingest.publish_frame()
        self._pace.spend(self._clock.now_us())


def _noting(findings: Findings) -> Callable[[Any, str, Any], Any]:
    """Return what takes ingest's warnings as findings; those that the sieve has noted are not noted again."""

    def note(_logger: Any, _method: str, event: Any) -> Any:
        reason = str(event.get("reason", ""))
        if reason not in (*KINDS, SILENT):
            findings.note(OFF_GRID, " ".join(filter(None, (event.get("instrument"), reason))))
        raise structlog.DropEvent

    return note
