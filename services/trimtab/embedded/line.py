"""trimtab's services and the simulated exchange as child processes, kept running."""

import fcntl
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from trimtab.embedded.crew import Crew, last_errors
from trimtab.embedded.errors import FolderInUseError, PartError, RefusedConfigurationError
from trimtab.embedded.events import Journal, Kind, OnEvent, ignore
from trimtab.embedded.restarts import Restarts
from trimtab.embedded.service import Service
from trimtab.exits import MISCONFIGURED

STOP_SECONDS_MAX = 60.0


class Line:
    """Processes on one folder: started side by side, started again when they crash, ended with their supervisor.

    Raises FolderInUseError when another line runs on the folder, RefusedConfigurationError when a process does not
    accept its configuration, PartError when it does not come up for another reason.
    """

    def __init__(self, folder: Path, on_event: OnEvent = ignore) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._journal = Journal(folder / "events.log", on_event)
        self._crew: Crew | None = None
        self._lock: int | None = None

    def open(self) -> None:
        """Start the guardian that every process will belong to."""
        lock = os.open(self._folder / "line.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise FolderInUseError(f"{self._folder}: another line runs here") from None
        self._lock = lock
        self._crew = Crew(self._tell, Restarts("on_crash"), lambda: None)
        self._crew.open(self._folder / "guardian.log", lock)

    def start(self, services: Sequence[Service]) -> None:
        """Start processes side by side and wait until all of them are healthy."""
        crew = self._running()
        with ThreadPoolExecutor(max(len(services), 1)) as pool:
            for job in [pool.submit(_bring_up, crew, service) for service in services]:
                job.result()

    def kill(self, name: str) -> None:
        """End a process by kill -9, as a crash would; it is started again."""
        self._running().kill(name)

    def pids(self) -> dict[str, int]:
        """Return the process ids of what lives now."""
        return self._crew.pids() if self._crew else {}

    def stop(self) -> None:
        """End everything, lower phases first; harmless when nothing runs."""
        crew, self._crew = self._crew, None
        if crew is not None:
            crew.close(STOP_SECONDS_MAX)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _running(self) -> Crew:
        assert self._crew is not None, "open the line first"
        return self._crew

    def _tell(self, part: str, kind: Kind, text: str) -> None:
        self._journal.tell(part, kind, text)


def _bring_up(crew: Crew, service: Service) -> None:
    try:
        crew.bring_up(service)
    except PartError as error:
        if error.code == MISCONFIGURED:
            lines = [f"{service.name}: {line}" for line in last_errors(service.log)]
            raise RefusedConfigurationError("\n".join(lines)) from error
        raise
