"""The data folder of one stack: what stands where, who holds it, and what it remembers."""

import fcntl
import json
import os
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from trimtab.embedded.cache import write_whole
from trimtab.embedded.errors import FolderInUseError, StackError

PREVIOUS_STACK_SECONDS_MAX = 40.0  # a guardian's patience with all phases, and some
DYING_SECONDS_MAX = 1.0  # a process that was just killed still shows for a moment
LOG_BYTES_MAX = 20_000_000
PASSWORDS = ("postgres", "registry", "trimtab")


@dataclass(frozen=True)
class Addresses:
    """Where the parts are reached.

    `kafka` is a bootstrap server, `registry` a Confluent-compatible base address, `postgres` the data source name of
    the database's owner.
    """

    kafka: str
    registry: str
    postgres: str = field(repr=False)  # it carries a password

    @property
    def postgres_without_password(self) -> str:
        """The data source name as it may be shown."""
        return re.sub(r":[^:@/]+@", "@", self.postgres)

    @classmethod
    def read(cls, folder: Path) -> "Addresses":
        """The addresses of the stack running on `folder`. Raises StackError when none runs there."""
        try:
            return cls(**json.loads((folder / "addresses.json").read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise StackError(f"{folder}: no stack runs here") from None


@dataclass(frozen=True)
class Process:
    """A process that cannot be mistaken for a later one with the same id."""

    pid: int
    created: float  # seconds since the epoch, as psutil reports it

    @classmethod
    def of(cls, pid: int) -> "Process":
        """The process that has this id now."""
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return cls(pid, 0.0)

    def find(self) -> psutil.Process | None:
        """The living process, or None if it is gone, whoever has its id now."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < 0.1
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


class Folder:
    """Paths, lock, passwords and notes of one data folder."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._lock: int | None = None

    def make(self) -> None:
        """Create the folder. Root's stays enterable for the user that PostgreSQL runs as."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o711 if os.geteuid() == 0 else 0o700)
        self.logs.mkdir(exist_ok=True)
        self.logs.chmod(0o700)

    @property
    def logs(self) -> Path:
        """The parts' logs and the stack's own."""
        return self.path / "logs"

    def log(self, name: str) -> Path:
        """A part's log; a long one is set aside first, one generation deep."""
        path = self.logs / f"{name}.log"
        if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
            path.replace(path.with_suffix(".log.1"))
        return path

    def hold(self, on_wait: Callable[[str], None]) -> int:
        """Take the folder for this process; returns the lock's file descriptor.

        A stack whose supervisor died is given time to finish stopping. Raises FolderInUseError when one runs.
        """
        lock = os.open(self.path / "stack.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        began = time.monotonic()
        told = False
        while not _try_lock(lock):
            holder = self.processes().get("supervisor")
            patience = DYING_SECONDS_MAX if holder and holder.find() else PREVIOUS_STACK_SECONDS_MAX
            if time.monotonic() - began > patience:
                os.close(lock)
                who = f" (process {holder.pid})" if holder else ""
                raise FolderInUseError(f"{self.path}: another stack runs on this folder{who}")
            if not told and patience > DYING_SECONDS_MAX:
                on_wait("waiting for the stack that ran here before to finish stopping")
                told = True
            time.sleep(0.05)
        self._lock = lock
        return lock

    def forget(self) -> None:
        """Remove the notes of what ran here."""
        for name in ("addresses.json", "stack.json"):
            (self.path / name).unlink(missing_ok=True)

    def release(self) -> None:
        """Give the folder up, if this process holds it, and forget what ran here."""
        if self._lock is not None:
            self.forget()
            os.close(self._lock)
            self._lock = None

    def note_processes(self, processes: dict[str, Process]) -> None:
        """Write down who runs, for `status`, for `down` and for whoever cleans up after a crash."""
        text = json.dumps({name: asdict(process) for name, process in processes.items()})
        write_whole(self.path / "stack.json", text)

    def processes(self) -> dict[str, Process]:
        """Who ran here when it was last written down; empty if nobody."""
        try:
            notes = json.loads((self.path / "stack.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return {name: Process(**process) for name, process in notes.items()}

    def note_addresses(self, addresses: Addresses) -> None:
        """Let other processes attach."""
        write_whole(self.path / "addresses.json", json.dumps(asdict(addresses)))

    def passwords(self) -> dict[str, str]:
        """The passwords of the folder's database roles, made on first use."""
        path = self.path / "secrets.json"
        if path.exists():
            found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
            return found
        made = {role: secrets.token_urlsafe(24) for role in PASSWORDS}
        write_whole(path, json.dumps(made))
        return made


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
