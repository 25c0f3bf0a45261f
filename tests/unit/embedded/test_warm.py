import threading
from pathlib import Path

import pytest

from trimtab.embedded import warm
from trimtab.embedded.artifacts import Software
from trimtab.embedded.errors import PartError
from trimtab.embedded.events import Event
from trimtab.embedded.warm import prepare


class Recorder:
    """Stands for the stack that records a run: leaves the archives that a real one leaves, or fails."""

    archives: list[Path]
    runs = 0
    fails = False

    def __init__(self, folder: Path, *, archives: str) -> None:
        assert archives == "make"
        assert folder.is_dir()

    def __enter__(self) -> "Recorder":
        type(self).runs += 1
        if self.fails:
            raise PartError("kafka is not healthy")
        return self

    def __exit__(self, *_: object) -> None:
        for archive in self.archives:
            archive.parent.mkdir(exist_ok=True)
            archive.touch()


@pytest.fixture
def recorder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    software = Software(tmp_path / "java", (tmp_path / "a.jar",), tmp_path / "run.jar", "one")
    monkeypatch.setattr(warm, "ready", lambda _: software)
    archives = [part.archive.path for part in warm._java_parts(software)]
    kind = type("Recorder", (Recorder,), {"archives": archives})
    monkeypatch.setattr(warm, "Stack", kind)
    return kind


def test_a_first_run_is_recorded_once(recorder):
    told: list[Event] = []
    prepare(told.append)
    prepare(told.append)
    assert recorder.runs == 1
    assert [event.text for event in told] == ["recording a first run, so that every later start takes half the time"]


def test_two_who_start_at_once_record_once(recorder):
    threads = [threading.Thread(target=prepare) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert recorder.runs == 1


def test_a_record_that_cannot_be_made_stops_no_start(recorder):
    recorder.fails = True
    told: list[Event] = []
    prepare(told.append)
    assert [event.kind for event in told] == ["starting", "warning"]
    assert told[-1].text == "no first run is recorded, so starts take longer: kafka is not healthy"
