"""Starts Kafka, the registry and PostgreSQL side by side, watches them, and stops them; nothing happens silently."""

import contextlib
import time
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from types import TracebackType

import psutil

from trimtab.embedded.archive import Use
from trimtab.embedded.artifacts import ready
from trimtab.embedded.crew import Crew
from trimtab.embedded.errors import StackError
from trimtab.embedded.events import Journal, Kind, OnEvent, ignore
from trimtab.embedded.folder import Addresses, Folder, Process
from trimtab.embedded.kafka import Kafka
from trimtab.embedded.part import PartName
from trimtab.embedded.postgres import Postgres
from trimtab.embedded.registry import Registry
from trimtab.embedded.restarts import Restart, Restarts
from trimtab.embedded.sockets import choose_ports

STOP_SECONDS_MAX = 40.0
LEFTOVERS_SECONDS_MAX = 10.0


class Stack:
    """One Kafka, one registry and one PostgreSQL on one data folder.

    `restart` says what happens when a part dies: 'never' reports it; 'on_crash' reports it and starts the part again
    on its ports and its data, after a growing pause, at most `restarts.LIMIT` times a minute. `on_event` hears of
    everything, from whichever thread notices. Usable from any thread; also a context manager.
    """

    def __init__(
        self, folder: Path, *, restart: Restart = "never", on_event: OnEvent = ignore, archives: Use = "use"
    ) -> None:
        """`archives='make'` records a run of the Java parts for faster starts; see `trimtab.embedded.warm`."""
        self.folder = Folder(folder)
        self._restart: Restart = restart
        self._on_event = on_event
        self._archives: Use = archives
        self._journal: Journal | None = None
        self._crew: Crew | None = None
        self._parts: tuple[Kafka, Registry, Postgres] | None = None

    def __enter__(self) -> "Stack":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> Addresses:
        """Start everything and wait until it is healthy; on any failure leave nothing running.

        Raises StackError with one clear line.
        """
        if self._crew is not None:
            raise StackError(f"{self.folder.path}: the stack is running already")
        try:
            self.folder.make()
            self._journal = Journal(self.folder.path / "events.log", self._on_event)
            lock = self.folder.hold(lambda text: self._tell("stack", "starting", text))
        except OSError as error:
            raise StackError(f"{self.folder.path}: not usable as a data folder: {error.strerror}") from error
        try:
            return self._start(lock)
        except OSError as error:
            self.stop()
            raise StackError(f"{self.folder.path}: {error}") from error
        except BaseException:
            self.stop()
            raise

    def _start(self, lock: int) -> Addresses:
        self._clear_leftovers()
        software = ready(self._tell_download)
        began = time.monotonic()
        path, log, passwords = self.folder.path, self.folder.log, self.folder.passwords()
        ports = choose_ports(path / "ports.json")
        self._parts = (
            Kafka(path, ports, software, log, self._archives),
            Registry(path, ports, software, log, passwords["registry"], self._archives),
            Postgres(path, ports, log, passwords),
        )
        self._crew = Crew(self._tell, Restarts(self._restart), self._note_processes)
        self._crew.open(self.folder.log("guardian"), lock)
        self._note_processes()
        self._bring_up_all(self._crew, *self._parts)
        self._note_processes()
        addresses = self.addresses
        self.folder.note_addresses(addresses)
        self._tell("stack", "ready", f"everything is ready after {time.monotonic() - began:.1f} s")
        return addresses

    def _bring_up_all(self, crew: Crew, kafka: Kafka, registry: Registry, postgres: Postgres) -> None:
        def database_first() -> None:
            crew.bring_up(postgres)
            crew.bring_up(registry)

        with ThreadPoolExecutor(2) as pool:
            jobs = [pool.submit(database_first), pool.submit(crew.bring_up, kafka)]
            try:
                wait(jobs, return_when=FIRST_EXCEPTION)
                failed = [job for job in jobs if job.done() and job.exception()]
                for job in failed or jobs:
                    job.result()
            finally:
                if any(not job.done() for job in jobs):
                    crew.closing.set()  # the other half need not be awaited any more

    def stop(self) -> None:
        """Stop every part in order and give the folder up; harmless when nothing runs. Data stay."""
        crew, self._crew = self._crew, None
        parts, self._parts = self._parts, None
        if crew is not None and parts is not None:
            self._tell("stack", "stopping", "stopping")
            pids = [Process.of(pid) for pid in crew.pids().values()]
            patience = sum(part.archive.stop_seconds for part in parts[:2])
            if not crew.close(STOP_SECONDS_MAX + patience):
                self._tell("stack", "warning", "the guardian process did not stop the parts; they are killed")
            _kill(pids)
            if self._archives == "make":
                for part in parts[:2]:
                    part.archive.keep()
            self._tell("stack", "stopped", "stopped")
        self.folder.release()

    @property
    def addresses(self) -> Addresses:
        """Where the parts are reached. Raises StackError when the stack is not running."""
        if self._parts is None:
            raise StackError(f"{self.folder.path}: the stack is not running")
        kafka, registry, postgres = self._parts
        return Addresses(kafka.address, registry.address, postgres.address)

    def pids(self) -> dict[str, int]:
        """The process ids of the parts that live now: kafka, registry, postgres."""
        return self._crew.pids() if self._crew else {}

    @property
    def is_lost(self) -> bool:
        """True when the guardian process died and took every part along; only stop() and start() help."""
        return self._crew is not None and self._crew.lost.is_set()

    def health(self) -> dict[str, bool]:
        """Whether each part serves requests now."""
        return {part.name: part.is_healthy() for part in self._parts or ()}

    def kill(self, part: PartName) -> None:
        """End a part by kill -9, as a crash would; what follows is up to the restart policy."""
        self._running().kill(part)

    def restart_part(self, part: PartName) -> None:
        """Start a part again, on its ports and its data; stop it first if it lives. Returns when it is healthy.

        Raises PartError when it does not come up.
        """
        self._running().restart(part)

    def _running(self) -> Crew:
        if self._crew is None:
            raise StackError(f"{self.folder.path}: the stack is not running")
        return self._crew

    def _tell(self, part: str, kind: Kind, text: str) -> None:
        if self._journal is not None:
            self._journal.tell(part, kind, text)

    def _tell_download(self, text: str, done: int, total: int) -> None:
        if self._journal is not None:
            self._journal.tell("stack", "download", text, done, total)

    def _note_processes(self) -> None:
        crew = self._crew
        if crew is None or crew.closing.is_set():
            return
        notes = {"supervisor": Process.of(psutil.Process().pid)}
        if crew.guardian_pid:
            notes["guardian"] = Process.of(crew.guardian_pid)
        self.folder.note_processes(notes | {name: Process.of(pid) for name, pid in crew.pids().items()})

    def _clear_leftovers(self) -> None:
        """End what a crashed stack left on this folder: we hold the folder, so nobody else may work in it."""
        before = self.folder.processes()
        before.pop("supervisor", None)
        left = [name for name, process in before.items() if process.find()]
        if left:
            self._tell("stack", "warning", f"a crashed stack left {', '.join(left)} running; ended now")
            _kill(list(before.values()))
        self.folder.forget()


def _kill(processes: list[Process]) -> None:
    living = [found for found in (process.find() for process in processes) if found]
    for process in living:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(living, timeout=LEFTOVERS_SECONDS_MAX)
