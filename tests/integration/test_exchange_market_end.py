"""A market that comes to no good end says so, and the exchange still ends in order."""

import asyncio
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import aiohttp
import pytest

from trimtab.exchange.clock import MarketClock
from trimtab.exchange.faults import Faults
from trimtab.exchange.journal import Journal
from trimtab.exchange.market import MarketEvent
from trimtab.exchange.server import start
from trimtab.exchange.synthetic import SyntheticMarket
from trimtab.exchange.venue import Venue

START_US = 1_700_000_000_000_000
EVENTS = 60


class Faltering(SyntheticMarket):
    """Runs for a while, then fails."""

    def events(self) -> Iterator[MarketEvent]:
        yield from islice(super().events(), EVENTS)
        raise ArithmeticError("no such price")


async def test_a_market_that_stops_is_said_to_be_broken(tmp_path: Path) -> None:
    market = Faltering(7, ("LTCUSDT",), start_us=START_US)
    journal = Journal(tmp_path / "journal", lambda: 5)
    serving = await start(Venue(market, journal, MarketClock(START_US, 10.0), Faults()), market, ("127.0.0.1", 0))
    async with aiohttp.ClientSession(f"http://127.0.0.1:{serving.port}") as session:

        async def status() -> dict[str, object]:
            async with session.get("/sim/status") as answer:
                return dict(await answer.json())

        async with asyncio.timeout(60):
            while not (found := await status())["ended"]:  # noqa: ASYNC110 - only asking tells
                await asyncio.sleep(0.05)
        assert found["broken"] == "the market stopped: ArithmeticError('no such price')"
        assert found["events"] == EVENTS
    await serving.cleanup()
    with pytest.raises(ValueError, match="closed"):
        journal.write("late", START_US)
