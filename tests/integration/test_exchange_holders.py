"""What persons and the exchange itself do to accounts, and what is told of it: user stream, look-ups, journal."""

from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from exchange_process import Running, control, running

from trimtab.exchange.journal import read_journal

D = Decimal


@pytest.fixture
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("exchange")
    with running(folder, "--synthetic", "7", "--symbols", "LTCUSDT,BNBUSDT", "--paused") as started:
        yield started


@pytest.fixture
async def http(exchange: Running) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(exchange.http) as session:
        yield session


async def balances(exchange: Running) -> dict[str, Decimal]:
    found = (await control(exchange, "GET", "accounts/demo"))["balances"]
    return {asset: D(held["free"]) + D(held["locked"]) for asset, held in found.items()}


async def test_orders_by_hand_are_like_any_other_but_marked(exchange: Running) -> None:
    bought = await control(
        exchange, "POST", "orders", {"account": "demo", "symbol": "LTCUSDT", "side": "BUY", "quantity": "2"}, 201
    )
    assert (bought["status"], bought["clientOrderId"][:4]) == ("FILLED", "web_")
    rests = {"account": "demo", "symbol": "LTCUSDT", "side": "BUY", "quantity": "2", "price": "40"}
    resting = await control(exchange, "POST", "orders", rests, 201)
    gone = {"account": "demo", "symbol": "LTCUSDT", "order_id": resting["orderId"]}
    assert (await control(exchange, "DELETE", "orders", gone))["status"] == "CANCELED"
    journal = read_journal(exchange.journal)
    assert journal.by_hand == {("demo", "LTCUSDT", bought["orderId"]), ("demo", "LTCUSDT", resting["orderId"])}
    assert [(line["method"], line["by_hand"]) for line in journal.requests] == [
        ("order.place", True),
        ("order.place", True),
        ("order.cancel", True),
    ]
    refused = await control(exchange, "DELETE", "orders", gone, 400)
    assert refused["code"] == -2011
    assert "nobody" in (await control(exchange, "POST", "orders", rests | {"account": "nobody"}, 404))["msg"]


async def test_dust_becomes_another_asset(exchange: Running) -> None:
    await control(exchange, "POST", "deposit", {"account": "demo", "asset": "LTC", "amount": "0.0004"})
    before = await balances(exchange)
    await control(exchange, "POST", "dust", {"account": "demo", "assets": ["LTC"]})
    after = await balances(exchange)
    assert after["LTC"] == 0
    assert D("0.00004") < after["BNB"] - before["BNB"] < D("0.00006")
    assert [change.asset for change in read_journal(exchange.journal).conversions] == ["LTC", "BNB"]
    again = await control(exchange, "POST", "dust", {"account": "demo", "assets": ["LTC"]}, 400)
    assert "nothing is free" in again["msg"]


async def test_a_redenomination_changes_units_rules_and_books_together(
    exchange: Running, http: aiohttp.ClientSession
) -> None:
    async def ask(path: str) -> Any:
        async with http.get(f"/api/v3/{path}") as answer:
            return await answer.json()

    async def filters() -> dict[str, Any]:
        (info,) = (await ask("exchangeInfo?symbol=LTCUSDT"))["symbols"]
        return {found["filterType"]: found for found in info["filters"]}

    await control(exchange, "POST", "deposit", {"account": "demo", "asset": "LTC", "amount": "1.5"})
    rests = {"account": "demo", "symbol": "LTCUSDT", "side": "SELL", "quantity": "1", "price": "80"}
    await control(exchange, "POST", "orders", rests, 201)
    before, day = await ask("depth?symbol=LTCUSDT&limit=5"), await ask("ticker/24hr?symbol=LTCUSDT")
    async with http.ws_connect("/ws/ltcusdt@depth@100ms") as socket:
        await control(exchange, "POST", "redenominate", {"asset": "LTC", "ratio": "100"})
        told = await socket.receive_json(timeout=20)
    after = await ask("depth?symbol=LTCUSDT&limit=5")
    assert told["U"] == before["lastUpdateId"] + 1
    assert told["u"] == after["lastUpdateId"]
    for side in ("bids", "asks"):
        assert [[D(price) * 100, D(size)] for price, size in after[side]] == [
            [D(price), D(size) * 100] for price, size in before[side]
        ]
    assert D((await ask("ticker/24hr?symbol=LTCUSDT"))["lastPrice"]) * 100 == D(day["lastPrice"])
    assert (await balances(exchange))["LTC"] == 150
    rules = await filters()
    assert (D(rules["PRICE_FILTER"]["tickSize"]), D(rules["LOT_SIZE"]["stepSize"])) == (D("0.0001"), D("0.1"))
    journal = read_journal(exchange.journal)
    assert [order.status for order in journal.orders.values()] == ["CANCELED"]
    assert [(change.asset, change.delta_free) for change in journal.conversions] == [("LTC", D("148.5"))]
    sold = {"account": "demo", "symbol": "LTCUSDT", "side": "SELL", "quantity": "100"}
    assert (await control(exchange, "POST", "orders", sold, 201))["status"] == "FILLED"
    odd = await control(exchange, "POST", "redenominate", {"asset": "LTC", "ratio": "3"}, 400)
    assert "ratio: found '3'" in odd["msg"]
