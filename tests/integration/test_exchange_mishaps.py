"""What a client sees when a request or its answer meets a fault, and what the journal has of it."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
from exchange_process import Running, arm, control, running, until

from trimtab.exchange.journal import read_journal
from trimtab.exchange.signing import signature

ORDER, LOOKUP = "POST /api/v3/order", "GET /api/v3/order"


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(
        tmp_path_factory.mktemp("exchange"), "--synthetic", "7", "--symbols", "LTCUSDT", "--paused"
    ) as started:
        yield started


@pytest.fixture
async def http(exchange: Running) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"X-MBX-APIKEY": "demo-key", "Content-Type": "application/x-www-form-urlencoded"}
    async with aiohttp.ClientSession(exchange.http, headers=headers) as session:
        yield session
    await control(exchange, "DELETE", "faults")


def signed(text: str) -> str:
    query = f"{text}&timestamp={time.time_ns() // 1_000_000}"
    return f"{query}&signature={signature(query, 'demo-secret')}"


def bid(name: str) -> str:
    """A buy order that rests: far below the market."""
    asked = f"symbol=LTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=40&newClientOrderId={name}"
    return signed(asked)


def market_buy(name: str) -> str:
    return signed(f"symbol=LTCUSDT&side=BUY&type=MARKET&quantity=1&newClientOrderId={name}")


async def status_of(http: aiohttp.ClientSession, name: str) -> str:
    """What the exchange says of an order: its status, or the code of its refusal."""
    async with http.get(f"/api/v3/order?{signed(f'symbol=LTCUSDT&origClientOrderId={name}')}") as answer:
        told = await answer.json()
    return str(told.get("status", told.get("code")))


def strikes(exchange: Running, kind: str, asked: str) -> list[Any]:
    """The lines of the journal that tell of a fault on a request whose query has this in it."""
    return [line for line in read_journal(exchange.journal).faults if line["fault"] == kind and asked in line["asked"]]


async def test_a_request_lost_on_its_way_was_not_carried_out(exchange: Running, http: aiohttp.ClientSession) -> None:
    await arm(exchange, "lost_request", ORDER)
    with pytest.raises(aiohttp.ClientConnectionError):
        await http.post("/api/v3/order", data=bid("lost-1"))
    assert await status_of(http, "lost-1") == "-2013"
    (line,) = strikes(exchange, "lost_request", "lost-1")
    assert line["struck"] == ORDER
    assert "signature" not in line["asked"]


async def test_an_answer_cut_in_its_body_is_no_json_and_the_order_lives(
    exchange: Running, http: aiohttp.ClientSession
) -> None:
    await arm(exchange, "cut_answer", ORDER)
    async with http.post("/api/v3/order", data=bid("cut-1")) as answer:
        assert (answer.status, answer.content_type) == (200, "application/json")
        text = await answer.text()
    assert text.startswith('{"symbol":"LTCUSDT"')
    assert not text.endswith("}")
    assert await status_of(http, "cut-1") == "NEW"
    assert len(strikes(exchange, "cut_answer", "cut-1")) == 1


async def test_an_answer_whose_connection_ends_within_it_leaves_the_order_alive(
    exchange: Running, http: aiohttp.ClientSession
) -> None:
    await arm(exchange, "cut_answer", ORDER, cut="connection")
    async with http.post("/api/v3/order", data=bid("cut-2")) as answer:
        assert answer.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()
    assert await status_of(http, "cut-2") == "NEW"


@pytest.mark.parametrize(("kind", "content"), [("empty_answer", ""), ("html_answer", "<html>")])
async def test_a_success_that_says_nothing_of_the_order(
    exchange: Running, http: aiohttp.ClientSession, kind: str, content: str
) -> None:
    await arm(exchange, kind, ORDER)
    async with http.post("/api/v3/order", data=bid(kind)) as answer:
        assert answer.status == 200
        assert content in await answer.text()
    assert await status_of(http, kind) == "NEW"
    assert len(strikes(exchange, kind, kind)) == 1


@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 505, 507, 520, 521, 522, 523, 524, 525, 526, 530, 598])
async def test_every_kind_of_server_error_before_and_after(
    exchange: Running, http: aiohttp.ClientSession, status: int
) -> None:
    for kind, left in (("error_before", "-2013"), ("error_after", "NEW")):
        await arm(exchange, kind, ORDER, status=status)
        async with http.post("/api/v3/order", data=bid(f"{kind}-{status}")) as answer:
            assert (answer.status, answer.content_type) == (status, "text/html")
            assert str(status) in await answer.text()
        assert await status_of(http, f"{kind}-{status}") == left


async def test_an_order_carried_out_twice_is_refused_while_it_is_open_and_doubled_once_it_is_filled(
    exchange: Running, http: aiohttp.ClientSession
) -> None:
    await arm(exchange, "duplicate_request", ORDER, count=2)
    async with http.post("/api/v3/order", data=bid("twice-1")) as answer:
        assert (answer.status, (await answer.json())["msg"]) == (400, "Duplicate order sent.")
    async with http.post("/api/v3/order", data=market_buy("twice-2")) as answer:
        second = await answer.json()
    journal = read_journal(exchange.journal)
    assert len(journal.orders_of("demo", "twice-1")) == 1
    assert [order.order_id for order in journal.orders_of("demo", "twice-2")] == [
        second["orderId"] - 1,
        second["orderId"],
    ]
    assert len(strikes(exchange, "duplicate_request", "twice-")) == 2


async def test_a_cancellation_carried_out_twice_finds_nothing_the_second_time(
    exchange: Running, http: aiohttp.ClientSession
) -> None:
    async with http.post("/api/v3/order", data=bid("twice-3")) as answer:
        assert answer.status == 200
    await arm(exchange, "duplicate_request", "DELETE /api/v3/order")
    gone = signed("symbol=LTCUSDT&origClientOrderId=twice-3")
    async with http.delete(f"/api/v3/order?{gone}") as answer:
        assert (await answer.json())["code"] == -2011
    assert await status_of(http, "twice-3") == "CANCELED"


async def test_an_overtaken_answer_comes_after_that_of_a_later_request(
    exchange: Running, http: aiohttp.ClientSession
) -> None:
    await arm(exchange, "overtaken_answer", ORDER, latency_ms=20_000)
    arrived: list[str] = []

    async def place(name: str) -> None:
        async with http.post("/api/v3/order", data=bid(name)) as answer:
            arrived.append((await answer.json())["clientOrderId"])

    async def accepted() -> bool:
        return await status_of(http, "order-1") == "NEW"

    first = asyncio.create_task(place("order-1"))
    await until(accepted, "the first order was accepted")
    assert arrived == []
    await place("order-2")
    await first
    assert arrived == ["order-2", "order-1"]
    requests = [request["client_order_id"] for request in read_journal(exchange.journal).requests]
    assert requests.index("order-1") < requests.index("order-2")
    assert [line["overtaken"] for line in read_journal(exchange.journal).faults_over] == [True]


async def test_an_answer_that_nothing_overtakes_comes_late(exchange: Running, http: aiohttp.ClientSession) -> None:
    await arm(exchange, "overtaken_answer", LOOKUP, latency_ms=30)
    assert await status_of(http, "nobody") == "-2013"
    assert read_journal(exchange.journal).faults_over[-1]["overtaken"] is False


async def test_maintenance_is_announced_then_closes_every_door_but_those_that_tell_of_it(
    exchange: Running, http: aiohttp.ClientSession
) -> None:
    async def status() -> Any:
        async with http.get("/sapi/v1/system/status") as answer:
            return await answer.json()

    async def closed() -> bool:
        async with http.get("/api/v3/ping") as answer:
            return answer.status == 503

    assert await status() == {"status": 0, "msg": "normal"}
    async with http.ws_connect("/stream?streams=ltcusdt@depth") as socket:
        await arm(exchange, "maintenance", duration_ms=None, notice_ms=200)
        assert await status() == {"status": 1, "msg": "system_maintenance"}
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
    await until(closed, "the doors are closed")
    for path in ("/api/v3/time", "/api/v3/order", "/sapi/v1/asset/tradeFee"):
        async with http.get(path) as answer:
            assert (answer.status, await answer.json()) == (503, {"code": 1, "msg": "System is under maintenance."})
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await http.ws_connect("/ws-api/v3")
    assert refused.value.status == 503
    assert (await status())["status"] == 1
    await control(exchange, "DELETE", "faults")
    async with http.get("/api/v3/ping") as answer:
        assert answer.status == 200
    assert (await status())["status"] == 0


async def test_server_time_jumps_and_drifts_and_signatures_are_held_against_it(
    exchange: Running, http: aiohttp.ClientSession
) -> None:
    async def ahead_ms() -> int:
        async with http.get("/api/v3/time") as answer:
            told: int = (await answer.json())["serverTime"]
        return told - time.time_ns() // 1_000_000

    await arm(exchange, "clock_skew", skew_ms=-60_000, duration_ms=None)
    assert -61_000 < await ahead_ms() < -59_000
    assert await status_of(http, "nobody") == "-1021"
    await arm(exchange, "clock_skew", skew_ms=0, drift_ppm=500_000, duration_ms=None)
    first = await ahead_ms()
    await asyncio.sleep(0.3)
    assert await ahead_ms() - first >= 100
    await control(exchange, "DELETE", "faults")
    assert await status_of(http, "nobody") == "-2013"
