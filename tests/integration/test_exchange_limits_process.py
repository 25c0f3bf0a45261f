"""The exchange's rules on asking, over the real ccxt and bare sockets: weights, bans, parameters, self-trades."""

import time
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import aiohttp
import ccxt
import pytest
from exchange_process import Running, client, control, running

from fuzz.wire import Wire
from trimtab.exchange.journal import read_journal
from trimtab.exchange.signing import signature, sorted_part

D = Decimal
WEIGHT = "X-MBX-USED-WEIGHT-1M"


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("exchange"), "--synthetic", "7") as started:
        yield started


@pytest.fixture
async def ann(exchange: Running) -> AsyncIterator[Any]:
    """The demo account's client, with nothing used of any limit."""
    made = client(exchange)
    await made.load_markets()
    await limit(exchange)
    yield made
    await limit(exchange)
    await made.cancel_all_orders("BTC/USDT") if await made.fetch_open_orders("BTC/USDT") else None
    await made.close()


async def limit(exchange: Running, **limits: int) -> Any:
    """Set limits, the others as on Binance; whatever was used is forgotten."""
    return await control(exchange, "POST", "limits", limits)


async def far_bid(ann: Any, **params: object) -> Any:
    """A buy order that will not be reached."""
    book = await ann.fetch_order_book("BTC/USDT", 5)
    price = (D(str(book["bids"][0][0])) * D("0.8")).quantize(D("0.01"))
    return await ann.create_order("BTC/USDT", "limit", "buy", "0.01", str(price), params)


def header(ann: Any, name: str) -> str:
    found: str = {key.lower(): value for key, value in ann.last_response_headers.items()}[name.lower()]
    return found


def away_from_the_minutes_end() -> None:
    """Wait for the next minute if this one ends within seconds: its count would begin anew in the middle of a test."""
    left = 60 - time.time() % 60
    if left < 8:
        time.sleep(left + 0.1)


async def test_every_answer_says_what_its_address_has_used(ann: Any) -> None:
    away_from_the_minutes_end()
    used = []
    for question in (
        ann.public_get_ping({}),
        ann.fetch_order_book("BTC/USDT", 100),
        ann.fetch_order_book("BTC/USDT", 1000),
        ann.fetch_balance(),
        ann.fetch_open_orders("BTC/USDT"),
        ann.private_get_ratelimit_order({}),
    ):
        await question
        used.append(int(header(ann, WEIGHT)))
    steps = [later - earlier for earlier, later in zip([0, *used], used, strict=False)]
    assert steps == [1, 5, 50, 20, 6, 40]


async def test_an_order_that_is_placed_costs_nothing_and_a_refused_one_does(exchange: Running, ann: Any) -> None:
    away_from_the_minutes_end()
    book = await ann.fetch_order_book("BTC/USDT", 5)
    price = (D(str(book["bids"][0][0])) * D("0.8")).quantize(D("0.01"))
    used = int(header(ann, WEIGHT))
    order = await ann.create_order("BTC/USDT", "limit", "buy", "0.01", str(price))
    assert int(header(ann, WEIGHT)) == used
    assert (header(ann, "X-MBX-ORDER-COUNT-10S"), header(ann, "X-MBX-ORDER-COUNT-1D")) == ("1", "1")
    await ann.cancel_order(order["id"], "BTC/USDT")
    assert int(header(ann, WEIGHT)) == used
    with pytest.raises(ccxt.OrderNotFound, match="-2011"):
        await ann.cancel_order(order["id"], "BTC/USDT")
    assert int(header(ann, WEIGHT)) == used + 1
    seen = await control(exchange, "GET", "limits")
    assert seen["addresses"]["127.0.0.1"]["weight_1m"] == used + 1


async def test_who_asks_too_much_is_refused_and_who_goes_on_is_banned(exchange: Running, ann: Any) -> None:
    await limit(exchange, request_weight_1m=19, refusals_before_ban=1)
    with pytest.raises(
        ccxt.DDoSProtection, match=r'429 .*"code":-1003,"msg":"Too much request weight used; current limit is 19'
    ):
        await ann.fetch_balance()
    assert 1 <= int(header(ann, "Retry-After")) <= 60
    assert int(header(ann, WEIGHT)) == 20
    with pytest.raises(
        ccxt.DDoSProtection, match=r'418 .*"code":-1003,"msg":"Way too much request weight used; IP banned until'
    ):
        await ann.fetch_balance()
    assert int(header(ann, "Retry-After")) == 120
    with pytest.raises(ccxt.DDoSProtection, match="418"):
        await ann.fetch_time()
    seen = (await control(exchange, "GET", "limits"))["addresses"]["127.0.0.1"]
    assert seen["refused"] == 3
    assert seen["banned_until_us"] > time.time() * 1e6
    assert [line["status"] for line in read_journal(exchange.journal).limited] == [429, 418, 418]
    await limit(exchange)
    assert (await ann.fetch_balance())["USDT"]["free"]


async def test_an_account_with_too_many_unfilled_orders_has_to_wait(exchange: Running, ann: Any) -> None:
    await limit(exchange, orders_1d=2)
    for _ in range(2):
        await far_bid(ann)
    with pytest.raises(
        ccxt.DDoSProtection,
        match=r'429 .*"code":-1015,"msg":"Too many new orders; current limit is 2 orders per 1 DAY."',
    ):
        await far_bid(ann)
    assert 1 <= int(header(ann, "Retry-After")) <= 86_400
    counts = await ann.private_get_ratelimit_order({})
    assert [(row["interval"], row["limit"], row["count"]) for row in counts][1] == ("DAY", 2, 2)
    await ann.cancel_all_orders("BTC/USDT")
    assert (await ann.private_get_ratelimit_order({}))[1]["count"] == 2
    await control(exchange, "POST", "limits", {"orders_1d": 1})
    for _ in range(3):  # what trades does not count
        assert (await ann.create_order("BTC/USDT", "market", "buy", "0.001"))["status"] == "closed"


async def test_the_limits_of_the_accounts_file_are_shown_and_kept(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("limited")
    (folder / "accounts.json").write_text('{"accounts": [], "limits": {"request_weight_1m": 21, "orders_10s": 7}}')
    with running(folder, "--synthetic", "7", "--accounts", str(folder / "accounts.json")) as limited:
        async with aiohttp.ClientSession(limited.http) as session:
            async with session.get("/api/v3/exchangeInfo") as answer:
                shown = {row["interval"]: row["limit"] for row in (await answer.json())["rateLimits"]}
                assert shown == {"MINUTE": 300_000, "SECOND": 7, "DAY": 200_000}
                assert (await answer.json())["rateLimits"][0]["limit"] == 21
            statuses = []
            for _ in range(3):  # of which one may stand in the next minute
                async with session.get("/api/v3/exchangeInfo") as answer:
                    statuses.append(answer.status)
            assert 429 in statuses


async def test_paths_under_sapi_have_their_own_budget(exchange: Running, ann: Any) -> None:
    await limit(exchange, sapi_weight_1m=1, sapi_account_weight_1s=17_999)
    await ann.sapi_get_account_apirestrictions()
    assert header(ann, "X-SAPI-USED-IP-WEIGHT-1M") == "1"
    away_from_the_minutes_end()
    await ann.sapi_get_asset_tradefee()
    with pytest.raises(ccxt.DDoSProtection, match="429"):
        await ann.sapi_get_asset_tradefee()
    with pytest.raises(ccxt.DDoSProtection, match="429"):
        await ann.fetch_withdrawals()
    assert (await ann.fetch_balance())["USDT"]["free"]


async def test_the_websocket_api_shares_the_addresss_weight(exchange: Running, ann: Any) -> None:
    away_from_the_minutes_end()
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{exchange.http}/ws-api/v3") as socket:
        await socket.send_json({"id": 1, "method": "ping"})
        answer = await socket.receive_json()
        limits = [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000, "count": 3}
        ]
        assert answer == {"id": 1, "status": 200, "result": {}, "rateLimits": limits}
        params = {"apiKey": "demo-key", "timestamp": time.time_ns() // 1000}
        signed = params | {"signature": signature(sorted_part(params), "demo-secret")}
        await socket.send_json({"id": 2, "method": "userDataStream.subscribe.signature", "params": signed})
        answer = await socket.receive_json()
        assert (answer["status"], answer["rateLimits"][0]["count"]) == (200, 5)
        for bad in ({"apiKey": ["demo-key"]}, {"apiKey": "demo-key"}, signed | {"signature": 5}, {}):
            await socket.send_json({"id": None, "method": "userDataStream.subscribe.signature", "params": bad})
            answer = await socket.receive_json()
            assert answer["error"]["code"] in {-2014, -1102, -1022}
        await limit(exchange, request_weight_1m=1, refusals_before_ban=0)
        await socket.send_json({"id": 3, "method": "userDataStream.subscribe.signature", "params": signed})
        answer = await socket.receive_json()
        assert (answer["status"], answer["error"]["code"]) == (418, -1003)
        assert answer["error"]["data"]["retryAfter"] - answer["error"]["data"]["serverTime"] == 120_000
        async with session.get(f"{exchange.http}/ws-api/v3") as refused:
            assert (refused.status, (await refused.json())["code"]) == (418, -1003)


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (lambda ann: ann.public_get_depth({"symbol": "BTCUSDT", "depth": 5}), -1104),
        (lambda ann: ann.public_get_time({"now": 1}), -1101),
        (lambda ann: ann.public_get_depth({"symbol": "btcusdt"}), -1100),
        (lambda ann: ann.public_get_depth({}), -1102),
        (lambda ann: ann.public_get_depth({"symbol": ""}), -1105),
        (lambda ann: ann.public_get_depth({"symbol": "BTCUSDT", "limit": 0}), -1130),
        (lambda ann: ann.public_get_klines({"symbol": "BTCUSDT", "interval": "1s"}), -1120),
        (lambda ann: ann.fetch_balance({"recvWindow": 60_001}), -1131),
        (lambda ann: ann.fetch_balance({"created": 1}), -1104),
        (lambda ann: ann.private_get_mytrades({"symbol": "BTCUSDT", "orderId": 1, "startTime": 1}), -1128),
        (lambda ann: ann.private_get_mytrades({"symbol": "BTCUSDT", "startTime": 1, "endTime": 86_400_002}), -1127),
        (lambda ann: ann.private_get_allorders({"symbol": "BTCUSDT", "startTime": 1, "endTime": 86_400_002}), -1127),
        (lambda ann: far_bid(ann, selfTradePreventionMode="DECREMENT"), -1013),
        (lambda ann: far_bid(ann, selfTradePreventionMode="NEVER"), -1130),
        (lambda ann: far_bid(ann, icebergQty="0.001"), -2010),
    ],
)
async def test_what_a_request_does_wrong_is_refused_by_its_code(ann: Any, ask: Any, code: int) -> None:
    with pytest.raises(ccxt.ExchangeError, match=f'"code":{code},'):
        await ask(ann)
    assert await ann.fetch_open_orders("BTC/USDT") == []


async def test_an_order_that_meets_its_own_account_is_prevented_as_asked(exchange: Running, ann: Any) -> None:
    await control(exchange, "POST", "pause")
    try:
        ask = (await ann.fetch_order_book("BTC/USDT", 5))["asks"][0][0]
        price = str(D(str(ask)) - D("0.01"))
        resting = await ann.create_order("BTC/USDT", "limit", "buy", "0.01", price, {"postOnly": True})
        mode = {"selfTradePreventionMode": "EXPIRE_TAKER"}
        taker = await ann.create_order("BTC/USDT", "limit", "sell", "0.02", price, mode)
        assert (taker["status"], D(taker["filled"]), taker["fee"]) == ("expired", 0, None)
        assert taker["info"]["status"] == "EXPIRED_IN_MATCH"
        assert (await ann.fetch_order(resting["id"], "BTC/USDT"))["status"] == "open"
        mode = {"selfTradePreventionMode": "EXPIRE_BOTH"}
        await ann.create_order("BTC/USDT", "limit", "sell", "0.02", price, mode)
        ended = await ann.fetch_order(resting["id"], "BTC/USDT")
        assert (ended["status"], D(ended["info"]["preventedQuantity"])) == ("expired", D("0.01"))
        rows = await ann.private_get_mypreventedmatches({"symbol": "BTCUSDT", "orderId": resting["id"]})
        told = [(row["selfTradePreventionMode"], row.get("makerPreventedQuantity")) for row in rows]
        assert told == [("EXPIRE_TAKER", None), ("EXPIRE_BOTH", "0.01000000")]
        assert (await ann.fetch_balance())["USDT"]["used"] == "0.00000000"
    finally:
        await control(exchange, "POST", "resume")


async def test_an_account_may_have_two_hundred_orders_open_on_a_symbol(exchange: Running, ann: Any) -> None:
    await limit(exchange, orders_10s=1_000)
    book = await ann.fetch_order_book("LTC/USDT", 5)
    price = str((D(str(book["bids"][0][0])) / 2).quantize(D("0.01")))
    for _ in range(200):
        await ann.create_order("LTC/USDT", "limit", "buy", "0.3", price)
    with pytest.raises(ccxt.ExchangeError, match=r'"code":-2010,"msg":"Filter failure: MAX_NUM_ORDERS"'):
        await ann.create_order("LTC/USDT", "limit", "buy", "0.3", price)
    await ann.cancel_all_orders("LTC/USDT")


async def test_what_is_not_there_is_refused_in_json_unless_a_browser_asks(exchange: Running) -> None:
    async with aiohttp.ClientSession(exchange.http) as session:
        for method, path, status in (("GET", "/api/v3/exchangie", 404), ("PUT", "/api/v3/order", 405)):
            async with session.request(method, path) as answer:
                assert (answer.status, (await answer.json())["code"]) == (status, -1020)
        async with session.get("/api/v3/exchangie", headers={"Accept": "text/html"}) as answer:
            assert (answer.status, await answer.text()) == (404, "<html><body><h2>404 Not found</h2></body></html>")


@pytest.mark.parametrize(
    "message",
    [
        b"NONSENSE\r\n\r\n",
        b"GET /api/v3/time?\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /api/v3/time HTTP/1.1\r\nHost: x\r\nBad header\r\n\r\n",
        b"GET /api/v3/time?a=" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /api/v3/order HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /api/v3/order HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
async def test_what_is_no_http_is_refused_without_a_word_on_stderr(exchange: Running, message: bytes) -> None:
    wire = Wire(exchange.port)
    answer = await wire.ask(message)
    assert (answer.status, answer.headers["content-type"]) == (400, "application/json")
    assert answer.body.startswith(b'{"code":-1')
    await wire.close()
