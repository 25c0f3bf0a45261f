"""The command line with one settings file, in this process or in one of its own, also at a terminal."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from trimtab.cli.__main__ import app
from trimtab.settings import Settings

SETTINGS = """
kafka: {{bootstrap_servers: "{kafka}", topic_prefix: "{prefix}"}}
registry: {{url: "{registry}"}}
postgres: {{dsn: "{dsn}"}}
venues: {{binance: {{rest_url: "http://127.0.0.1:1", instruments: [BTC/USDT]}}}}
accounts:
  main: {{venue: binance, api_key: key, secret: secret}}
  other: {{venue: binance, api_key: key2, secret: secret}}
"""
PORTFOLIO = "portfolio: core\nquote: USDT\naccounts: [main]\ntargets: {BTC: 0.6, USDT: 0.4}\n"


class Shell:
    """The command line with one settings file."""

    def __init__(self, settings: Path, folder: Path) -> None:
        self._settings = settings
        self.portfolio = folder / "core.yaml"
        self.portfolio.write_text(PORTFOLIO)

    def run(self, *words: str) -> Result:
        clean: dict[str, str | None] = {name: None for name in os.environ if name.startswith("TRIMTAB_")}
        return CliRunner().invoke(app, words, env=clean | {"TRIMTAB_SETTINGS": str(self._settings)})

    def elsewhere(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a command in a process of its own."""
        command = [sys.executable, "-m", "trimtab.cli", *words]
        return subprocess.run(command, env=self._environment(), capture_output=True, text=True, check=True)

    def at_a_terminal(self, answer: str, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a command whose standard input is a terminal where a person types this answer."""
        ours, theirs = pty.openpty()
        try:
            os.write(ours, f"{answer}\n".encode())
            command = [sys.executable, "-m", "trimtab.cli", *words]
            return subprocess.run(
                command, env=self._environment(), stdin=theirs, capture_output=True, text=True, check=False
            )
        finally:
            os.close(ours)
            os.close(theirs)

    def _environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("TRIMTAB_")}
        return clean | {"TRIMTAB_SETTINGS": str(self._settings)}

    def document(self, *words: str, exit_code: int = 0) -> dict[str, Any]:
        ended = self.run(*words, "--json")
        assert ended.exit_code == exit_code, ended.output
        found: dict[str, Any] = json.loads(ended.stdout)
        return found

    def apply(self, *words: str) -> dict[str, Any]:
        return self.document("apply", str(self.portfolio), *words)


@pytest.fixture
def shell(settings: Settings, database: str, tmp_path: Path) -> Shell:
    file = tmp_path / "settings.yaml"
    kafka = settings.kafka
    file.write_text(
        SETTINGS.format(
            kafka=kafka.bootstrap_servers, prefix=kafka.topic_prefix, registry=settings.registry.url, dsn=database
        )
    )
    return Shell(file, tmp_path)
