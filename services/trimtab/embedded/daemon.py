"""A stack as a process of its own: in the foreground until it is told to stop, or detached."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import psutil

from trimtab.embedded.crew import last_words
from trimtab.embedded.errands import do_errands
from trimtab.embedded.errors import FolderInUseError, PartError, StackError
from trimtab.embedded.events import Event, OnEvent, ignore, read_events
from trimtab.embedded.folder import Addresses, Folder
from trimtab.embedded.restarts import Restart
from trimtab.embedded.supervisor import Stack
from trimtab.embedded.warm import prepare

POLL_SECONDS = 0.1
STOP_SECONDS_MAX = 90.0


class StopRequestedError(BaseException):
    """SIGTERM or SIGINT came. Not an Exception, so nothing on the way swallows it."""


def run_foreground(
    folder: Path,
    *,
    restart: Restart = "never",
    on_event: OnEvent = ignore,
    on_ready: Callable[[Addresses], None] | None = None,
) -> None:
    """Run a stack until SIGTERM or SIGINT, then stop it. Call it from the main thread.

    Raises StackError when the stack does not start or is lost.
    """
    stack = Stack(folder, restart=restart, on_event=on_event)
    before = {number: signal.signal(number, _request_stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        prepare(on_event)
        addresses = stack.start()
        if on_ready is not None:
            on_ready(addresses)
        while not stack.is_lost:
            do_errands(stack.folder.path, stack.restart_part)
            time.sleep(POLL_SECONDS)
        raise PartError(f"{folder}: the guardian process died, and every part with it; start the stack again")
    except StopRequestedError:
        return
    finally:
        stack.stop()
        for number, handler in before.items():
            signal.signal(number, handler)


def _request_stop(_number: int, _frame: FrameType | None) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # once is enough: stopping must not be cut short
    raise StopRequestedError


def start_detached(folder: Path, *, restart: Restart = "never", on_event: OnEvent = ignore) -> Addresses:
    """Start a stack that outlives this process; returns when it is ready.

    What a first start needs is made here, where `on_event` shows it. Raises StackError when the stack does not start.
    """
    home = Folder(folder)
    _refuse_running(home)
    prepare(on_event)
    home.make()
    (home.path / "addresses.json").unlink(missing_ok=True)  # a stack that was killed leaves it
    log = home.log("supervisor")
    arguments = ("up", "--folder", str(home.path), "--restart", restart, "--plain")
    with log.open("ab") as output:
        child = subprocess.Popen(  # noqa: S603  our own program
            [sys.executable, "-m", "trimtab.embedded", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _await_ready(home, child, on_event)
    except BaseException:
        child.terminate()
        child.wait()
        raise
    return Addresses.read(home.path)


def _await_ready(home: Folder, child: "subprocess.Popen[bytes]", on_event: OnEvent) -> None:
    log = home.path / "events.log"
    told = log.stat().st_size if log.exists() else 0
    while not (home.path / "addresses.json").exists():
        if child.poll() is not None:
            raise StackError(last_words(home.logs / "supervisor.log").removeprefix("error: "))
        told = read_events(log, told, on_event)
        time.sleep(POLL_SECONDS)
    read_events(log, told, on_event)


def stop_detached(folder: Path, *, on_event: OnEvent = ignore) -> bool:
    """Stop the stack on `folder`, whoever started it; False if none ran. Data stay.

    Raises StackError when it does not stop.
    """
    home = Folder(folder)
    if not home.path.is_dir():
        return False
    note = home.processes().get("supervisor")
    supervisor = note.find() if note else None
    if supervisor is None:
        home.hold(lambda text: on_event(Event.now("stack", "stopping", text)))  # a guardian may still be at work
        home.release()
        return False
    on_event(Event.now("stack", "stopping", f"stopping process {supervisor.pid}"))
    try:
        supervisor.terminate()
        supervisor.wait(STOP_SECONDS_MAX)
    except psutil.NoSuchProcess:
        pass
    except psutil.AccessDenied:
        raise StackError(f"{home.path}: process {supervisor.pid} belongs to another user") from None
    except psutil.TimeoutExpired:
        raise StackError(f"{home.path}: process {supervisor.pid} does not stop; see {home.logs}") from None
    on_event(Event.now("stack", "stopped", "stopped"))
    return True


def describe(folder: Path) -> dict[str, object]:
    """What runs on `folder`: running, pids, and the addresses without the password."""
    home = Folder(folder)
    pids = {name: process.pid for name, process in home.processes().items() if process.find()}
    if "supervisor" not in pids or not (home.path / "addresses.json").exists():
        return {"folder": str(home.path), "running": False, "pids": pids}
    addresses = Addresses.read(home.path)
    return {
        "folder": str(home.path),
        "running": True,
        "pids": pids,
        "kafka": addresses.kafka,
        "registry": addresses.registry,
        "postgres": addresses.postgres_without_password,
    }


def _refuse_running(home: Folder) -> None:
    note = home.processes().get("supervisor")
    if note and note.find() and note.pid != os.getpid():
        raise FolderInUseError(f"{home.path}: another stack runs on this folder (process {note.pid})")
