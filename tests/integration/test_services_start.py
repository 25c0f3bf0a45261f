"""Every service when what it needs is not there, or its settings do not hold: clear words, patience, an orderly end."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from trimtab.settings import Settings

pytestmark = pytest.mark.integration

SERVICES = ["ingest", "drift", "executor", "reconciler"]


def nobody_there() -> int:
    """A port at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def document(settings: Settings, **parts: object) -> dict[str, object]:
    venue = f"127.0.0.1:{nobody_there()}"
    return {
        "kafka": settings.kafka.model_dump(),
        "registry": settings.registry.model_dump(),
        "postgres": {"dsn": settings.postgres.dsn.get_secret_value()},
        "log": {"format": "console"},
        "venues": {
            "binance": {"rest_url": f"http://{venue}", "websocket_url": f"ws://{venue}", "instruments": ["BTC/USDT"]}
        },
        "accounts": {"alpha": {"venue": "binance", "api_key": "k", "secret": "s"}},
        **parts,
    }


def run(service: str, folder: Path, content: object, until: str | None, seconds: float = 30.0) -> tuple[int, str]:
    """Run a service until its log says something (or it ends), stop it by SIGTERM; return exit code and log."""
    file, log = folder / "settings.yaml", folder / "log"
    file.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", f"trimtab.{service}"],
            env={**os.environ, "TRIMTAB_SETTINGS": str(file)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            deadline = time.monotonic() + seconds
            while process.poll() is None and time.monotonic() < deadline:
                if until is not None and log.read_text().count(until) >= 2:
                    break
                time.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            return process.wait(20), log.read_text()
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize("service", SERVICES)
def test_an_unreachable_registry_is_named_and_waited_for(service: str, settings: Settings, tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{nobody_there()}"
    code, log = run(service, tmp_path, document(settings, registry={"url": address}), "trying again")
    assert code == 0
    assert f"schema registry at {address} does not answer" in log
    assert "Traceback" not in log


@pytest.mark.parametrize("service", ["executor", "reconciler"])
def test_an_unreachable_database_is_named_and_waited_for(service: str, settings: Settings, tmp_path: Path) -> None:
    port = nobody_there()
    dsn = f"postgresql://somebody:very-secret@127.0.0.1:{port}/trimtab"
    code, log = run(service, tmp_path, document(settings, postgres={"dsn": dsn}), "trying again")
    assert code == 0
    assert f"PostgreSQL at 127.0.0.1:{port}/trimtab does not answer" in log
    assert "very-secret" not in log
    assert "Traceback" not in log


def test_an_unreachable_venue_is_named_and_waited_for(settings: Settings, tmp_path: Path) -> None:
    code, log = run("ingest", tmp_path, document(settings), "trying again")
    assert code == 0
    assert "venue binance" in log
    assert "Traceback" not in log


@pytest.mark.parametrize("service", SERVICES)
def test_an_unreachable_broker_is_named_and_waited_for(service: str, settings: Settings, tmp_path: Path) -> None:
    kafka = settings.kafka.model_copy(update={"bootstrap_servers": f"127.0.0.1:{nobody_there()}"}).model_dump()
    # No database either: one without a ledger would end the service by itself.
    postgres = {"dsn": f"postgresql://somebody@127.0.0.1:{nobody_there()}/trimtab"}
    content = document(settings, kafka=kafka, postgres=postgres)
    code, log = run(service, tmp_path, content, kafka["bootstrap_servers"])
    assert code == 0
    assert kafka["bootstrap_servers"] in log
    assert "Traceback" not in log


@pytest.mark.parametrize("service", SERVICES)
def test_settings_that_do_not_hold_end_it_with_two_and_one_line(
    service: str, settings: Settings, tmp_path: Path
) -> None:
    content = document(settings, drift={"trigger": "often"})
    code, log = run(service, tmp_path, content, None)
    assert code == 2
    assert log.strip().count("\n") == 0
    assert "drift.trigger" in log
    assert "often" in log
    assert "allowed" in log
