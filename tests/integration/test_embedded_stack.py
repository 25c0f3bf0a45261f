"""The real Kafka, registry and PostgreSQL: what clients rely on, crashes, and that nothing is ever left running."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from confluent_kafka import Consumer, KafkaError, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from trimtab.embedded import daemon, supervisor
from trimtab.embedded.cache import cache_folder
from trimtab.embedded.errors import DownloadError, FolderInUseError, PartError, StackError
from trimtab.embedded.events import Event
from trimtab.embedded.folder import Addresses
from trimtab.embedded.postgres import UNPRIVILEGED_USER
from trimtab.embedded.supervisor import Stack
from trimtab.embedded.warm import prepare

pytestmark = pytest.mark.integration

SCHEMA = '{"type": "record", "name": "Fill", "fields": [{"name": "id", "type": "string"}]}'
FORMAT = "application/vnd.schemaregistry.v1+json"


def processes_on(folder: Path) -> list[psutil.Process]:
    """Every process that names the folder on its command line or works in it, except this one."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if str(folder) in " ".join(process.cmdline()) or process.cwd().startswith(str(folder)):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def assert_nothing_runs_on(folder: Path, seconds_max: float = 30.0) -> None:
    deadline = time.monotonic() + seconds_max
    while left := processes_on(folder):
        assert time.monotonic() < deadline, [process.cmdline() for process in left]
        time.sleep(0.1)


@pytest.fixture(scope="module")
def downloaded() -> None:
    prepare()


@pytest.fixture
def folder(tmp_path, downloaded) -> Iterator[Path]:
    path = tmp_path / "stack"
    yield path
    assert_nothing_runs_on(path)


class Witness:
    """A running stack and what it told."""

    def __init__(self, folder: Path) -> None:
        self.events: list[Event] = []
        self.stack = Stack(folder, on_event=self.events.append)

    def kinds(self, part: str) -> list[str]:
        return [event.kind for event in self.events if event.part == part]


@pytest.fixture(scope="module")
def witness(tmp_path_factory, downloaded) -> Iterator[Witness]:
    folder = tmp_path_factory.mktemp("shared") / "stack"
    found = Witness(folder)
    with found.stack:
        yield found
    assert_nothing_runs_on(folder, 1.0)


@pytest.fixture
def stack(witness) -> Stack:
    """The shared stack, made whole again if a test before left a part down."""
    for part in ("postgres", "kafka", "registry"):
        if part not in witness.stack.pids():
            witness.stack.restart_part(part)
    return witness.stack


def make_topic(kafka: str, partitions: int = 1) -> str:
    name = f"t-{uuid.uuid4().hex[:8]}"
    client = AdminClient({"bootstrap.servers": kafka})
    client.create_topics([NewTopic(name, partitions, 1)])[name].result(20)
    return name


def produce(kafka: str, topic: str, values: list[str]) -> None:
    producer = Producer({"bootstrap.servers": kafka, "acks": "all", "enable.idempotence": True})
    for value in values:
        producer.produce(topic, value.encode())
    assert producer.flush(60) == 0


def consume(kafka: str, topic: str, count: int) -> list[str]:
    settings = {"bootstrap.servers": kafka, "group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest"}
    consumer = Consumer(settings)
    consumer.subscribe([topic])
    values: list[str] = []
    deadline = time.monotonic() + 60
    while len(values) < count and time.monotonic() < deadline:
        message = consumer.poll(1.0)
        if message is not None and message.error() is None:
            values.append(message.value().decode())
    consumer.close()
    return values


def ask_registry(registry: str, path: str, body: dict[str, str] | None = None) -> object:
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(f"{registry}{path}", data, {"Content-Type": FORMAT})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def test_kafka_keeps_and_returns_records(stack):
    kafka = stack.addresses.kafka
    topic = make_topic(kafka, partitions=1)
    produce(kafka, topic, ["a", "b"])
    assert consume(kafka, topic, 2) == ["a", "b"]


def test_a_topic_that_nobody_made_is_not_made_by_a_typing_error(stack):
    producer = Producer({"bootstrap.servers": stack.addresses.kafka, "message.timeout.ms": 3000})
    heard: list[KafkaError | None] = []
    producer.produce("no-such-topic", b"x", on_delivery=lambda error, _: heard.append(error))
    producer.flush(20)
    assert heard[0] is not None
    assert (
        "no-such-topic" not in AdminClient({"bootstrap.servers": stack.addresses.kafka}).list_topics(timeout=10).topics
    )


def test_the_registry_speaks_the_confluent_dialect_and_has_no_compatibility_level_yet(stack):
    registry = stack.addresses.registry
    assert registry.endswith("/apis/ccompat/v7")
    found = ask_registry(registry, "/subjects/fills-value/versions", {"schema": SCHEMA})
    assert isinstance(found, dict)
    read = ask_registry(registry, f"/schemas/ids/{found['id']}")
    assert isinstance(read, dict)
    assert json.loads(read["schema"])["name"] == "Fill"
    assert ask_registry(registry, "/config") == {"compatibilityLevel": "NONE"}


def test_the_owner_may_make_roles_and_the_settings_are_durable(stack):
    with psycopg.connect(stack.addresses.postgres, autocommit=True) as session:
        role = f"svc_{uuid.uuid4().hex[:8]}"
        session.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
        session.execute(f"DROP ROLE {role}")
        shown = {
            name: session.execute(f"SHOW {name}").fetchone()[0]
            for name in ("fsync", "synchronous_commit", "full_page_writes", "max_connections", "server_version")
        }
    assert shown.pop("server_version").startswith("18.")
    assert shown == {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "max_connections": "100"}


def test_postgres_wants_the_password_and_keeps_the_registrys_database_apart(stack):
    owner = stack.addresses.postgres
    parts = psycopg.conninfo.conninfo_to_dict(owner)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(**{**parts, "password": "wrong"})
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(**{**parts, "dbname": "registry"})


def test_everything_listens_on_loopback_only(stack):
    for pid in stack.pids().values():
        listening = [c for c in psutil.Process(pid).net_connections() if c.status == psutil.CONN_LISTEN]
        assert listening
        assert {c.laddr.ip.removeprefix("::ffff:") for c in listening} == {"127.0.0.1"}


def test_postgres_never_runs_as_root(stack):
    assert psutil.Process(stack.pids()["postgres"]).uids().effective != 0


def test_other_processes_can_attach_and_the_secrets_are_private(stack):
    folder = stack.folder.path
    assert Addresses.read(folder) == stack.addresses
    for name in ("addresses.json", "secrets.json", "stack.json"):
        assert (folder / name).stat().st_mode & 0o077 == 0


def test_a_folder_in_use_is_refused_and_the_running_stack_untouched(stack):
    with pytest.raises(FolderInUseError, match=f"another stack runs on this folder .process {os.getpid()}"):
        Stack(stack.folder.path).start()
    assert stack.health() == {"kafka": True, "registry": True, "postgres": True}
    assert Addresses.read(stack.folder.path) == stack.addresses


def test_a_killed_broker_comes_back_on_its_port_with_every_acknowledged_record(stack, witness):
    kafka = stack.addresses.kafka
    topic = make_topic(kafka)
    values = [str(n) for n in range(500)]
    produce(kafka, topic, values)
    stack.kill("kafka")
    assert "kafka" not in stack.pids()
    stack.restart_part("kafka")
    assert stack.addresses.kafka == kafka
    assert consume(kafka, topic, 500) == values
    assert witness.kinds("kafka")[-5:] == ["killed", "died", "restarting", "starting", "ready"]


def test_a_killed_database_comes_back_with_every_committed_row_and_the_registry_recovers(stack, witness):
    dsn = stack.addresses.postgres
    table = f"t_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(dsn, autocommit=True) as session:
        session.execute(f"CREATE TABLE {table} (n int)")
        session.execute(f"INSERT INTO {table} SELECT generate_series(1, 1000)")
    stack.kill("postgres")
    stack.restart_part("postgres")
    with psycopg.connect(dsn) as session:
        assert session.execute(f"SELECT count(*) FROM {table}").fetchone() == (1000,)
    assert "died" in witness.kinds("postgres")
    deadline = time.monotonic() + 60
    while not stack.health()["registry"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert isinstance(ask_registry(stack.addresses.registry, "/subjects"), list)


def test_a_killed_registry_comes_back_with_its_schemas(stack):
    registry = stack.addresses.registry
    subject = f"s-{uuid.uuid4().hex[:8]}"
    ask_registry(registry, f"/subjects/{subject}/versions", {"schema": SCHEMA})
    stack.kill("registry")
    with pytest.raises(PartError, match="registry does not run"):
        stack.kill("registry")
    stack.restart_part("registry")
    assert ask_registry(registry, f"/subjects/{subject}/versions") == [1]


def test_a_second_stack_runs_beside_the_first_keeps_its_data_and_restarts_crashed_parts(stack, folder):
    events: list[Event] = []
    with Stack(folder, restart="on_crash", on_event=events.append) as other:
        first = other.addresses
        assert {first.kafka, first.registry, first.postgres}.isdisjoint(vars(stack.addresses).values())
        topic = make_topic(first.kafka)
        produce(first.kafka, topic, ["kept"])
        with psycopg.connect(first.postgres, autocommit=True) as session:
            session.execute("CREATE TABLE kept AS SELECT 1 AS n")
        other.kill("postgres")
        deadline = time.monotonic() + 60
        while [e.kind for e in events if e.part == "postgres"].count("ready") < 2:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert {"died", "restarting"} <= {e.kind for e in events if e.part == "postgres"}
    assert_nothing_runs_on(folder, 1.0)
    with pytest.raises(StackError, match="no stack runs here"):
        Addresses.read(folder)
    with Stack(folder) as again:
        assert again.addresses == first
        assert consume(first.kafka, topic, 1) == ["kept"]
        with psycopg.connect(first.postgres) as session:
            assert session.execute("SELECT n FROM kept").fetchone() == (1,)


def test_a_start_that_fails_leaves_nothing_running(folder, monkeypatch):
    class Squatter:
        """Somebody takes the registry's port between the choice and the start."""

        def __init__(self) -> None:
            self.socket = socket.socket()

        def choose(self, memory: Path) -> dict[str, int]:
            ports = dict(real_choice(memory))
            self.socket.bind(("127.0.0.1", ports["registry"]))
            self.socket.listen()
            return ports

    real_choice, squatter = supervisor.choose_ports, Squatter()
    monkeypatch.setattr(supervisor, "choose_ports", squatter.choose)
    with (
        squatter.socket,
        pytest.raises(PartError, match=r"registry ended while starting .*registry\.log"),
        Stack(folder),
    ):
        pass
    assert_nothing_runs_on(folder, 1.0)
    assert not (folder / "addresses.json").exists()


def test_without_downloads_and_network_there_is_one_line_and_exit_code_3(tmp_path):
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "M2_REPO": str(tmp_path / "m2"),
        "TRIMTAB_MAVEN_REPOSITORY": "http://127.0.0.1:9",
    }
    command = [sys.executable, "-m", "trimtab.embedded", "up", "--folder", str(tmp_path / "stack")]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == DownloadError.exit_code == 3
    assert result.stdout == ""
    assert [line.split(":")[0] for line in result.stderr.splitlines()] == ["error"]
    assert "no connection to the Maven repository" in result.stderr


def run_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "trimtab.embedded", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)


def test_a_detached_stack_is_shown_restarted_refused_and_stopped(folder):
    told: list[Event] = []
    addresses = daemon.start_detached(folder, on_event=told.append)
    try:
        assert {"postgres", "registry", "kafka", "stack"} <= {e.part for e in told if e.kind == "ready"}
        with psycopg.connect(addresses.postgres) as session:
            session.execute("SELECT 1")
        status = run_command("status", "--folder", str(folder), "--json")
        shown = json.loads(status.stdout)
        assert (status.returncode, shown["running"], shown["kafka"]) == (0, True, addresses.kafka)
        assert addresses.postgres not in status.stdout
        with pytest.raises(FolderInUseError):
            daemon.start_detached(folder)
        os.kill(shown["pids"]["kafka"], signal.SIGKILL)
        assert run_command("restart", "--folder", str(folder), "kafka").returncode == 0
        topic = make_topic(addresses.kafka)
        produce(addresses.kafka, topic, ["x"])
    finally:
        assert daemon.stop_detached(folder)
    assert_nothing_runs_on(folder, 1.0)
    assert not daemon.stop_detached(folder)
    assert run_command("status", "--folder", str(folder)).returncode == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["starting", "ready"])
def test_a_signal_stops_the_foreground_stack_at_any_moment(folder, number, moment):
    command = [sys.executable, "-m", "trimtab.embedded", "up", "--folder", str(folder), "--plain"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = iter(process.stderr)
        wanted = "postgres  ready" if moment == "starting" else "stack     ready"
        assert any(line.startswith(wanted) for line in lines)
        process.send_signal(number)
        rest = list(lines)
        assert process.wait(60) == 0
    assert rest[-1].startswith("stack     stopped")
    assert_nothing_runs_on(folder, 1.0)


def test_when_the_supervisor_is_killed_everything_stops_and_the_folder_starts_again(folder):
    addresses = daemon.start_detached(folder)
    with psycopg.connect(addresses.postgres, autocommit=True) as session:
        session.execute("CREATE TABLE kept AS SELECT 1 AS n")
    pids = daemon.describe(folder)["pids"]
    assert isinstance(pids, dict)
    assert set(pids) == {"supervisor", "guardian", "kafka", "registry", "postgres"}
    os.kill(pids["supervisor"], signal.SIGKILL)
    with Stack(folder) as stack:  # at once: it waits for the guardian to finish
        with psycopg.connect(stack.addresses.postgres) as session:
            assert session.execute("SELECT n FROM kept").fetchone() == (1,)
        assert all(not psutil.pid_exists(pid) or is_zombie(pid) for pid in pids.values())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_when_supervisor_and_guardian_are_killed_together_nothing_is_left(folder):
    addresses = daemon.start_detached(folder)
    pids = daemon.describe(folder)["pids"]
    assert isinstance(pids, dict)
    for name in ("supervisor", "guardian"):
        os.kill(pids[name], signal.SIGKILL)
    assert_nothing_runs_on(folder)
    with Stack(folder) as stack:
        assert stack.addresses == addresses


def is_zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="for anybody but root, every test here runs as that user"
)
def test_an_ordinary_user_can_run_it_too():
    """As the system's unprivileged user with a home and a cache of its own.

    It keeps one right of root, to read the interpreter and the wheels wherever root installed them.
    """
    user = UNPRIVILEGED_USER
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        home = Path(name)
        # What is at work is left out, and so is the count of ports: with the same one both users would choose the same.
        passing = shutil.ignore_patterns("warm-*", "*.lock", "ports.last", ".*")
        shutil.copytree(cache_folder(), home / "cache" / "trimtab", ignore=passing)
        for path in (home, *home.rglob("*")):
            shutil.chown(path, user)
        as_user = ["setpriv", f"--reuid={user}", "--regid=65534", "--clear-groups"]
        rights = ["--inh-caps=-all,+dac_override", "--ambient-caps=+dac_override", "--bounding-set=-all,+dac_override"]
        folder = home / "stack"
        environment = {**os.environ, "HOME": name, "XDG_CACHE_HOME": str(home / "cache")}

        def run(*arguments: str) -> subprocess.CompletedProcess[str]:
            command = [*as_user, *rights, sys.executable, "-m", "trimtab.embedded", *arguments, "--folder", str(folder)]
            return subprocess.run(
                command, env=environment, cwd=name, capture_output=True, text=True, timeout=180, check=False
            )

        started = run("up", "--detach")
        try:
            assert started.returncode == 0, started.stderr
            pids = daemon.describe(folder)["pids"]
            assert isinstance(pids, dict)
            assert {psutil.Process(pid).username() for pid in pids.values()} == {user}
            with psycopg.connect(Addresses.read(folder).postgres) as session:
                session.execute("SELECT 1")
        finally:
            stopped = run("down")
        assert stopped.returncode == 0, stopped.stderr
        assert_nothing_runs_on(folder, 1.0)
