"""One of trimtab's own processes as a part: a service, or the simulated exchange."""

import contextlib
import os
import sys
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trimtab.embedded.leash import Command
from trimtab.embedded.part import Run

_HEALTH_SECONDS_MAX = 1.0


@dataclass(frozen=True)
class Service:
    """A process `python -m MODULE ARGUMENTS` that answers HTTP at `health` once it works.

    `phase` orders the stopping: lower phases first.
    """

    name: str
    module: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    health: str
    log: Path
    phase: int = 0

    @property
    def address(self) -> str:
        """Where its health is asked."""
        return self.health

    def prepare(self, run: Run) -> None:
        """Nothing on disk is needed."""

    def command(self) -> Command:
        """The process to start, with the caller's environment underneath its own."""
        return Command(
            argv=(sys.executable, "-m", self.module, *self.arguments),
            env={**os.environ, **self.environment, "PYTHONUNBUFFERED": "1"},
            cwd=str(self.log.parent),
            log=str(self.log),
            stop_phase=self.phase,
        )

    def is_healthy(self) -> bool:
        """True if it answers now."""
        with contextlib.suppress(OSError), urllib.request.urlopen(self.health, timeout=_HEALTH_SECONDS_MAX):  # noqa: S310 - our own loopback address
            return True
        return False

    def settle(self) -> None:
        """Nothing is left to do."""
