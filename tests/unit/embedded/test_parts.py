import contextlib
import http.server
import re
import shutil
import socket
import threading
import uuid

import pytest
from rich.console import Console

from trimtab.embedded import kafka, postgres, registry
from trimtab.embedded.archive import Archive
from trimtab.embedded.artifacts import Software
from trimtab.embedded.errors import PartError
from trimtab.embedded.events import Event
from trimtab.embedded.leash import Command
from trimtab.embedded.progress import Report
from trimtab.embedded.runtime import environment, postgres_program
from trimtab.embedded.sockets import NAMES

PORTS = {name: 21_000 + n for n, name in enumerate(NAMES)}


@pytest.fixture
def software(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Software(tmp_path / "java", (tmp_path / "a.jar", tmp_path / "b.jar"), tmp_path / "run.jar", "one")


def log_in(folder):
    return lambda name: folder / f"{name}.log"


def test_kafka_is_formatted_once_and_again_if_that_was_cut_short(tmp_path, software):
    part = kafka.Kafka(tmp_path, PORTS, software, log_in(tmp_path))
    ran: list[Command] = []

    def fail(name: str, command: Command) -> None:
        (part.folder / "data").mkdir()
        (part.folder / "data" / "half").touch()
        raise PartError("cut short")

    with pytest.raises(PartError):
        part.prepare(fail)
    part.prepare(lambda _, command: ran.append(command))
    part.prepare(lambda _, command: ran.append(command))
    assert len(ran) == 1
    assert not (part.folder / "data" / "half").exists()
    settings = (part.folder / "server.properties").read_text()
    assert "auto.create.topics.enable=false" in settings
    assert f"advertised.listeners=PLAINTEXT://127.0.0.1:{PORTS['kafka']}\n" in settings


def test_no_cluster_id_looks_like_an_option(monkeypatch):
    ids = iter([uuid.UUID(bytes=b"\xf8" + bytes(15)), uuid.UUID(bytes=bytes(16))])
    monkeypatch.setattr(uuid, "uuid4", lambda: next(ids))
    assert kafka._new_cluster_id() == "A" * 22


def test_java_parts_write_nothing_outside_of_their_folder(tmp_path, software):
    for part in (
        kafka.Kafka(tmp_path, PORTS, software, log_in(tmp_path)),
        registry.Registry(tmp_path, PORTS, software, log_in(tmp_path), "secret"),
    ):
        command = part.command()
        assert command.argv[0] == str(software.java)
        assert f"-Djava.io.tmpdir={part.folder / 'tmp'}" in command.argv
        assert "-XX:-UsePerfData" in command.argv
        assert command.cwd == command.env["HOME"] == str(part.folder)
        assert "secret" not in " ".join(command.argv)  # everybody may read a command line


def test_the_callers_environment_does_not_reach_the_parts(monkeypatch):
    for name in ("JAVA_TOOL_OPTIONS", "CLASSPATH", "PGDATA", "QUARKUS_HTTP_PORT", "LD_PRELOAD"):
        monkeypatch.setenv(name, "harm")
    assert "harm" not in environment(A="b").values()


def test_the_wheel_holds_postgres():
    assert postgres_program("initdb").is_file()


def test_an_archive_is_used_once_made_and_not_for_another_version(tmp_path, software):
    making = Archive("kafka", "one", (), tmp_path, "make")
    assert not making.keep()
    assert Archive("kafka", "one", (), tmp_path, "use").options() == ()
    (tmp_path / "kafka.aot").write_text("archive")
    assert making.options()[0] == f"-XX:AOTCacheOutput={tmp_path / 'kafka.aot'}"
    assert making.keep()
    assert Archive("kafka", "one", (), tmp_path, "use").options()[0] == f"-XX:AOTCache={making.path}"
    assert Archive("kafka", "two", (), tmp_path, "use").options() == ()
    assert Archive("kafka", "one", ("-Xmx1g",), tmp_path, "use").options() == ()


def test_an_archive_is_not_used_in_a_cache_that_was_moved(tmp_path, software, monkeypatch):
    making = Archive("registry", "one", (), tmp_path, "make")
    (tmp_path / "registry.aot").write_text("archive, with the paths of jars in it")
    assert making.keep()
    shutil.copytree(tmp_path / "cache", tmp_path / "moved")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "moved"))
    assert Archive("registry", "one", (), tmp_path, "use").options() == ()


def test_a_user_without_an_entry_gets_a_clear_error(monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 987_654)
    with pytest.raises(PartError, match="postgres needs user 987654 to have an entry in the user database"):
        postgres._database_user()


def test_root_gives_postgres_another_user(monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 0)
    user = postgres._database_user()
    assert user is not None
    assert user.pw_uid != 0


def test_a_closed_folder_above_is_noticed(tmp_path):
    outer = tmp_path / "outer"
    (outer / "inner").mkdir(parents=True)
    outer.chmod(0o700)
    assert not postgres._enterable(outer / "inner")


def test_the_report_shows_events_and_one_bar():
    console = Console(record=True, width=120, force_terminal=False)
    with Report(console) as report:
        report(Event.now("stack", "download", "downloading Kafka and the registry", 5, 10))
        report(Event.now("stack", "download", "downloading Kafka and the registry", 10, 10))
        report(Event.now("kafka", "died", "kafka died (process 1, ended by SIGKILL)"))
    shown = console.export_text()
    assert re.search(r"kafka\s+died\s+kafka died \(process 1, ended by SIGKILL\)", shown)
    assert shown.count("downloading Kafka") <= 2


@pytest.mark.parametrize(("api", "healthy"), [(200, True), (500, False), (None, False)])
def test_a_registry_whose_clients_get_no_answer_is_not_healthy(tmp_path, software, api, healthy):
    with contextlib.ExitStack() as stack:
        ports = dict(PORTS, registry_health=stack.enter_context(answering(200)))
        ports["registry"] = stack.enter_context(answering(api)) if api else stack.enter_context(silent())
        part = registry.Registry(tmp_path, ports, software, log_in(tmp_path), "secret")
        assert part.is_healthy() is healthy


@contextlib.contextmanager
def answering(status: int):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@contextlib.contextmanager
def silent():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]
