"""The exchange's real process and a real ccxt client pointed at it, for integration tests."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import ccxt.pro

START_SECONDS_MAX = 60.0
WAIT_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Running:
    """A running exchange: its process, port, symbols and journal."""

    process: subprocess.Popen[bytes]
    port: int
    symbols: tuple[str, ...]
    journal: Path

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def http(self) -> str:
        return f"http://{self.host}"


@contextmanager
def running(folder: Path, *options: str) -> Iterator[Running]:
    """Start the exchange's process and stop it again, checking that it ends well."""
    ready, journal = folder / "ready.json", folder / "journal.jsonl"
    command = [sys.executable, "-m", "trimtab.exchange", "--journal", str(journal), "--ready-file", str(ready)]
    process = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + START_SECONDS_MAX
        while not ready.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                _, said = process.communicate()
                raise AssertionError(f"the exchange did not start: {said.decode()}")
            time.sleep(0.05)
        told = json.loads(ready.read_text())
        yield Running(process, told["port"], tuple(told["symbols"]), journal)
        process.terminate()
        _, said = process.communicate(timeout=WAIT_SECONDS_MAX)
        assert process.returncode == 0, said.decode()
        assert said == b"", said.decode()
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def client(exchange: Running, key: str = "demo-key", secret: str = "demo-secret") -> Any:
    """ccxt.pro's binance, its URLs pointed at the exchange, as docs/exchange.md says."""
    options = {"fetchMarkets": {"types": ["spot"]}, "fetchMargins": False, "fetchCurrencies": False}
    made = ccxt.pro.binance({"apiKey": key, "secret": secret, "number": str, "options": options, "timeout": 5000})
    for api in ("public", "private", "v1"):
        made.urls["api"][api] = f"{exchange.http}/api/v3"
    made.urls["api"]["sapi"] = f"{exchange.http}/sapi/v1"
    made.urls["api"]["ws"]["spot"] = f"ws://{exchange.host}/stream"
    made.urls["api"]["ws"]["ws-api"]["spot"] = f"ws://{exchange.host}/ws-api/v3"
    made.exceptions["exact"].update(made.exceptions["spot"]["exact"])
    return made


COINBASE_KEYS = ("demo-key", "ZGVtby1zZWNyZXQ=", "demo-passphrase")


def coinbase_client(exchange: Running, keys: tuple[str, str, str] = COINBASE_KEYS) -> Any:
    """ccxt.pro's coinbaseexchange, its URLs pointed at the exchange, as docs/exchange.md says."""
    key, secret, passphrase = keys
    made = ccxt.pro.coinbaseexchange(
        {"apiKey": key, "secret": secret, "password": passphrase, "number": str, "timeout": 5000}
    )
    made.urls["api"].update({"public": exchange.http, "private": exchange.http, "ws": f"ws://{exchange.host}"})
    return made


async def control(exchange: Running, method: str, path: str, body: object = None, status: int = 200) -> Any:
    """Ask under /sim/."""
    url = f"{exchange.http}/sim/{path}"
    async with aiohttp.ClientSession() as session, session.request(method, url, json=body) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json()


async def arm(exchange: Running, kind: str, endpoint: str = "", **more: object) -> Any:
    """Arm a fault."""
    return await control(exchange, "POST", "faults", {"kind": kind, "endpoint": endpoint, **more}, 201)


async def until(condition: Any, what: str) -> Any:
    """Wait until an async condition gives something."""
    deadline = asyncio.get_running_loop().time() + WAIT_SECONDS_MAX
    while asyncio.get_running_loop().time() < deadline:
        found = await condition()
        if found:
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"waited {WAIT_SECONDS_MAX:.0f} s in vain: {what}")


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """What a process has used of the processor."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
