import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from trimtab.embedded import errands
from trimtab.embedded.crew import Crew, last_words
from trimtab.embedded.errors import PartError, StackError
from trimtab.embedded.leash import Command
from trimtab.embedded.restarts import FIRST_PAUSE_SECONDS, LIMIT, WINDOW_SECONDS, Restarts

# A part that takes a moment, says something, and is healthy once it listens.
SERVER = """
import socket, sys, time
print("serving", flush=True)
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    server.accept()[0].close()
"""


class Echo:
    name = "kafka"

    def __init__(self, folder: Path, program: str = SERVER) -> None:
        self.folder = folder
        self.program = program
        self.prepared = 0
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def prepare(self, run) -> None:
        self.prepared += 1

    def command(self) -> Command:
        argv = (sys.executable, "-c", self.program, str(self.port))
        return Command(
            argv, {"MARK": str(self.folder)}, str(self.folder), str(self.folder / "echo.log"), stop_seconds=5
        )

    def is_healthy(self) -> bool:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        return False

    def settle(self) -> None:
        return


class Bench:
    """A crew with a journal of what it told."""

    def __init__(self, folder: Path, policy="never") -> None:
        self.told: list[tuple[str, str, str]] = []
        self.heard = threading.Condition()
        self.crew = Crew(self.tell, Restarts(policy), lambda: None)
        self.lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR)
        self.crew.open(folder / "guardian.log", self.lock)

    def tell(self, part, kind, text) -> None:
        with self.heard:
            self.told.append((part, kind, text))
            self.heard.notify_all()

    def wait_for(self, kind: str, times: int = 1) -> None:
        with self.heard:
            assert self.heard.wait_for(lambda: [k for _, k, _ in self.told].count(kind) >= times, 30), self.told

    def close(self) -> None:
        self.crew.close(20)
        os.close(self.lock)


@pytest.fixture
def make_bench(tmp_path):
    benches: list[Bench] = []

    def make(policy="never") -> Bench:
        benches.append(Bench(tmp_path, policy))
        return benches[-1]

    yield make
    for bench in benches:
        bench.close()


def is_gone(pid: int, seconds_max: float = 15.0) -> bool:
    deadline = time.monotonic() + seconds_max
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def test_a_part_is_brought_up_and_ended(make_bench, tmp_path):
    bench, part = make_bench(), Echo(tmp_path)
    bench.crew.bring_up(part)
    pid = bench.crew.pids()["kafka"]
    assert part.is_healthy()
    assert bench.crew.close(20)
    assert is_gone(pid)
    assert not part.is_healthy()
    assert (tmp_path / "echo.log").read_text() == "serving\n"


def test_a_crash_is_told_and_by_default_nothing_is_started(make_bench, tmp_path):
    bench, part = make_bench(), Echo(tmp_path)
    bench.crew.bring_up(part)
    bench.crew.kill("kafka")
    bench.wait_for("died")
    assert "SIGKILL" in bench.told[-1][2]
    assert bench.crew.pids() == {}
    assert part.prepared == 1
    bench.crew.restart("kafka")
    assert part.is_healthy()
    assert part.prepared == 2


def test_with_on_crash_the_part_comes_back_loudly(make_bench, tmp_path):
    bench, part = make_bench("on_crash"), Echo(tmp_path)
    bench.crew.bring_up(part)
    before = bench.crew.pids()["kafka"]
    bench.crew.kill("kafka")
    bench.wait_for("ready", times=2)
    assert bench.crew.pids()["kafka"] != before
    assert [kind for _, kind, _ in bench.told] == [
        "starting",
        "ready",
        "killed",
        "died",
        "restarting",
        "starting",
        "ready",
    ]


def test_a_part_that_cannot_come_back_is_given_up(make_bench, tmp_path, monkeypatch):
    monkeypatch.setattr("trimtab.embedded.restarts.FIRST_PAUSE_SECONDS", 0.001)
    bench, part = make_bench("on_crash"), Echo(tmp_path)
    bench.crew.bring_up(part)
    part.program = "raise SystemExit('no disk')"
    bench.crew.kill("kafka")
    bench.wait_for("gave_up")
    assert [kind for _, kind, _ in bench.told].count("restarting") == LIMIT
    assert bench.crew.pids() == {}


def test_restarting_a_living_part_is_no_crash(make_bench, tmp_path):
    bench, part = make_bench(), Echo(tmp_path)
    bench.crew.bring_up(part)
    before = bench.crew.pids()["kafka"]
    bench.crew.restart("kafka")
    assert bench.crew.pids()["kafka"] != before
    assert "died" not in [kind for _, kind, _ in bench.told]


def test_a_part_that_ends_while_starting_names_its_last_words(make_bench, tmp_path):
    bench = make_bench()
    with pytest.raises(PartError, match=r"kafka ended while starting .exit code 1.: no disk; see .*echo\.log"):
        bench.crew.bring_up(Echo(tmp_path, "raise SystemExit('no disk')"))


def test_a_program_that_is_not_there_is_one_clear_error(make_bench, tmp_path):
    bench = make_bench()
    command = Command((str(tmp_path / "none"),), {}, str(tmp_path), str(tmp_path / "log"))
    with pytest.raises(PartError, match=r"initdb cannot be started: .*No such file"):
        bench.crew.run("initdb", command)


def test_a_one_off_that_fails_is_an_error(make_bench, tmp_path):
    bench = make_bench()
    command = Command((sys.executable, "-c", "print('bad'); raise SystemExit(4)"), {}, "/", str(tmp_path / "log"))
    with pytest.raises(PartError, match=r"initdb failed .exit code 4.: bad"):
        bench.crew.run("initdb", command)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_when_the_guardian_is_killed_its_parts_go_too(make_bench, tmp_path):
    bench, part = make_bench(), Echo(tmp_path)
    bench.crew.bring_up(part)
    pid = bench.crew.pids()["kafka"]
    os.kill(bench.crew.guardian_pid, signal.SIGKILL)
    bench.wait_for("died")
    assert is_gone(pid)
    assert bench.crew.lost.is_set()
    assert bench.crew.pids() == {}
    with pytest.raises(PartError, match="guardian process is gone"):
        bench.crew.restart("kafka")


def test_when_the_supervisor_is_killed_a_stubborn_part_goes_too(tmp_path):
    """The part ignores its stop signal, and its supervisor cannot ask any more."""
    program = f"""
import os, sys, time
from pathlib import Path
from trimtab.embedded.leash import Command, Leash
stubborn = "import signal,time; signal.signal(15, signal.SIG_IGN); print('here', flush=True); time.sleep(600)"
lock = os.open({str(tmp_path / "lock")!r}, os.O_CREAT | os.O_RDWR)
leash = Leash(Path({str(tmp_path / "guardian.log")!r}), lock, lambda *_: None, lambda: None)
log = {str(tmp_path / "part.log")!r}
command = Command((sys.executable, "-c", stubborn), {{}}, "/", log, stop_seconds=0.5)
pid = leash.start("kafka", command)
while not Path(log).read_bytes():
    time.sleep(0.02)
print(leash.pid, pid, flush=True)
time.sleep(600)
"""
    supervisor = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert supervisor.stdout is not None
    guardian, part = (int(pid) for pid in supervisor.stdout.readline().split())
    supervisor.kill()
    supervisor.wait()
    supervisor.stdout.close()
    assert is_gone(part)
    assert is_gone(guardian)


def test_parts_inherit_no_lock_no_control_socket_and_no_ignored_signals(make_bench, tmp_path):
    bench = make_bench()
    log = tmp_path / "log"
    count = "[os.path.exists(f'/dev/fd/{n}') for n in range(3, 40)].count(True)"
    look = f"import os,signal; print({count}, int(signal.getsignal(15)))"
    bench.crew.run("look", Command((sys.executable, "-c", look), {}, "/", str(log)))
    assert log.read_text() == "0 0\n"


def test_the_pause_grows_and_the_limit_holds_within_the_window():
    now = [0.0]
    restarts = Restarts("on_crash", lambda: now[0])
    pauses = [restarts.pause_after_crash("kafka") for _ in range(LIMIT + 1)]
    assert pauses[:LIMIT] == [FIRST_PAUSE_SECONDS * 2**n for n in range(LIMIT)]
    assert pauses[LIMIT] is None
    assert restarts.pause_after_crash("postgres") == FIRST_PAUSE_SECONDS
    now[0] = WINDOW_SECONDS + 1
    assert restarts.pause_after_crash("kafka") == FIRST_PAUSE_SECONDS
    assert Restarts("never").pause_after_crash("kafka") is None


def test_last_words_are_the_last_words_that_says_something(tmp_path):
    log = tmp_path / "log"
    assert last_words(log) == "-"
    log.write_bytes(b"first\nlast \xff\n\n  \n")
    assert last_words(log).startswith("last")
    log.write_text(
        "ERROR: it ended\n\tat io.example.Runner.main(Runner.java:62)\n"
        "Caused by: java.nio.file.AccessDeniedException: /a.jar\n"
        "\tat java.base/java.nio.Files.read(Files.java:12)\n\t... 24 more\n\n"
    )
    assert last_words(log) == "Caused by: java.nio.file.AccessDeniedException: /a.jar"
    with log.open("a") as more:
        more.write("17 INFO shut down\n18 ERROR Port 29038 is in use\n19 WARN kill it yourself\n")
    assert last_words(log) == "18 ERROR Port 29038 is in use"
    log.write_text("LOG:  could not bind\nFATAL:  could not create any TCP/IP sockets\nLOG:  shut down\n")
    assert last_words(log) == "FATAL:  could not create any TCP/IP sockets"


def test_an_errand_is_done_and_answered(tmp_path):
    done: list[str] = []
    stop = threading.Event()

    def serve() -> None:
        while not stop.wait(0.01):
            errands.do_errands(tmp_path, work)

    def work(part) -> None:
        done.append(part)
        if part == "kafka":
            raise PartError("kafka is stubborn")

    server = threading.Thread(target=serve)
    server.start()
    try:
        errands.ask_restart(tmp_path, "postgres")
        with pytest.raises(PartError, match="kafka is stubborn"):
            errands.ask_restart(tmp_path, "kafka")
    finally:
        stop.set()
        server.join()
    assert done == ["postgres", "kafka"]
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StackError, match="'zookeeper' is no part; allowed: kafka, registry, postgres"):
        errands.ask_restart(tmp_path, "zookeeper")
