"""The failure table on the wire: what real ccxt makes of each answer, and what the adapter makes of that.

A plain server gives the answers no well-behaved exchange gives: cut, empty, foreign, or none. How the simulated
exchange misbehaves is tested in `test_venue_faults`.
"""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from trimtab.adapters.venues.registry import accounts_of, open_account
from trimtab.domain.errors import InvalidValueError
from trimtab.ports.venue import Absent, ExecutionReport, NotPlaced, Refused, Unknown
from trimtab.settings import AccountSettings, Settings, VenueSettings
from venue_orders import parent, resting

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

RULES = {
    "symbols": [
        {
            "symbol": "BTCUSDT",
            "status": "TRADING",
            "baseAsset": "BTC",
            "quoteAsset": "USDT",
            "baseAssetPrecision": 8,
            "quotePrecision": 8,
            "isSpotTradingAllowed": True,
            "permissionSets": [["SPOT"]],
            "filters": [
                {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01"},
                {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000.0", "stepSize": "0.00001"},
                {"filterType": "NOTIONAL", "minNotional": "5.0"},
            ],
        }
    ]
}
LIVE: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "orderId": 7,
    "clientOrderId": resting().client_order_id,
    "transactTime": 1_700_000_000_000,
    "executedQty": "0.00000000",
    "status": "NEW",
    "fills": [],
}


def settings(port: int) -> Settings:
    venue = VenueSettings(
        rest_url=f"http://127.0.0.1:{port}",
        websocket_url=f"ws://127.0.0.1:{port}",
        instruments=("BTC/USDT",),
        request_timeout_ms=500,
    )
    return Settings(
        venues={"binance": venue}, accounts={"binance-main": AccountSettings(venue="binance", api_key="k", secret="s")}
    )


@asynccontextmanager
async def answering(handler: Handler, *, withdrawals: bool = False) -> AsyncIterator[tuple[int, list[str]]]:
    """Serve rules and rights, and this handler for everything about orders; yield port and the requests that came."""
    came: list[str] = []

    async def orders(request: web.Request) -> web.StreamResponse:
        came.append(request.method)
        return await handler(request)

    async def rules(_: web.Request) -> web.Response:
        return web.json_response(RULES)

    async def rights(_: web.Request) -> web.Response:
        return web.json_response({"enableWithdrawals": withdrawals, "enableSpotAndMarginTrading": True})

    async def now(_: web.Request) -> web.Response:
        return web.json_response({"serverTime": time.time_ns() // 1_000_000})

    application = web.Application()
    application.router.add_get("/api/v3/time", now)
    application.router.add_get("/sapi/v1/account/apiRestrictions", rights)
    application.router.add_get("/api/v3/exchangeInfo", rules)
    application.router.add_route("*", "/api/v3/order", orders)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    listening = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listening).start()
    try:
        yield listening.getsockname()[1], came
    finally:
        await runner.cleanup()


def says(status: int, body: object = "", **headers: str) -> Handler:
    text = body if isinstance(body, str) else json.dumps(body)

    async def handler(_: web.Request) -> web.Response:
        kind = "text/html" if text.startswith("<") else "application/json"
        return web.Response(status=status, text=text, content_type=kind, headers=headers)

    return handler


async def resets(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def is_late(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(5)
    return web.Response()


async def is_cut(request: web.Request) -> web.StreamResponse:
    """Promise more than is sent, then hang up."""
    assert request.transport is not None
    request.transport.write(
        b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"orderId": 7,'
    )
    request.transport.close()
    return web.Response()


HTML = "<html><body>502 Bad Gateway</body></html>"
WIRE: list[tuple[str, Handler, type]] = [
    ("429", says(429, {"code": -1003, "msg": "Too much request weight used"}), NotPlaced),
    ("418", says(418, {"code": -1003, "msg": "IP banned until 1."}), NotPlaced),
    ("-1015", says(400, {"code": -1015, "msg": "Too many new orders."}), NotPlaced),
    ("-1021", says(400, {"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."}), NotPlaced),
    ("no funds", says(400, {"code": -2010, "msg": "Account has insufficient balance for requested action."}), Refused),
    ("lot size", says(400, {"code": -1013, "msg": "Filter failure: LOT_SIZE"}), Refused),
    ("price filter", says(400, {"code": -1013, "msg": "Filter failure: PRICE_FILTER"}), Refused),
    ("would cross", says(400, {"code": -2010, "msg": "Order would immediately match and take."}), Refused),
    ("bad key", says(401, {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}), Refused),
    ("duplicate", says(400, {"code": -2010, "msg": "Duplicate order sent."}), Unknown),
    *[(str(status), says(status, HTML), Unknown) for status in (500, 501, 502, 503, 520, 521, 522, 525, 530)],
    *[(str(status), says(status, HTML), Unknown) for status in (403, 404, 409, 451)],
    *[(str(status), says(status, HTML), Unknown) for status in (505, 507, 523, 524, 598)],
    ("503 with a code", says(503, {"code": -1000, "msg": "An unknown error occurred."}), Unknown),
    ("504", says(504, {"code": -1007, "msg": "Timeout waiting for response."}), Unknown),
    *[(str(code), says(400, {"code": code, "msg": "?"}), Unknown) for code in (-1000, -1001, -1006, -1007, -1008)],
    ("empty", says(200), Unknown),
    ("HTML", says(200, HTML), Unknown),
    ("cut JSON", says(200, '{"symbol": "BTCUSDT", "orderId": 7, "clie'), Unknown),
    ("cut body", is_cut, Unknown),
    ("a list", says(200, [LIVE]), Unknown),
    ("no order id", says(200, {**LIVE, "orderId": None}), Unknown),
    ("nothing in it", says(200, {}), Unknown),
    ("another order", says(200, {**LIVE, "clientOrderId": "tt-other"}), Unknown),
    ("reset", resets, Unknown),
    ("timeout", is_late, Unknown),
    ("accepted", says(200, LIVE), ExecutionReport),
]


@pytest.mark.parametrize(("handler", "expected"), [row[1:] for row in WIRE], ids=[row[0] for row in WIRE])
async def test_what_an_answer_to_a_placement_means(handler: Handler, expected: type) -> None:
    async with answering(handler) as (port, came):
        venue = open_account("binance-main", settings(port))
        answer = await venue.place(parent(), resting())
        await venue.close()
    assert type(answer) is expected, answer
    assert came == ["POST"]  # never sent again behind our back


async def test_retry_after_is_honoured_by_every_request_that_follows() -> None:
    async with answering(says(429, {"code": -1003, "msg": "Too much"}, **{"Retry-After": "7"})) as (port, came):
        venue = open_account("binance-main", settings(port))
        first = await venue.place(parent(), resting())
        second = await venue.place(parent(), resting(2))
        cancelled = await venue.cancel(parent(), resting())
        await venue.close()
    assert isinstance(first, NotPlaced)
    assert first.retry_after_ms == 7_000
    assert isinstance(second, NotPlaced)
    assert 6_000 < second.retry_after_ms <= 7_000
    assert isinstance(cancelled, Unknown)
    assert came == ["POST"]


async def test_a_venue_that_went_away_is_unknown_on_the_old_connection_and_not_placed_on_a_new_one() -> None:
    async with answering(says(200, LIVE)) as (port, _):
        venue = open_account("binance-main", settings(port))
        await venue.find(parent(), resting())
    first = await venue.place(parent(), resting())
    second = await venue.place(parent(), resting(2))
    await venue.close()
    assert isinstance(first, Unknown | NotPlaced)
    assert isinstance(second, NotPlaced)


async def test_a_venue_that_never_answered_is_not_placed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    venue = open_account("binance-main", settings(port))
    answer = await venue.place(parent(), resting())
    found = await venue.find(parent(), resting())
    await venue.close()
    assert isinstance(answer, NotPlaced)
    assert isinstance(found, Unknown)


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (says(400, {"code": -2013, "msg": "Order does not exist."}), Absent),
        (says(503, {"code": -2013, "msg": "Order does not exist."}), Unknown),
        (says(400, {"code": -1021, "msg": "Timestamp"}), Unknown),
        (says(200, HTML), Unknown),
        (says(200), Unknown),
        (is_late, Unknown),
        (says(200, {**LIVE, "clientOrderId": "tt-other"}), Unknown),
        (says(200, LIVE), ExecutionReport),
    ],
)
async def test_only_evidence_settles_a_lookup(handler: Handler, expected: type) -> None:
    async with answering(handler) as (port, _):
        venue = open_account("binance-main", settings(port))
        answer = await venue.find(parent(), resting())
        await venue.close()
    assert type(answer) is expected, answer


async def test_a_key_that_may_withdraw_places_nothing() -> None:
    async with answering(says(200, LIVE), withdrawals=True) as (port, came):
        with pytest.raises(InvalidValueError, match="enableWithdrawals"):
            async with accounts_of(settings(port)):
                pass
        venue = open_account("binance-main", settings(port))
        answer = await venue.place(parent(), resting())
        await venue.close()
    assert isinstance(answer, Refused)
    assert came == []
