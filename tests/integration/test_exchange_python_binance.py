"""python-binance, a client that shares nothing with ccxt, trades here unchanged: only its base URLs are set.

Its user stream is the websocket API's `userDataStream.subscribe.signature`, as Binance has it today. The listen keys of
`/api/v3/userDataStream`, which it still has a method for, ended there in February 2026 and are not served here.
"""

import asyncio
import importlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest
from exchange_process import Running, control, running

from trimtab.exchange.journal import read_journal

D = Decimal
SYMBOL = "BTCUSDT"
STREAM_SECONDS_MAX = 20.0


@pytest.fixture(scope="module")
def binance() -> ModuleType:
    """The client's package. Not imported above: what collects the tests need not have it."""
    return importlib.import_module("binance")


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    options = ("--synthetic", "11", "--symbols", "BTCUSDT,ETHUSDT", "--volatility", "5")
    with running(tmp_path_factory.mktemp("exchange"), *options) as started:
        yield started


Connect = Callable[[str, str], Awaitable[Any]]


@pytest.fixture
async def connect(binance: ModuleType, exchange: Running) -> AsyncIterator[Connect]:
    """Makes clients of a key and a secret, pointed at the exchange."""

    class Client(binance.AsyncClient):  # type: ignore[misc]  # a class that is known only at run time
        API_URL = f"{exchange.http}/api"
        MARGIN_API_URL = f"{exchange.http}/sapi"
        WS_API_URL = f"ws://{exchange.host}/ws-api/v3"

    made: list[Any] = []

    async def connected(key: str, secret: str) -> Any:
        made.append(await Client.create(key, secret))
        return made[-1]

    yield connected
    for client in made:
        await client.close_connection()


@pytest.fixture
async def ann(exchange: Running, connect: Connect) -> Any:
    """A client of an account of its own."""
    name = f"ann-{len((await control(exchange, 'GET', 'status'))['accounts'])}"
    funds = {"USDT": "1000000", "BTC": "10"}
    spec = {"name": name, "api_key": f"{name}-key", "secret": f"{name}-secret", "balances": funds}
    await control(exchange, "POST", "accounts", spec, 201)
    made = await connect(f"{name}-key", f"{name}-secret")
    made.account_name = name
    return made


@pytest.fixture
def sockets(binance: ModuleType, exchange: Running, ann: Any) -> Any:
    class Manager(binance.BinanceSocketManager):  # type: ignore[misc]  # as above
        STREAM_URL = f"ws://{exchange.host}/"

    return Manager(ann)


async def far_price(ann: Any) -> str:
    """A price that nobody will sell for."""
    bid = D((await ann.get_orderbook_ticker(symbol=SYMBOL))["bidPrice"])
    return str((bid * D("0.8")).quantize(D("0.01")))


async def test_rules_books_and_candles_are_read(ann: Any) -> None:
    info = await ann.get_symbol_info(SYMBOL)
    rules = {rule["filterType"]: rule for rule in info["filters"]}
    assert (rules["PRICE_FILTER"]["tickSize"], rules["LOT_SIZE"]["stepSize"]) == ("0.01000000", "0.00001000")
    assert [s["symbol"] for s in (await ann.get_exchange_info())["symbols"]] == ["BTCUSDT", "ETHUSDT"]
    book = await ann.get_order_book(symbol=SYMBOL, limit=5)
    assert len(book["bids"]) == len(book["asks"]) == 5
    assert D(book["bids"][0][0]) < D(book["asks"][0][0])
    assert (await ann.get_ticker(symbol=SYMBOL))["symbol"] == SYMBOL
    assert len((await ann.get_klines(symbol=SYMBOL, interval="1m"))[-1]) == 12
    assert (await ann.get_system_status())["msg"] == "normal"


async def test_a_limit_order_is_placed_looked_up_listed_and_cancelled(ann: Any) -> None:
    placed = await ann.order_limit_buy(symbol=SYMBOL, quantity="0.01", price=await far_price(ann))
    assert placed["status"] == "NEW"
    assert placed["clientOrderId"].startswith("x-HNA2TXFJ")  # the client's own prefix
    state = await ann.get_order(symbol=SYMBOL, orderId=placed["orderId"])
    assert (state["status"], state["origQty"], state["isWorking"]) == ("NEW", "0.01000000", True)
    assert [o["orderId"] for o in await ann.get_open_orders(symbol=SYMBOL)] == [placed["orderId"]]
    locked = D((await ann.get_asset_balance("USDT"))["locked"])
    assert locked == D(placed["price"]) * D("0.01")
    cancelled = await ann.cancel_order(symbol=SYMBOL, origClientOrderId=placed["clientOrderId"])
    assert (cancelled["status"], cancelled["origClientOrderId"]) == ("CANCELED", placed["clientOrderId"])
    assert await ann.get_open_orders() == []
    assert [o["status"] for o in await ann.get_all_orders(symbol=SYMBOL)] == ["CANCELED"]
    assert D((await ann.get_asset_balance("USDT"))["locked"]) == 0


async def test_market_orders_trade_and_the_account_adds_up(exchange: Running, ann: Any) -> None:
    bought = await ann.order_market_buy(symbol=SYMBOL, quantity="0.02")
    await ann.order_market_sell(symbol=SYMBOL, quoteOrderQty="500")
    assert (bought["status"], bought["executedQty"]) == ("FILLED", "0.02000000")
    trades = await ann.get_my_trades(symbol=SYMBOL)
    assert {t["orderId"] for t in trades} > {bought["orderId"]}
    assert sum(D(fill["qty"]) for fill in bought["fills"]) == D("0.02")
    expected = {"USDT": D(1000000), "BTC": D(10)}
    for trade in trades:
        sign = 1 if trade["isBuyer"] else -1
        expected["BTC"] += sign * D(trade["qty"])
        expected["USDT"] -= sign * D(trade["quoteQty"])
        expected[trade["commissionAsset"]] -= D(trade["commission"])
    held = {row["asset"]: D(row["free"]) for row in (await ann.get_account())["balances"]}
    assert held == expected
    executions = read_journal(exchange.journal).executions_of(ann.account_name)
    assert [fill.trade_id for fill in executions] == [trade["id"] for trade in trades]


async def test_refusals_come_with_binances_codes(binance: ModuleType, connect: Connect, ann: Any) -> None:
    price = await far_price(ann)
    refused: list[tuple[Callable[[], Awaitable[Any]], int, int, str]] = [
        (lambda: ann.order_limit_buy(symbol=SYMBOL, quantity="0.00001", price=price), 400, -1013, "NOTIONAL"),
        (lambda: ann.order_limit_buy(symbol=SYMBOL, quantity="0.000001", price=price), 400, -1013, "LOT_SIZE"),
        (lambda: ann.order_limit_buy(symbol=SYMBOL, quantity="140", price=price), 400, -2010, "insufficient balance"),
        (lambda: ann.order_limit_buy(symbol="NOUSDT", quantity="1", price=price), 400, -1121, "Invalid symbol."),
        (lambda: ann.create_order(symbol=SYMBOL, side="BUY", type="LIMIT"), 400, -1102, "timeInForce"),
        (lambda: ann.get_order(symbol=SYMBOL, orderId=999_999), 400, -2013, "Order does not exist."),
        (lambda: ann.cancel_order(symbol=SYMBOL, orderId=999_999), 400, -2011, "Unknown order sent."),
    ]
    for ask, status, code, text in refused:
        with pytest.raises(binance.BinanceAPIException) as told:
            await ask()
        assert (told.value.status_code, told.value.code) == (status, code)
        assert text in told.value.message
    for key, secret, status, code in (("demo-key", "wrong", 400, -1022), ("nobody", "x", 401, -2015)):
        stranger = await connect(key, secret)
        with pytest.raises(binance.BinanceAPIException) as told:
            await stranger.get_account()
        assert (told.value.status_code, told.value.code) == (status, code)


async def test_a_listen_key_is_no_more(binance: ModuleType, ann: Any) -> None:
    with pytest.raises(binance.BinanceAPIException) as told:
        await ann.stream_get_listen_key()
    assert told.value.status_code == 404


async def heard(socket: Any) -> Any:
    return await asyncio.wait_for(socket.recv(), STREAM_SECONDS_MAX)


@pytest.mark.parametrize(
    ("socket", "options", "kind"),
    [
        ("depth_socket", {"interval": 100}, "depthUpdate"),
        ("depth_socket", {}, "depthUpdate"),
        ("trade_socket", {}, "trade"),
        ("aggtrade_socket", {}, "aggTrade"),
        ("kline_socket", {"interval": "1m"}, "kline"),
        ("symbol_miniticker_socket", {}, "24hrMiniTicker"),
        ("symbol_book_ticker_socket", {}, None),
    ],
)
async def test_a_market_stream_is_heard(sockets: Any, socket: str, options: dict[str, Any], kind: str | None) -> None:
    async with getattr(sockets, socket)(SYMBOL, **options) as stream:
        for _ in range(2):
            message = await heard(stream)
            assert (message["s"], message.get("e")) == (SYMBOL, kind), message


async def test_streams_are_heard_together(sockets: Any) -> None:
    names = [f"{symbol}@bookTicker" for symbol in ("btcusdt", "ethusdt")]
    found: set[str] = set()
    async with sockets.multiplex_socket(names) as stream:
        while found < set(names):
            message = await heard(stream)
            assert message["data"]["s"].lower() == message["stream"].partition("@")[0]
            found.add(message["stream"])


async def test_its_own_book_is_the_exchanges(binance: ModuleType, exchange: Running, ann: Any, sockets: Any) -> None:
    """What its depth cache has gathered is, once the market stands still, what the exchange answers."""
    cache = binance.DepthCacheManager(ann, SYMBOL, bm=sockets, limit=1000, conv_type=D, ws_interval=100)
    async with cache as following:
        for _ in range(10):
            await asyncio.wait_for(following.recv(), STREAM_SECONDS_MAX)
        await control(exchange, "POST", "pause")
        try:
            told = await ann.get_order_book(symbol=SYMBOL, limit=1000)
            while following._last_update_id < told["lastUpdateId"]:
                await asyncio.wait_for(following.recv(), STREAM_SECONDS_MAX)
            book = following.get_depth_cache()
            for side, levels in (("bids", book.get_bids()), ("asks", book.get_asks())):
                assert [[D(price), D(size)] for price, size in told[side]] == levels
        finally:
            await control(exchange, "POST", "resume")


async def test_the_user_stream_tells_orders_and_balances(exchange: Running, ann: Any, sockets: Any) -> None:
    async with sockets.user_socket() as stream:
        bought = await ann.order_market_buy(symbol=SYMBOL, quantity="0.01")
        resting = await ann.order_limit_buy(symbol=SYMBOL, quantity="0.01", price=await far_price(ann))
        await ann.cancel_order(symbol=SYMBOL, orderId=resting["orderId"])
        await control(exchange, "POST", "deposit", {"account": ann.account_name, "asset": "ETH", "amount": "2"})
        reports, positions, deposited = [], [], None
        while deposited is None:
            event = await heard(stream)
            if event["e"] == "executionReport":
                reports.append((event["i"], event["x"], event["X"]))
            elif event["e"] == "outboundAccountPosition":
                positions.append({row["a"]: row for row in event["B"]})
            else:
                assert event["e"] == "balanceUpdate"
                deposited = event["a"], event["d"]
    trades = [(bought["orderId"], "TRADE", "PARTIALLY_FILLED")] * (len(bought["fills"]) - 1)
    assert reports == [
        (bought["orderId"], "NEW", "NEW"), *trades, (bought["orderId"], "TRADE", "FILLED"),
        (resting["orderId"], "NEW", "NEW"), (resting["orderId"], "CANCELED", "CANCELED"),
    ]  # fmt: skip
    assert deposited == ("ETH", "2.00000000")
    free = await ann.get_asset_balance("USDT")
    assert [p["USDT"]["f"] for p in positions if "USDT" in p][-1] == free["free"]
