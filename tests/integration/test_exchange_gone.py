"""A client that goes while it is being let in."""

import logging
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from trimtab.exchange.clock import MarketClock
from trimtab.exchange.faults import Faults
from trimtab.exchange.journal import Journal
from trimtab.exchange.server import start
from trimtab.exchange.synthetic import SyntheticMarket
from trimtab.exchange.venue import Venue

START_US = 1_700_000_000_000_000


@pytest.mark.parametrize("path", ["/ws", "/stream", "/ws-api/v3"])
async def test_who_is_gone_before_he_is_let_in_leaves_no_trace(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    market = SyntheticMarket(7, ("LTCUSDT",), start_us=START_US)
    venue = Venue(market, Journal(tmp_path / "journal", lambda: 5), MarketClock(START_US, paused=True), Faults())
    prepare = web.WebSocketResponse.prepare

    async def late(self: web.WebSocketResponse, request: web.BaseRequest) -> object:
        assert request.transport is not None
        request.transport.abort()
        return await prepare(self, request)

    monkeypatch.setattr(web.WebSocketResponse, "prepare", late)
    serving = await start(venue, market, ("127.0.0.1", 0))
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError), caplog.at_level(logging.ERROR):
            await session.ws_connect(f"http://127.0.0.1:{serving.port}{path}")
    await serving.cleanup()
    assert [record.getMessage() for record in caplog.records] == []
    assert venue.hub.connections == set()
