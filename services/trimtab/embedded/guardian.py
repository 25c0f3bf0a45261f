"""The parent of Kafka, the registry and PostgreSQL: a small process that outlives its supervisor just long enough.

Run as a script with the standard library alone. It reads orders (one JSON document a line) from the socket on file
descriptor `argv[1]` and reports on it what it started and what ended. When the supervisor says so, or is gone (the
socket reads empty, also after kill -9), it stops every part in phases and ends itself. On Linux every part in turn
gets a signal from the kernel when the guardian dies. Between them, nothing survives any single death.

It has one thread on purpose: the kernel ties that signal to the thread that forked, and code between fork and exec
is only safe without other threads.
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522

Order = dict[str, Any]


class Guardian:
    """Starts parts as told, reports their ends, stops them all when its supervisor goes."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._running: dict[str, tuple[subprocess.Popen[bytes], Order]] = {}
        self._libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

    def run(self) -> None:
        """Obey until told to stop or until the supervisor is gone; then stop all parts."""
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # The supervisor decides; its end is noticed on the socket. A handler and not SIG_IGN, which parts
            # would inherit.
            signal.signal(ignored, lambda *_: None)
        for order in self._orders(wake_read):
            if order is None:
                self._reap()
            elif order["order"] == "start":
                self._start(order)
            elif order["order"] == "signal":
                self._signal(order["name"], order["signal"])
            else:
                break
        self._stop_all()
        self._say({"event": "done"})

    def _orders(self, wake: int) -> Iterator[Order | None]:
        """Orders as they come; None when a child may have ended; ends when the supervisor is gone."""
        text = b""
        while True:
            readable, _, _ = select.select([self._control.fileno(), wake], [], [])
            if wake in readable:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake, 4096)
                yield None
            if self._control.fileno() in readable:
                try:
                    piece = self._control.recv(65536)
                except OSError:
                    return
                if not piece:
                    return
                *lines, text = (text + piece).split(b"\n")
                for line in lines:
                    yield json.loads(line)

    def _say(self, message: Order) -> None:
        with contextlib.suppress(OSError):  # nobody listens any more: go on stopping
            self._control.sendall(json.dumps(message).encode() + b"\n")

    def _start(self, order: Order) -> None:
        try:
            with open(order["log"], "ab", buffering=0) as log:  # noqa: PTH123  keep imports few: start fast
                process = subprocess.Popen(  # noqa: S603  the supervisor's order
                    order["argv"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=order["env"],
                    cwd=order["cwd"],
                    start_new_session=True,
                    preexec_fn=self._between_fork_and_exec(order),  # noqa: PLW1509  there is one thread only
                )
        except (OSError, subprocess.SubprocessError) as error:
            self._say({"event": "failed", "name": order["name"], "error": str(error)})
            return
        self._running[order["name"]] = (process, order)
        self._say({"event": "started", "name": order["name"], "pid": process.pid})

    def _between_fork_and_exec(self, order: Order) -> Callable[[], None]:
        guardian = os.getpid()

        def prepare() -> None:
            if order["uid"] is not None:
                self._become(order["uid"], order["gid"], reach_files=order["reach_files"])
            if self._libc is not None:
                # after the change of user, which clears it
                self._libc.prctl(PR_SET_PDEATHSIG, order["orphan_signal"], 0, 0, 0)
                if os.getppid() != guardian:
                    os._exit(1)

        return prepare

    def _become(self, uid: int, gid: int, *, reach_files: bool) -> None:
        """Drop root. With `reach_files` keep one right: to pass through folders that only root may enter."""
        linux = self._libc if reach_files else None
        if linux is not None:
            linux.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
        if linux is not None:
            bit = 1 << CAP_DAC_OVERRIDE
            header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
            sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
            if linux.capset(header, sets) != 0:
                raise OSError(ctypes.get_errno(), "capset")
            linux.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)

    def _signal(self, name: str, number: int) -> None:
        if name in self._running:
            process, _ = self._running[name]
            if number == signal.SIGKILL:
                _kill_session(process.pid)
            else:
                process.send_signal(number)

    def _reap(self) -> None:
        for name, (process, _) in list(self._running.items()):
            code = process.poll()
            if code is not None:
                del self._running[name]
                self._say({"event": "ended", "name": name, "pid": process.pid, "code": code})

    def _stop_all(self) -> None:
        """Stop phase by phase, each part with its own signal and patience, then by force."""
        for phase in sorted({order["stop_phase"] for _, order in self._running.values()}):
            members = {n: v for n, v in self._running.items() if v[1]["stop_phase"] == phase}
            for process, order in members.values():
                process.send_signal(order["stop_signal"])
            began = time.monotonic()
            for process, order in members.values():
                _await(process, began + order["stop_seconds"])
            self._reap()


def _await(process: "subprocess.Popen[bytes]", deadline: float) -> None:
    try:
        process.wait(timeout=max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        _kill_session(process.pid)
        process.wait()


def _kill_session(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    Guardian(socket.socket(fileno=int(sys.argv[1]))).run()
