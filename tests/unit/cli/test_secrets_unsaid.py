"""No command and no service says a secret it was given, wherever the secret stands in what went wrong."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from trimtab.adapters import process
from trimtab.adapters.redaction import REDACTED, hide
from trimtab.cli.__main__ import app
from trimtab.settings import Settings
from trimtab.settings.secret_values import secret_values

SECRET = "hunter2-hunter2"


@pytest.fixture(autouse=True)
def restored(unset: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    yield
    hide(())


def settings_file(folder: Path, text: str) -> str:
    file = folder / "settings.yaml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_every_secret_of_the_settings_is_known_by_value(tmp_path: Path) -> None:
    (tmp_path / "api_key").write_text("key-in-a-file\n")
    settings = Settings.model_validate(
        {
            "kafka": {
                "security_protocol": "SASL_SSL",
                "sasl_mechanism": "PLAIN",
                "username": "trimtab",
                "password": "of-the-broker",
            },
            "registry": {"url": "http://trimtab:of%20the%20registry@127.0.0.1:1"},
            "postgres": {"dsn": "postgresql://trimtab:of%2Fledger@h/d", "admin_dsn": "host=h password='of the owner'"},
            "venues": {"v": {}},
            "accounts": {
                "a": {"venue": "v", "api_key": "key-of-a", "secret": "secret-of-a"},
                "b": {"venue": "v", "api_key_file": str(tmp_path / "api_key"), "secret_file": "/nowhere"},
            },
        }
    )

    found = secret_values(settings)

    assert {
        "of-the-broker",
        "of the registry",
        "of/ledger",
        "of the owner",
        "key-of-a",
        "secret-of-a",
        "key-in-a-file",
    } <= found
    assert "trimtab" not in found


@pytest.mark.parametrize("words", [["fills"], ["explain", "core"], ["fills", "--json"]])
def test_a_command_says_what_does_not_answer_without_the_secret_in_it(words: list[str], tmp_path: Path) -> None:
    file = settings_file(
        tmp_path,
        f"registry: {{url: 'http://127.0.0.1:1/{SECRET}'}}\n"
        f"venues: {{v: {{}}}}\naccounts: {{a: {{venue: v, api_key: k, secret: {SECRET}}}}}",
    )

    shown = CliRunner().invoke(app, words, env={"TRIMTAB_SETTINGS": file})

    assert shown.exit_code == 3
    assert f"schema registry at http://127.0.0.1:1/{REDACTED} does not answer" in shown.stderr
    assert SECRET not in shown.output
    if "--json" in words:
        assert REDACTED in json.loads(shown.stdout)["errors"][0]["message"]


def test_a_fault_of_trimtab_itself_is_one_line_without_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = settings_file(tmp_path, f"postgres: {{dsn: 'postgresql://r:{SECRET}@h/d'}}")

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"no idea what\n{SECRET} is")

    monkeypatch.setattr("trimtab.adapters.kafka.reading.load_codec", broken)
    shown = CliRunner().invoke(app, ["fills"], env={"TRIMTAB_SETTINGS": file})
    deep = CliRunner().invoke(app, ["fills"], env={"TRIMTAB_SETTINGS": file, "TRIMTAB_LOG__LEVEL": "debug"})

    assert shown.exit_code == 1
    assert shown.stderr.startswith(f"error: a fault of trimtab: RuntimeError: no idea what {REDACTED} is (")
    assert shown.stderr.count("\n") == 1
    assert "Traceback" in deep.stderr
    assert SECRET not in deep.output


def test_the_last_word_of_a_service_holds_no_secret(tmp_path: Path) -> None:
    file = settings_file(
        tmp_path,
        f"metrics: {{host: {SECRET}, port: 1}}\n"
        f"venues: {{v: {{}}}}\naccounts: {{a: {{venue: v, api_key: {SECRET}, secret: s}}}}",
    )

    ended = subprocess.run(
        [sys.executable, "-m", "trimtab.executor"],
        env=os.environ | {"TRIMTAB_SETTINGS": file},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 2
    assert ended.stderr.startswith(f"error: metrics: found '{REDACTED}:1'; allowed: "), ended.stderr
    assert SECRET not in ended.stderr


def test_a_service_that_fails_for_no_known_reason_logs_where_without_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRIMTAB_SETTINGS", settings_file(tmp_path, f"postgres: {{dsn: 'postgresql://r:{SECRET}@h/d'}}"))

    def broken(*_: object) -> None:
        thread = threading.Thread(target=lambda: int(SECRET))
        thread.start()
        thread.join()
        raise RuntimeError(SECRET)

    monkeypatch.setattr(process, "serve_metrics", broken)
    with pytest.raises(SystemExit) as ended:
        process.run_service("executor", broken)  # type: ignore[arg-type] # never called

    assert ended.value.code == 1
    of_thread, of_service = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert "ValueError" in of_thread["exception"]
    assert "RuntimeError" in of_service["exception"]
    assert SECRET not in json.dumps([of_thread, of_service])
