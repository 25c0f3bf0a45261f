"""What no client of Coinbase's would send: refused in its words, and never a word on the exchange's standard error."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import orjson
import pytest
from exchange_process import COINBASE_KEYS, Running, running

from trimtab.exchange.coinbase.signing import signature

KEY, SECRET, WORDS = COINBASE_KEYS
SOUND = {"type": "limit", "side": "buy", "product_id": "BTC-USDT", "size": "1", "price": "30000.00"}


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    options = ("--synthetic", "7", "--symbols", "BTCUSDT", "--paused", "--dialect", "coinbase")
    with running(tmp_path_factory.mktemp("exchange"), *options) as started:
        yield started  # that it says nothing on its standard error is seen when it ends


@pytest.fixture
async def http(exchange: Running) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(exchange.http) as session:
        yield session


async def ask(http: aiohttp.ClientSession, method: str, path: str, body: bytes = b"") -> tuple[int, Any]:
    await asyncio.sleep(0.07)  # 15 a second are allowed
    stamp = f"{time.time():.3f}"
    headers = {
        "CB-ACCESS-KEY": KEY,
        "CB-ACCESS-SIGN": signature(stamp, method, path, body.decode("utf-8", "surrogateescape"), SECRET),
        "CB-ACCESS-TIMESTAMP": stamp,
        "CB-ACCESS-PASSPHRASE": WORDS,
    }
    async with http.request(method, path, data=body, headers=headers) as answer:
        return answer.status, await answer.json()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"side": ["buy"]}, "Invalid side"),
        ({"type": {}}, "Invalid type"),
        ({"stp": []}, "Invalid stp"),
        ({"time_in_force": 5}, "Invalid time_in_force"),
        ({"post_only": "yes"}, "Invalid post_only"),
        ({"size": True}, "Invalid size"),
        ({"size": [1]}, "Invalid size"),
        ({"size": "1e400"}, "Invalid size"),
        ({"size": "nan"}, "Invalid size"),
        ({"size": "1_0"}, "Invalid size"),
        ({"size": " 1"}, "Invalid size"),
        ({"size": "٣"}, "Invalid size"),
        ({"size": "1e-9"}, "Invalid size"),
        ({"size": "1e-1"}, None),
        ({"post_only": None}, None),
        ({"price": "-1"}, "Invalid price"),
        ({"price": None}, "Invalid price"),
        ({"price": "0.000000001"}, "Invalid price"),
        ({"product_id": ["BTC-USDT"]}, "Product not found"),
        ({"stop": "loss"}, "Invalid stop"),
        ({"type": "market"}, None),
        ({"type": "market", "funds": "5"}, "Invalid funds"),
        ({"client_oid": 7}, None),
    ],
)
async def test_orders_that_are_none(http: aiohttp.ClientSession, changes: dict[str, Any], text: str | None) -> None:
    status, told = await ask(http, "POST", "/orders", orjson.dumps(SOUND | changes))
    assert (status, told.get("message")) == ((200, None) if text is None else (400, text))


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"5", b"{", b"\xff", b"[" * 100_000, b'{"size": NaN}', b"null", b'{"extra": NaN}', b"\xef\xbb\xbf{}"],
)
async def test_bodies_that_are_none(http: aiohttp.ClientSession, body: bytes) -> None:
    status, told = await ask(http, "POST", "/orders", body)
    assert (status, set(told)) == (400, {"message"})


@pytest.mark.parametrize("stain", [b'"\xff"', b"NaN"])
async def test_a_sound_order_in_a_body_that_is_no_json_is_none(http: aiohttp.ClientSession, stain: bytes) -> None:
    body = orjson.dumps(SOUND)[:-1] + b',"extra":' + stain + b"}"
    assert await ask(http, "POST", "/orders", body) == (400, {"message": "Bad Request"})


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_is_no_websocket_at_the_feeds_path_is_refused_as_json(
    http: aiohttp.ClientSession, method: str
) -> None:
    status, told = await ask(http, method, "/")
    assert (status, set(told)) == ({"GET": 400, "POST": 405}[method], {"message"})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/orders/client:", 404),
        ("GET", "/orders/client:%FF", 404),
        ("GET", "/orders/x", 400),
        ("DELETE", "/orders/x", 400),
        ("GET", "/orders?status=odd", 400),
        ("GET", "/orders?limit=0", 400),
        ("GET", "/orders?start_date=yesterday", 400),
        ("GET", "/orders?product_id=NOPE-USDT", 404),
        ("GET", "/fills", 400),
        ("GET", "/fills?product_id=BTC-USDT&after=%C2%B2", 400),
        ("GET", "/fills?order_id=x", 200),
        ("GET", "/products/NOPE-USDT", 404),
        ("GET", "/products/BTC-USDT/book?level=3", 400),
        ("GET", "/products/BTC-USDT/candles?granularity=%C2%B2", 400),
        ("GET", "/products/BTC-USDT/candles?granularity=61", 400),
        ("GET", "/products/BTC-USDT/trades?limit=1001", 400),
        ("GET", "/nowhere", 404),
        ("PUT", "/orders", 405),
    ],
)
async def test_questions_that_are_none(http: aiohttp.ClientSession, method: str, path: str, status: int) -> None:
    found, told = await ask(http, method, path)
    assert found == status
    assert isinstance(told, list) if status == 200 else set(told) == {"message"}


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (b"{", "malformed JSON"),
        (b"[]", "message is no object"),
        (b'{"type": []}', "[] is not a valid type"),
        (b'{"type": "subscribe"}', "no channels"),
        (b'{"type": "subscribe", "channels": 5}', "channels is no list"),
        (b'{"type": "subscribe", "channels": ["odd"]}', "odd is not a valid channel"),
        (b'{"type": "subscribe", "channels": ["matches"]}', "matches channel needs product ids"),
        (b'{"type": "subscribe", "channels": ["matches"], "product_ids": "BTC-USDT"}', "product_ids is no list"),
        (b'{"type": "subscribe", "channels": ["matches"], "product_ids": [[]]}', "[] is not a valid product"),
        (
            b'{"type": "subscribe", "channels": ["user"], "product_ids": ["BTC-USDT"]}',
            "user channel requires authentication",
        ),
        (
            b'{"type": "subscribe", "channels": ["user"], "product_ids": ["BTC-USDT"], "key": [], "timestamp": {}}',
            '{"message":"Invalid API Key"}',
        ),
    ],
)
async def test_subscriptions_that_are_none(http: aiohttp.ClientSession, asked: bytes, reason: str) -> None:
    async with http.ws_connect("/") as socket:
        await socket.send_str(asked.decode())
        told = await socket.receive_json(timeout=10)
        assert (told["type"], told["reason"]) == ("error", reason)
        await socket.send_json({"type": "subscribe", "channels": ["level2_batch"], "product_ids": ["BTC-USDT"]})
        assert (await socket.receive_json(timeout=10))["type"] == "subscriptions"
        assert (await socket.receive_json(timeout=10))["type"] == "snapshot"
        await socket.send_json({"type": "unsubscribe", "channels": ["level2_batch"], "product_ids": ["BTC-USDT"]})
        assert (await socket.receive_json(timeout=10))["channels"] == []


async def test_who_subscribes_to_nothing_is_sent_away(http: aiohttp.ClientSession) -> None:
    async with http.ws_connect("/") as socket:
        assert (await socket.receive(timeout=10)).type is aiohttp.WSMsgType.CLOSE
