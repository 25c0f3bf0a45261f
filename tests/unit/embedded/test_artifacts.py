import hashlib
import http.server
import io
import shutil
import tarfile
import threading
from pathlib import Path

import pytest

from trimtab.embedded import artifacts
from trimtab.embedded.artifact import Artifact, locked, parse_line
from trimtab.embedded.errors import DownloadError, StackError
from trimtab.embedded.fetch import CHUNK_BYTES, fetch, take_local
from trimtab.embedded.repositories import OVERRIDE, mirror_of_central, repositories


class Repository(http.server.ThreadingHTTPServer):
    """A Maven repository on loopback: serves `files`, counts requests, can break transfers off."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.break_off = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Repository

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append((self.path, wanted))
        body = self.server.files.get(self.path)
        if body is None:
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        rest = body[start:]
        if self.server.break_off:
            self.server.break_off -= 1
            rest = rest[: len(rest) // 2]
        self.wfile.write(rest)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def repository():
    server = Repository()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr("trimtab.embedded.fetch.PAUSES_S", (0.0, 0.0))


def artifact_of(body: bytes, part: str = "kafka", name: str = "thing", extension: str = "jar") -> Artifact:
    return Artifact(part, "org.example", name, extension, "", "1.0", len(body), hashlib.sha256(body).hexdigest())


def registry_archive() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, body in {"quarkus-run.jar": b"run", "lib/a.jar": b"a" * 1000}.items():
            info = tarfile.TarInfo(name)
            info.size, info.uid, info.uname = len(body), 1001, "builder"
            tar.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


def test_the_lock_file_names_the_promised_versions_and_no_host():
    found = {f"{a.name}:{a.version}": a for a in locked()}
    assert {"kafka_2.13:4.3.1", "kafka-clients:4.3.1", "apicurio-registry-app:3.3.3"} <= set(found)
    assert all(len(a.sha256) == 64 and a.size > 0 for a in found.values())
    assert not any("://" in a.line() or "repo" in a.group for a in found.values())
    # slf4j and its binding must be of one generation, or the broker logs nothing
    assert found["slf4j-api:1.7.36"].part == "kafka"
    assert "log4j-slf4j-impl:2.25.4" in found


def test_a_lock_line_reads_back_as_it_was_written():
    for artifact in locked():
        assert parse_line(artifact.line()) == artifact


@pytest.mark.parametrize("line", ["kafka a:b:jar:1 12", "kafka a:jar:1 x " + "0" * 64, "kafka a:b:jar:1 1 abc"])
def test_a_bad_lock_line_is_one_clear_error(line):
    with pytest.raises(StackError, match="is not 'part coordinates size sha256'"):
        parse_line(line)


def test_a_classifier_is_part_of_the_path():
    registry = next(a for a in locked() if a.part == "registry")
    assert str(registry.path) == ("io/apicurio/apicurio-registry-app/3.3.3/apicurio-registry-app-3.3.3-all.tar.gz")


def test_a_broken_transfer_is_resumed_where_it_broke(repository, tmp_path):
    body = bytes(range(256)) * 4000
    artifact = artifact_of(body)
    repository.files[f"/{artifact.path}"] = body
    repository.break_off = 1
    sizes: list[int] = []
    fetch(artifact, tmp_path / "thing.jar", (repository.url,), sizes.append)
    assert (tmp_path / "thing.jar").read_bytes() == body
    assert [r for _, r in repository.asked] == [None, f"bytes={CHUNK_BYTES}-"]  # whole pieces are kept
    assert sizes[-1] == len(body)


def test_what_does_not_have_the_locked_hash_is_refused(repository, tmp_path):
    artifact = artifact_of(b"as locked")
    repository.files[f"/{artifact.path}"] = b"tampered!"
    with pytest.raises(DownloadError, match="sha256") as raised:
        fetch(artifact, tmp_path / "thing.jar", (repository.url,), lambda _: None)
    assert raised.value.exit_code == 3
    assert list(tmp_path.iterdir()) == []


def test_a_missing_artifact_and_a_missing_network_are_told_apart(repository, tmp_path):
    artifact = artifact_of(b"x")
    with pytest.raises(DownloadError, match="the repository answers 404"):
        fetch(artifact, tmp_path / "a", (repository.url,), lambda _: None)
    with pytest.raises(DownloadError, match="no connection to the Maven repository"):
        fetch(artifact, tmp_path / "a", ("http://127.0.0.1:9",), lambda _: None)


def test_the_next_repository_is_asked_when_one_fails(repository, tmp_path):
    artifact = artifact_of(b"x")
    repository.files[f"/{artifact.path}"] = b"x"
    fetch(artifact, tmp_path / "a", ("http://127.0.0.1:9", repository.url), lambda _: None)
    assert (tmp_path / "a").read_bytes() == b"x"


def test_a_local_repository_is_used_only_with_the_right_hash(tmp_path):
    artifact = artifact_of(b"right")
    there = tmp_path / "m2" / artifact.path
    there.parent.mkdir(parents=True)
    there.write_bytes(b"wrong")
    assert not take_local(artifact, tmp_path / "a", tmp_path / "m2", lambda _: None)
    there.write_bytes(b"right")
    assert take_local(artifact, tmp_path / "a", tmp_path / "m2", lambda _: None)
    assert (tmp_path / "a").read_bytes() == b"right"


@pytest.fixture
def cache(repository, monkeypatch, tmp_path):
    """A user with an empty cache, an empty home, and a repository with one jar and one registry."""
    jar, archive = b"j" * 5000, registry_archive()
    wanted = (artifact_of(jar), artifact_of(archive, "registry", "registry", "tar.gz"))
    for artifact, body in zip(wanted, (jar, archive), strict=True):
        repository.files[f"/{artifact.path}"] = body
    monkeypatch.setattr(artifacts, "locked", lambda: wanted)
    monkeypatch.setattr(artifacts, "java", lambda: tmp_path / "java")
    monkeypatch.setattr(artifacts, "repositories", lambda: (repository.url,))
    monkeypatch.setattr(artifacts, "local_repository", lambda: tmp_path / "no-m2")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "trimtab"


def nobody_listens(*_: object) -> None:
    return


def test_everything_is_fetched_once_and_then_found(repository, cache):
    told: list[tuple[int, int]] = []
    software = artifacts.ready(lambda _, done, total: told.append((done, total)))
    assert software.registry_jar.read_bytes() == b"run"
    assert [jar.read_bytes() for jar in software.kafka_jars] == [b"j" * 5000]
    assert told[-1][0] == told[-1][1] > 5000
    asked = len(repository.asked)
    assert artifacts.ready(nobody_listens) == software
    assert len(repository.asked) == asked


@pytest.mark.parametrize("damage", ["jar changed", "jar cut", "tree changed", "tree lacks a file", "no manifest"])
def test_damage_in_the_cache_is_noticed_and_mended(cache, damage):
    software = artifacts.ready(nobody_listens)
    jar, library = software.kafka_jars[0], software.registry_jar.parent / "lib" / "a.jar"
    match damage:
        case "jar changed":
            jar.write_bytes(b"k" * 5000)
        case "jar cut":
            jar.write_bytes(b"j")
        case "tree changed":
            library.write_bytes(b"b" * 1000)
        case "tree lacks a file":
            library.unlink()
        case "no manifest":
            (software.registry_jar.parent / artifacts.MANIFEST).unlink()
    artifacts.ready(nobody_listens)
    assert jar.read_bytes() == b"j" * 5000
    assert library.read_bytes() == b"a" * 1000


def test_two_who_start_at_once_download_once(repository, cache):
    threads = [threading.Thread(target=artifacts.ready, args=(nobody_listens,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path for path, _ in repository.asked) == sorted(repository.files)


def test_without_a_network_there_is_one_clear_line(cache, monkeypatch):
    monkeypatch.setattr(artifacts, "repositories", lambda: ("http://127.0.0.1:9",))
    with pytest.raises(DownloadError, match=r"^cannot download \S+: no connection"):
        artifacts.ready(nobody_listens)
    assert not list(cache.rglob("*.jar"))


def test_a_cache_that_cannot_be_made_is_one_clear_line(cache):
    shutil.rmtree(cache, ignore_errors=True)
    cache.parent.mkdir(exist_ok=True)
    cache.write_text("a file where the folder should be")
    with pytest.raises(DownloadError, match="the download cache cannot be used"):
        artifacts.ready(nobody_listens)


SETTINGS = """<settings xmlns="http://maven.apache.org/SETTINGS/1.2.0"><mirrors><mirror><id>m</id>
<mirrorOf>{}</mirrorOf><url>https://mirror.example/maven/</url></mirror></mirrors></settings>"""


@pytest.mark.parametrize(
    ("pattern", "covers"),
    [("central", True), ("*", True), ("external:*", True), ("x,central", True), ("*,!central", False), ("x", False)],
)
def test_the_users_maven_mirror_is_honoured(tmp_path, pattern, covers):
    settings = tmp_path / "settings.xml"
    settings.write_text(SETTINGS.format(pattern))
    assert mirror_of_central(settings) == ("https://mirror.example/maven" if covers else None)


def test_broken_maven_settings_are_named(tmp_path):
    (tmp_path / "settings.xml").write_text("<settings>")
    with pytest.raises(StackError, match=r"settings\.xml: not readable as XML"):
        mirror_of_central(tmp_path / "settings.xml")
    assert mirror_of_central(tmp_path / "none.xml") is None


def test_the_environment_overrides_every_repository(monkeypatch, tmp_path):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert len(repositories()) == 1
    monkeypatch.setenv(OVERRIDE, "http://127.0.0.1:1/maven/")
    assert repositories() == ("http://127.0.0.1:1/maven",)
