import json
import os
import socket
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from trimtab.embedded.cache import cache_folder
from trimtab.embedded.errors import FolderInUseError, StackError
from trimtab.embedded.events import Event, Journal, read_events
from trimtab.embedded.folder import LOG_BYTES_MAX, Addresses, Folder, Process
from trimtab.embedded.sockets import FIRST, LAST, NAMES, TRIES, choose_ports, free_ports, is_free


@pytest.fixture
def folder(tmp_path):
    home = Folder(tmp_path / "stack")
    home.make()
    return home


def silent(_: str) -> None:
    return


def test_a_folder_is_held_by_one_stack_at_a_time(folder):
    folder.hold(silent)
    folder.note_processes({"supervisor": Process.of(os.getpid())})
    with pytest.raises(FolderInUseError, match=f"another stack runs on this folder .process {os.getpid()}"):
        Folder(folder.path).hold(silent)
    folder.release()
    again = Folder(folder.path)
    again.hold(silent)
    again.release()


def test_a_dead_supervisors_folder_is_waited_for(folder):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    note = Process.of(gone.pid)
    gone.wait()
    # its guardian still holds the folder for a moment
    program = f"import fcntl,time; f=open({str(folder.path / 'stack.lock')!r},'w'); fcntl.flock(f,2); print(flush=True)"
    guardian = subprocess.Popen([sys.executable, "-c", program + "; time.sleep(1)"], stdout=subprocess.PIPE)
    assert guardian.stdout is not None
    guardian.stdout.readline()
    folder.note_processes({"supervisor": note})
    told: list[str] = []
    folder.hold(told.append)
    assert told == ["waiting for the stack that ran here before to finish stopping"]
    guardian.wait()
    guardian.stdout.close()
    folder.release()


def test_releasing_what_one_does_not_hold_changes_nothing(folder):
    folder.note_addresses(Addresses("k", "r", "p"))
    Folder(folder.path).release()
    assert Addresses.read(folder.path) == Addresses("k", "r", "p")


def test_addresses_are_private_and_keep_the_password_out_of_sight(folder):
    addresses = Addresses("127.0.0.1:1", "http://127.0.0.1:2/x", "postgresql://trimtab:s3cret@127.0.0.1:3/trimtab")
    folder.note_addresses(addresses)
    assert Addresses.read(folder.path) == addresses
    assert stat.S_IMODE((folder.path / "addresses.json").stat().st_mode) == 0o600
    assert "s3cret" not in repr(addresses)
    assert addresses.postgres_without_password == "postgresql://trimtab@127.0.0.1:3/trimtab"


def test_a_folder_without_a_stack_says_so(folder):
    with pytest.raises(StackError, match="no stack runs here"):
        Addresses.read(folder.path)


def test_passwords_are_made_once_and_private(folder):
    passwords = folder.passwords()
    assert set(passwords) == {"postgres", "registry", "trimtab"}
    assert len(set(passwords.values())) == 3
    assert Folder(folder.path).passwords() == passwords
    assert stat.S_IMODE((folder.path / "secrets.json").stat().st_mode) == 0o600


def test_a_process_id_taken_over_by_somebody_else_is_not_the_noted_process():
    me = Process.of(os.getpid())
    assert me.find() is not None
    assert Process(me.pid, me.created - 100).find() is None


def test_half_written_notes_count_as_none(folder):
    (folder.path / "stack.json").write_text('{"superv')
    assert folder.processes() == {}


def test_a_long_log_is_set_aside(folder):
    log = folder.log("kafka")
    log.write_bytes(b"")
    os.truncate(log, LOG_BYTES_MAX + 1)
    assert not folder.log("kafka").exists()
    assert (folder.logs / "kafka.log.1").exists()


def test_ports_are_distinct_free_and_remembered(tmp_path):
    ports = choose_ports(tmp_path / "ports.json")
    assert set(ports) == set(NAMES)
    assert len(set(ports.values())) == len(NAMES)
    assert choose_ports(tmp_path / "ports.json") == ports


def test_a_remembered_port_that_is_taken_is_replaced(tmp_path):
    memory = tmp_path / "ports.json"
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        assert not is_free(taken)
        memory.write_text(json.dumps({"kafka": taken}))
        assert choose_ports(memory)["kafka"] != taken


def test_who_chooses_at_once_chooses_different_ports(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("secrets.randbelow", lambda _: 0)  # chance would not tell: it has 12,000 ports
    with ThreadPoolExecutor(8) as pool:
        chosen = list(pool.map(lambda _: free_ports(5), range(8)))
    assert len({port for ports in chosen for port in ports}) == 40


def test_the_count_of_ports_begins_again_at_its_end(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (cache_folder() / "ports.last").write_text(str(LAST - 1))
    (port,) = free_ports(1)
    assert FIRST <= port < FIRST + TRIES


def test_the_event_log_holds_everything_but_download_progress(tmp_path):
    heard: list[Event] = []
    journal = Journal(tmp_path / "events.log", heard.append)
    journal.tell("stack", "download", "half", 1, 2)
    journal.tell("kafka", "died", "kafka died")
    assert [e.kind for e in heard] == ["download", "died"]
    read: list[Event] = []
    end = read_events(tmp_path / "events.log", 0, read.append)
    assert read == heard[1:]
    with (tmp_path / "events.log").open("a") as log:
        log.write('{"half a li')
    assert read_events(tmp_path / "events.log", end, read.append) == end
    assert read_events(Path(tmp_path / "none"), 7, read.append) == 7
