"""The supervisor's end of the guardian: orders go out, ends of parts come back."""

import contextlib
import json
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from trimtab.embedded.errors import PartError

START_SECONDS_MAX = 20.0
STOPPED_BY_FORCE_SECONDS = 5.0

OnEnd = Callable[[str, int, int], None]  # part, pid, exit code (negative: the signal that ended it)


@dataclass(frozen=True)
class Command:
    """How to run one process, and how to end it."""

    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: str
    log: str
    uid: int | None = None  # None: as the supervisor
    gid: int | None = None
    reach_files: bool = False  # keep the right to enter folders that only root may enter
    stop_signal: int = signal.SIGTERM
    orphan_signal: int = signal.SIGKILL  # from the kernel, when even the guardian is gone
    stop_phase: int = 0  # lower phases stop first
    stop_seconds: float = 10.0


class Leash:
    """A guardian process and the conversation with it."""

    def __init__(self, log: Path, keep_open: int, on_end: OnEnd, on_lost: Callable[[], None]) -> None:
        """Start the guardian.

        `keep_open` is a file descriptor (the folder's lock) that it holds until its end; `on_lost` is called when it
        ends without having been told to.
        """
        self._on_end = on_end
        self._on_lost = on_lost
        self._answers: queue.Queue[dict[str, object]] = queue.Queue()
        self._one_start = threading.Lock()
        self._done = threading.Event()
        ours, theirs = socket.socketpair()
        with theirs, log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603  our own script
                [sys.executable, "-I", "-S", str(Path(__file__).with_name("guardian.py")), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(theirs.fileno(), keep_open),
                start_new_session=True,
            )
        self._socket = ours
        self._reader = threading.Thread(target=self._read, name="guardian", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The guardian's process id."""
        return self._process.pid

    def start(self, name: str, command: Command) -> int:
        """Start a part; returns its process id. Raises PartError when it cannot be started."""
        with self._one_start:
            self._send({"order": "start", "name": name, **asdict(command)})
            try:
                answer = self._answers.get(timeout=START_SECONDS_MAX)
            except queue.Empty:
                raise PartError(f"{name}: the guardian process does not answer") from None
        if answer["event"] == "failed":
            raise PartError(f"{name} cannot be started: {answer['error']}")
        return int(str(answer["pid"]))

    def signal(self, name: str, number: int) -> None:
        """Send a signal to a part; SIGKILL reaches its whole session."""
        self._send({"order": "signal", "name": name, "signal": number})

    def stop(self, seconds_max: float) -> bool:
        """Have all parts stopped and the guardian end; True if that went as it should."""
        with contextlib.suppress(PartError):
            self._send({"order": "stop"})
        orderly = self._done.wait(seconds_max)
        try:
            self._process.wait(STOPPED_BY_FORCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()  # the kernel then ends its children
            self._process.wait()
        self._reader.join()
        self._socket.close()
        return orderly

    def _send(self, message: dict[str, object]) -> None:
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise PartError("the guardian process is gone; stop the stack and start it again") from error

    def _read(self) -> None:
        with contextlib.suppress(OSError), self._socket.makefile("rb") as lines:
            for line in lines:
                self._take(json.loads(line))
        if not self._done.is_set():
            self._on_lost()
            self._done.set()
            self._answers.put({"event": "failed", "error": "the guardian process is gone"})

    def _take(self, message: dict[str, object]) -> None:
        if message["event"] == "ended":
            self._on_end(str(message["name"]), int(str(message["pid"])), int(str(message["code"])))
        elif message["event"] == "done":
            self._done.set()
        else:
            self._answers.put(message)
