"""An exchange that can write its journal no more ends: what it did from then on would be told by nobody."""

import json
import subprocess
import sys
import time
from pathlib import Path

import requests

from trimtab.exchange.journal import read_journal

COMMAND = (
    "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); "
    "runpy.run_module('trimtab.exchange', run_name='__main__', alter_sys=True)"
)


def test_it_ends_with_one_line_when_the_disk_is_full(tmp_path: Path) -> None:
    journal, ready = tmp_path / "journal.jsonl", tmp_path / "ready.json"
    options = ("--journal", str(journal), "--ready-file", str(ready), "--synthetic", "7", "--symbols", "BTCUSDT")
    command = [sys.executable, "-c", COMMAND, *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            deadline = time.monotonic() + 60
            while not ready.exists() and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            orders = f"http://127.0.0.1:{json.loads(ready.read_text())['port']}/sim/orders"
            order = {"account": "demo", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01"}
            answered = 0
            while (answer := requests.post(orders, json=order, timeout=10)).status_code == 201:
                answered += 1
            assert answer.status_code >= 500
            _, said = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 2
    assert said.splitlines()[-1] == f"error: {journal}: File too large; needed: a journal that can be written on"
    assert len(read_journal(journal).executions) >= answered
