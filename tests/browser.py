"""A real browser without a window: Debian's Chromium, told what to do over its own protocol on this machine alone."""

import asyncio
import base64
import itertools
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

_PATIENCE_SECONDS = 60


def chromium() -> str:
    """Return where Chromium is; a test that needs it is skipped with words on how to get it."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("needs a real browser, and Chromium is not installed (Debian: apt-get install chromium)")
    return found


class Tab:
    """An open page. `said` are its console's messages and errors, `asked` the addresses that it wanted loaded."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.said: list[str] = []
        self.asked: list[str] = []
        self._socket = socket
        self._ids = itertools.count(1)
        self._loaded = 0

    async def call(self, method: str, **parameters: Any) -> Any:
        number = next(self._ids)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            message = await self._next()
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]

    async def open(self, address: str, scheme: str = "light", *, scripts: bool = True) -> None:
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")
        await self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        await self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        self._loaded = 0
        await self.call("Page.navigate", url=address)
        while not self._loaded:
            await self._next()

    async def value(self, expression: str) -> Any:
        """Return what an expression is; the protocol evaluates it also where the page's own scripts are off."""
        found = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def picture(self) -> bytes:
        return base64.b64decode((await self.call("Page.captureScreenshot", format="png"))["data"])

    async def pdf(self) -> bytes:
        return base64.b64decode((await self.call("Page.printToPDF", printBackground=True))["data"])

    async def _next(self) -> Any:
        message = await self._socket.receive_json(timeout=_PATIENCE_SECONDS)
        match message.get("method"):
            case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded":
                self.said.append(str(message["params"]))
            case "Network.requestWillBeSent":
                self.asked.append(message["params"]["request"]["url"])
            case "Page.loadEventFired":
                self._loaded += 1
        return message


@asynccontextmanager
async def tab(width: int = 1160, height: int = 1000) -> AsyncIterator[Tab]:
    """Start a browser with one page; it ends with the block."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            chromium(), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
            "--remote-debugging-port=0", f"--user-data-dir={profile}", f"--window-size={width},{height}", "about:blank",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            port = await asyncio.to_thread(_port, Path(profile) / "DevToolsActivePort")
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                    page = next(each for each in await answer.json() if each["type"] == "page")
                async with session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                    yield Tab(socket)
        finally:
            process.kill()
            await process.wait()


def _port(file: Path) -> int:
    """Return where the browser listens, as soon as it has written that down."""
    for _ in range(_PATIENCE_SECONDS * 20):
        if file.is_file() and (lines := file.read_text().splitlines()):
            return int(lines[0])
        time.sleep(0.05)
    raise AssertionError("Chromium does not start")
