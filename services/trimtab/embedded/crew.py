"""The parts as running processes: started, checked, ended, and started again when the policy says so."""

import contextlib
import itertools
import re
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from trimtab.embedded.errors import PartError
from trimtab.embedded.events import Kind
from trimtab.embedded.leash import Command, Leash
from trimtab.embedded.part import Part, PartName
from trimtab.embedded.restarts import LIMIT, WINDOW_SECONDS, Restarts

Tell = Callable[[str, Kind, str], None]

HEALTHY_SECONDS_MAX = 90.0
ONE_OFF_SECONDS_MAX = 90.0
END_SECONDS_MAX = 20.0
POLL_SECONDS = 0.03
_ERROR = "error: "
_FRAME = re.compile(r"at \S+\(|\.\.\. \d+ more$")
_LOUD = re.compile(r"\b(ERROR|FATAL)\b")  # as Kafka, the registry and PostgreSQL log what they end of
_CAUSE = "Caused by: "


class Crew:
    """Every process under one guardian. All methods may be called from any thread."""

    def __init__(self, tell: Tell, restarts: Restarts, on_change: Callable[[], None]) -> None:
        """`on_change` is called after a part started or ended."""
        self._tell = tell
        self._restarts = restarts
        self._on_change = on_change
        self._leash: Leash | None = None
        self._parts: dict[str, Part] = {}
        self._pids: dict[str, int] = {}
        self._codes: dict[int, int] = {}
        self._up: set[str] = set()  # parts that were healthy and that nobody asked to end
        self._ended = threading.Condition(threading.RLock())
        self._turns: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self.closing = threading.Event()
        self.lost = threading.Event()  # the guardian died, and all parts with it

    def open(self, log: Path, keep_open: int) -> None:
        """Start the guardian; see Leash."""
        self._leash = Leash(log, keep_open, self._on_end, self._on_lost)

    def close(self, seconds_max: float) -> bool:
        """End everything; True if the guardian did it orderly."""
        self.closing.set()
        with self._ended:
            self._up.clear()
            leash, self._leash = self._leash, None
            self._ended.notify_all()
        return leash.stop(seconds_max) if leash else True

    @property
    def guardian_pid(self) -> int | None:
        """The guardian's process id, None when there is none."""
        return self._leash.pid if self._leash else None

    def pids(self) -> dict[str, int]:
        """Process ids of the parts that live now."""
        with self._ended:
            return {name: pid for name, pid in self._pids.items() if name in self._parts}

    def bring_up(self, part: Part) -> None:
        """Prepare, start and await a part. Raises PartError when it does not become healthy."""
        with self._turns[part.name]:
            self._bring_up(part)

    def kill(self, name: PartName) -> None:
        """End a part by kill -9 and return when it is gone; the restart policy then applies as to any crash."""
        pid = self.pids().get(name)
        if pid is None:
            raise PartError(f"{name} does not run")
        self._tell(name, "killed", f"process {pid} is killed on request")
        self._order(name, signal.SIGKILL)
        self._await_end(name, pid, END_SECONDS_MAX)

    def restart(self, name: PartName) -> None:
        """Start a part again on its ports and its data, stopping it first if it lives; returns when healthy."""
        with self._turns[name]:
            part = self._parts[name]
            with self._ended:
                pid = self._pids.get(name)
                self._up.discard(name)
            self._tell(name, "restarting", "started again on request")
            if pid is not None:
                self._order(name, part.command().stop_signal)
                self._await_end(name, pid, END_SECONDS_MAX)
            self._bring_up(part)

    def run(self, name: str, command: Command) -> None:
        """Run a one-off process to its end. Raises PartError when it fails."""
        pid = self._start(name, command)
        code = self._await_end(name, pid, ONE_OFF_SECONDS_MAX)
        if code != 0:
            raise PartError(f"{name} failed (exit code {code}): {last_words(Path(command.log))}; see {command.log}")

    def _bring_up(self, part: Part) -> None:
        self._parts[part.name] = part
        self._tell(part.name, "starting", "preparing")
        part.prepare(self.run)
        command = part.command()
        began = time.monotonic()
        pid = self._start(part.name, command)
        self._on_change()
        while not part.is_healthy():
            self._check_alive(part.name, pid, command)
            if time.monotonic() - began > HEALTHY_SECONDS_MAX:
                self._order(part.name, signal.SIGKILL)
                raise PartError(f"{part.name} is not healthy after {HEALTHY_SECONDS_MAX:.0f} s; see {command.log}")
            self.closing.wait(POLL_SECONDS)
        part.settle()
        with self._ended:
            self._check_alive(part.name, pid, command)
            self._up.add(part.name)
        self._tell(part.name, "ready", f"{part.name} is ready after {time.monotonic() - began:.1f} s")

    def _start(self, name: str, command: Command) -> int:
        leash = self._leash
        if leash is None or self.closing.is_set():
            raise PartError(f"{name} is not started: the stack is stopping")
        pid = leash.start(name, command)
        with self._ended:
            if pid not in self._codes:
                self._pids[name] = pid
        return pid

    def _order(self, name: str, number: int) -> None:
        if self._leash is not None:
            self._leash.signal(name, number)

    def _check_alive(self, name: str, pid: int, command: Command) -> None:
        if self.closing.is_set():
            raise PartError(f"{name} is not awaited: the stack is stopping")
        with self._ended:
            code = self._codes.get(pid)
        if code is not None:
            reason = f"{name} ended while starting ({_how(code)})"
            raise PartError(f"{reason}: {last_words(Path(command.log))}; see {command.log}", code)

    def _await_end(self, name: str, pid: int, seconds_max: float) -> int:
        with self._ended:
            self._ended.wait_for(lambda: pid in self._codes or self.closing.is_set(), seconds_max)
            if pid not in self._codes:
                raise PartError(f"{name}: process {pid} did not end within {seconds_max:.0f} s")
            return self._codes[pid]

    def _on_end(self, name: str, pid: int, code: int) -> None:
        with self._ended:
            self._codes[pid] = code
            if self._pids.get(name) == pid:
                del self._pids[name]
            crashed = name in self._up
            self._up.discard(name)
            self._ended.notify_all()
        if crashed and not self.closing.is_set():
            self._tell(name, "died", f"{name} died (process {pid}, {_how(code)})")
            # not here: this thread must go on listening to the guardian
            threading.Thread(target=self._after_crash, args=(name,), name=f"restart-{name}", daemon=True).start()

    def _on_lost(self) -> None:
        self.lost.set()
        with self._ended:
            self._codes.update(dict.fromkeys(self._pids.values(), -signal.SIGKILL))
            self._pids.clear()
            self._up.clear()
            self._ended.notify_all()
        if not self.closing.is_set():
            self._tell("stack", "died", "the guardian process died, and every part with it")

    def _after_crash(self, name: str) -> None:
        self._on_change()
        while (pause := self._restarts.pause_after_crash(name)) is not None:
            self._tell(name, "restarting", f"{name} is started again in {pause:g} s (restart policy on_crash)")
            if self.closing.wait(pause):
                return
            with contextlib.suppress(PartError), self._turns[name]:
                if name not in self.pids():  # somebody may have been faster
                    self._bring_up(self._parts[name])
                return
        if self._restarts.policy == "on_crash":
            self._tell(name, "gave_up", f"{name} died more than {LIMIT} times in {WINDOW_SECONDS:.0f} s; it stays down")


def last_words(log: Path) -> str:
    """What a log says its process ended of: the cause of its last error, that error, or its last line; else a dash."""
    lines = [line for line in _lines_backwards(log) if not _FRAME.match(line)]
    loud = next((place for place, line in enumerate(lines) if _LOUD.search(line)), 0)
    causes = (line for line in lines[:loud] if line.startswith(_CAUSE))
    return next(causes, lines[loud] if lines else "-")[:200]


def last_errors(log: Path) -> list[str]:
    """What a process of trimtab's said was wrong as its last words, a line each; its last line if it said it otherwise.

    A process writes them as "error: ...", see `trimtab.cli.program`.
    """
    backwards = itertools.takewhile(lambda line: line.startswith(_ERROR), _lines_backwards(log))
    errors = [line.removeprefix(_ERROR) for line in backwards]
    return errors[::-1] or [last_words(log)]


def _lines_backwards(log: Path, bytes_max: int = 65_536) -> list[str]:
    with contextlib.suppress(OSError), log.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - bytes_max))
        lines = file.read().decode(errors="replace").splitlines()
        return [line.strip() for line in reversed(lines) if line.strip()]
    return []


def _how(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"ended by {signal.Signals(-code).name}"
    return f"exit code {code}"
