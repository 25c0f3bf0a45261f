"""The simulated exchange as a child process, for suites that need a venue."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from trimtab.exchange.journal import JournalContents, read_journal
from trimtab.settings import AccountSettings, Settings, VenueSettings

ACCOUNT = "binance-main"
READY_SECONDS = 30
DEMO_KEYS: Mapping[str, Mapping[str, Any]] = {
    "binance": {"api_key": "demo-key", "secret": "demo-secret"},
    "coinbase": {"api_key": "demo-key", "secret": "ZGVtby1zZWNyZXQ=", "passphrase": "demo-passphrase"},
}
"""The keys of the account that an exchange of each dialect has by itself."""


class SimulatedExchange:
    """A running exchange and its controls under /sim/."""

    def __init__(self, port: int, journal: Path, session: aiohttp.ClientSession) -> None:
        self.port = port
        self._journal = journal
        self._session = session

    @property
    def rest_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def settings(self, *instruments: str, **overrides: Any) -> Settings:
        """Settings with this exchange as the venue `binance` and its demo account as `binance-main`.

        Of `kind` coinbase it is called so all the same: a venue's name is nobody's business but the settings'.
        """
        venue = VenueSettings(
            rest_url=self.rest_url,
            websocket_url=f"ws://127.0.0.1:{self.port}",
            instruments=instruments or ("BTC/USDT", "ETH/USDT"),
            **overrides,
        )
        keys = DEMO_KEYS[venue.kind]
        account = AccountSettings(venue="binance", **keys)
        return Settings(venues={"binance": venue}, accounts={ACCOUNT: account})

    async def say(self, path: str, **body: Any) -> Any:
        """POST a control."""
        async with self._session.post(f"{self.rest_url}/sim/{path}", json=body) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json()

    async def fault(self, kind: str, endpoint: str = "", **more: Any) -> None:
        """Arm a fault; it strikes once unless told otherwise."""
        await self.say("faults", kind=kind, endpoint=endpoint, **more)

    async def disarm(self) -> None:
        """End what lasts, and disarm the rest."""
        async with self._session.delete(f"{self.rest_url}/sim/faults") as answer:
            assert answer.status == 200, await answer.text()

    async def struck(self, what: str, count: int = 1) -> None:
        """Wait until faults have struck this so often."""
        async with asyncio.timeout(READY_SECONDS):
            while sum(line["struck"] == what for line in self.journal().faults) < count:  # noqa: ASYNC110 - a file
                await asyncio.sleep(0.05)

    async def status(self) -> dict[str, Any]:
        async with self._session.get(f"{self.rest_url}/sim/status") as answer:
            found: dict[str, Any] = await answer.json()
            return found

    def journal(self) -> JournalContents:
        """What the exchange accepted and executed up to now."""
        return read_journal(self._journal)

    def limited(self) -> list[Mapping[str, Any]]:
        """Every request that was turned away for asking too much."""
        return self.journal().limited


@asynccontextmanager
async def simulated_exchange(folder: Path, *options: str, port: int = 0) -> AsyncIterator[SimulatedExchange]:
    """Run `python -m trimtab.exchange` with these options; its journal is written into the folder."""
    journal = folder / "journal.jsonl"
    command = (sys.executable, "-m", "trimtab.exchange", "--port", str(port), "--journal", str(journal), *options)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), READY_SECONDS)
        assert line, "the simulated exchange did not start; its complaint stands above"
        async with aiohttp.ClientSession() as session:
            yield SimulatedExchange(json.loads(line)["port"], journal, session)
    finally:
        if process.returncode is None:
            process.kill()  # its journal is complete at any moment
        await process.wait()
