"""The real ccxt coinbaseexchange, REST and websocket, against the exchange's real process in that dialect."""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any
from uuid import uuid4

import ccxt
import pytest
from exchange_process import COINBASE_KEYS, Running, arm, coinbase_client, control, running, until

from trimtab.exchange.journal import read_journal

D = Decimal
PLACE, FIND = "POST /orders", "GET /orders"
MAKER, TAKER = D("0.004"), D("0.006")


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("exchange"), "--synthetic", "7", "--dialect", "coinbase") as started:
        yield started


@pytest.fixture
async def ann(exchange: Running) -> AsyncIterator[Any]:
    """A client of an account of its own."""
    name = f"ann-{len((await control(exchange, 'GET', 'status'))['accounts'])}"
    secret = base64.b64encode(name.encode()).decode()
    keys = f"{name}-key", secret, f"{name}-words"
    spec = {
        "name": name, "api_key": keys[0], "secret": secret, "passphrase": keys[2], "maker_fee": str(MAKER),
        "taker_fee": str(TAKER), "balances": {"USDT": "1000000", "BTC": "10", "ETH": "100"},
    }  # fmt: skip
    await control(exchange, "POST", "accounts", spec, 201)
    made = coinbase_client(exchange, keys)
    made.account_name = name
    await made.load_markets()
    yield made
    await made.close()
    await control(exchange, "DELETE", "faults")


async def best(ann: Any, side: str) -> Decimal:
    """The best price of a side of BTC/USDT's book."""
    book = await ann.fetch_order_book("BTC/USDT")
    return D(str(book["bids" if side == "buy" else "asks"][0][0]))


async def far_bid(ann: Any, quantity: str = "0.01", **params: object) -> Any:
    """A buy order that will not be reached."""
    price = (await best(ann, "buy") * D("0.8")).quantize(D("0.01"))
    return await ann.create_order("BTC/USDT", "limit", "buy", quantity, str(price), params)


async def test_products_and_rules_are_understood(ann: Any) -> None:
    market = ann.markets["BTC/USDT"]
    assert (market["precision"]["price"], market["precision"]["amount"]) == ("0.01", "0.00001")
    assert (market["limits"]["cost"]["min"], market["id"], market["active"]) == ("5", "BTC-USDT", True)
    assert len(ann.markets) == 12
    assert {"BTC", "USDT"} <= ann.currencies.keys()
    assert (await ann.fetch_trading_fees())["BTC/USDT"]["taker"] == "0.0060"
    assert abs(await ann.fetch_time() - ann.milliseconds()) < 5_000


async def test_an_order_larger_than_the_level_walks_the_book_and_waits(exchange: Running, ann: Any) -> None:
    await control(exchange, "POST", "pause")
    try:
        asks = (await ann.fetch_order_book("BTC/USDT"))["asks"]
        depth = sum(D(str(level[1])) for level in asks[:2])
        price, quantity = D(str(asks[1][0])), depth + D("0.01")
        placed = await ann.create_order("BTC/USDT", "limit", "buy", str(quantity), str(price))
        assert (placed["info"]["status"], D(placed["filled"])) == ("pending", 0)  # nothing is known of it yet
        order = await ann.fetch_order(placed["id"])
        assert (order["status"], D(order["filled"]), D(order["remaining"])) == ("open", depth, D("0.01"))
        trades = await ann.fetch_my_trades("BTC/USDT")
        assert sum(D(trade["amount"]) for trade in trades) == depth
        assert {(trade["fee"]["currency"], trade["takerOrMaker"]) for trade in trades} == {("USDT", "taker")}
        spent = sum(D(trade["price"]) * D(trade["amount"]) for trade in trades)
        fees = sum(D(trade["fee"]["cost"]) for trade in trades)
        assert fees == spent * TAKER == D(order["fee"]["cost"])
        balance = await ann.fetch_balance()
        held = price * D("0.01") * (1 + TAKER)  # the fee is held as well
        assert D(balance["USDT"]["used"]) == held
        assert D(balance["USDT"]["free"]) == D(1000000) - spent - fees - held
        assert D(balance["BTC"]["total"]) == 10 + depth
        await ann.cancel_order(placed["id"], "BTC/USDT")
        ended = await ann.fetch_order(placed["id"])
        assert (ended["status"], D(ended["filled"])) == ("canceled", depth)
        assert D((await ann.fetch_balance())["USDT"]["used"]) == 0
    finally:
        await control(exchange, "POST", "resume")


async def test_what_ends_without_a_fill_is_gone(exchange: Running, ann: Any) -> None:
    price = str((await best(ann, "buy") * D("0.9")).quantize(D("0.01")))
    for force in ("IOC", "FOK"):
        order = await ann.create_order("BTC/USDT", "limit", "buy", "0.01", price, {"timeInForce": force})
        with pytest.raises(ccxt.OrderNotFound, match="NotFound"):
            await ann.fetch_order(order["id"])
    resting = await far_bid(ann)
    await ann.cancel_order(resting["id"], "BTC/USDT")
    with pytest.raises(ccxt.OrderNotFound, match="NotFound"):
        await ann.fetch_order(resting["id"])
    with pytest.raises(ccxt.OrderNotFound, match="order not found"):
        await ann.cancel_order(resting["id"], "BTC/USDT")
    assert await ann.fetch_orders("BTC/USDT") == []
    assert {asset: D(each["used"]) for asset, each in (await ann.fetch_balance()).items() if asset == "USDT"} == {
        "USDT": D(0)
    }


async def test_the_market_moves_into_a_resting_order_and_fills_it(ann: Any) -> None:
    price = await best(ann, "sell") - D("0.01")
    placed = await ann.create_order("BTC/USDT", "limit", "sell", "0.002", str(price), {"postOnly": True})

    async def filled() -> bool:
        return (await ann.fetch_order(placed["id"]))["status"] == "closed"

    await until(filled, "the resting order to be filled by the market")
    trades = await ann.fetch_my_trades("BTC/USDT")
    assert {trade["takerOrMaker"] for trade in trades} == {"maker"}
    assert sum(D(trade["fee"]["cost"]) for trade in trades) == price * D("0.002") * MAKER
    with pytest.raises(ccxt.OrderNotFound, match="Order already done"):
        await ann.cancel_order(placed["id"], "BTC/USDT")


async def test_market_orders_take_a_size_or_funds_that_pay_the_fee_too(ann: Any) -> None:
    await ann.create_order("BTC/USDT", "market", "sell", "0.002")
    order = await ann.create_order("BTC/USDT", "market", "buy", "1", None, {"cost": "1006"})
    found = await ann.fetch_order(order["id"])
    assert found["status"] == "closed"
    assert D(found["cost"]) <= 1000
    assert D(found["cost"]) + D(found["fee"]["cost"]) <= 1006
    assert D(found["cost"]) > 999


async def test_the_user_channel_tells_every_step_of_an_order(ann: Any) -> None:
    events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    parse = ann.handle_message
    steps = {"received", "open", "match", "done"}

    def overheard(connection: Any, message: dict[str, Any]) -> None:
        if message["type"] in steps or message["type"] == "subscriptions":
            events.put_nowait(message)
        parse(connection, message)

    ann.handle_message = overheard
    watching = asyncio.create_task(ann.watch_orders("BTC/USDT"))
    trading = asyncio.create_task(ann.watch_my_trades("BTC/USDT"))
    told = await asyncio.wait_for(events.get(), 10)
    assert told["channels"] == [{"name": "user", "product_ids": ["BTC-USDT"], "account_ids": None}]
    oid = str(uuid4())
    order = await ann.create_order("BTC/USDT", "market", "buy", "0.002", None, {"clientOrderId": oid})
    resting = await far_bid(ann)
    await ann.cancel_order(resting["id"], "BTC/USDT")
    heard: list[dict[str, Any]] = []
    while len(heard) < 6:
        message = await asyncio.wait_for(events.get(), 10)
        heard += [message] if message["type"] in steps else []
    kinds = [(each["type"], each.get("reason"), each.get("order_id") or each["taker_order_id"]) for each in heard]
    assert kinds == [
        ("received", None, order["id"]), ("match", None, order["id"]), ("done", "filled", order["id"]),
        ("received", None, resting["id"]), ("open", None, resting["id"]), ("done", "canceled", resting["id"]),
    ]  # fmt: skip
    assert (heard[0]["client_oid"], "client_oid" in heard[3]) == (oid, False)
    assert [each["sequence"] for each in heard] == sorted({each["sequence"] for each in heard})
    match = heard[1]
    (own,) = await ann.fetch_my_trades("BTC/USDT")
    assert (str(match["trade_id"]), match["side"], match["taker_fee_rate"]) == (own["id"], "sell", "0.006")
    assert D(match["price"]) * D(match["size"]) * D(match["taker_fee_rate"]) == D(own["fee"]["cost"])
    assert (await asyncio.wait_for(watching, 10))[0]["id"] == order["id"]
    (seen,) = await asyncio.wait_for(trading, 10)
    assert (seen["id"], seen["side"], D(seen["fee"]["cost"])) == (own["id"], "buy", D(own["fee"]["cost"]))


async def test_market_channels_reach_ccxt_and_its_book_is_the_exchanges(exchange: Running, ann: Any) -> None:
    ann.number = float  # with texts ccxt's own book stops at the first change
    for _ in range(15):
        book = await asyncio.wait_for(ann.watch_order_book("ETH/USDT"), 10)
    assert book["bids"][0][0] < book["asks"][0][0]
    await control(exchange, "POST", "pause")
    try:
        await asyncio.sleep(0.3)  # what was on its way has come
        asked, kept = await ann.fetch_order_book("ETH/USDT"), ann.orderbooks["ETH/USDT"]
        for side in ("bids", "asks"):
            assert [level[:2] for level in kept[side][:20]] == [level[:2] for level in asked[side][:20]]
    finally:
        await control(exchange, "POST", "resume")
    trades = await asyncio.wait_for(ann.watch_trades("ETH/USDT"), 10)
    ticker = await asyncio.wait_for(ann.watch_ticker("ETH/USDT"), 10)
    assert trades[-1]["price"]
    assert ticker["bid"] < ticker["ask"]
    assert (await ann.fetch_ticker("ETH/USDT"))["last"]
    assert await ann.fetch_ohlcv("ETH/USDT", "1m")
    assert {trade["side"] for trade in await ann.fetch_trades("ETH/USDT")} <= {"buy", "sell"}


async def test_a_dropped_feed_is_noticed_and_begins_anew_with_a_whole_book(exchange: Running, ann: Any) -> None:
    async def watch_on() -> None:
        while True:
            await ann.watch_order_book("LTC/USDT")

    ann.number = float
    snapshots = 0
    parse = ann.handle_order_book

    def counted(connection: Any, message: dict[str, Any]) -> None:
        nonlocal snapshots
        snapshots += message["type"] == "snapshot"
        parse(connection, message)

    ann.handle_order_book = counted
    watching = asyncio.create_task(watch_on())
    await until(lambda: asyncio.sleep(0, snapshots), "the first book")
    await arm(exchange, "websocket_drop", streams="market")
    with pytest.raises(ccxt.NetworkError):
        await asyncio.wait_for(watching, 10)
    await asyncio.sleep(0.2)
    book = await asyncio.wait_for(ann.watch_order_book("LTC/USDT"), 10)
    assert book["bids"]
    assert snapshots == 2


async def test_orders_are_found_by_client_oid_which_need_not_be_unique(ann: Any) -> None:
    oid = str(uuid4())
    first = await far_bid(ann, clientOrderId=oid)
    second = await far_bid(ann, clientOrderId=oid)
    assert first["id"] != second["id"]
    found = await ann.fetch_order(None, None, {"clientOrderId": oid})
    assert (found["id"], found["clientOrderId"]) == (second["id"], oid)
    await ann.cancel_order(None, "BTC/USDT", {"clientOrderId": oid})
    assert [order["id"] for order in await ann.fetch_open_orders("BTC/USDT")] == [first["id"]]


async def test_a_cancellation_is_answered_with_the_name_that_it_was_asked_by(ann: Any) -> None:
    oid = str(uuid4())
    first, second = await far_bid(ann, clientOrderId=oid), await far_bid(ann)
    with pytest.raises(ccxt.OrderNotFound, match="order not found"):
        await ann.fetch2(f"orders/client:{oid}?product_id=ETH-USDT", ["private"], "DELETE")
    assert await ann.fetch2(f"orders/client:{oid}?product_id=BTC-USDT", ["private"], "DELETE") == f'"{oid}"'
    assert await ann.private_delete_orders_id({"id": second["id"]}) == f'"{second["id"]}"'
    assert {order["id"] for order in await ann.fetch_open_orders("BTC/USDT")} & {first["id"], second["id"]} == set()


async def test_a_client_oid_that_is_no_uuid_of_version_4_is_forgotten(ann: Any) -> None:
    placed = await far_bid(ann, clientOrderId="f0000000-0000-1000-8000-000000000000")
    assert "client_oid" not in (await ann.fetch_order(placed["id"]))["info"]
    with pytest.raises(ccxt.OrderNotFound, match="NotFound"):
        await ann.fetch_order(None, None, {"clientOrderId": "f0000000-0000-1000-8000-000000000000"})


async def test_own_trades_are_paged_newest_first(ann: Any) -> None:
    orders = [await ann.create_order("BTC/USDT", "market", "buy", "0.001") for _ in range(3)]
    trades = await ann.fetch_my_trades("BTC/USDT")
    assert [trade["order"] for trade in trades] == [order["id"] for order in orders]  # ccxt turns them round
    page = await ann.private_get_fills({"product_id": "BTC-USDT", "limit": 2})
    assert [each["order_id"] for each in page] == [orders[2]["id"], orders[1]["id"]]
    older = await ann.private_get_fills({"product_id": "BTC-USDT", "after": page[-1]["trade_id"]})
    assert [each["order_id"] for each in older] == [orders[0]["id"]]
    assert ann.last_response_headers["CB-AFTER"] == str(older[-1]["trade_id"])
    newer = await ann.private_get_fills({"product_id": "BTC-USDT", "before": page[0]["trade_id"]})
    assert newer == []
    (one,) = await ann.fetch_order_trades(orders[1]["id"])
    assert one["order"] == orders[1]["id"]


@pytest.mark.parametrize(
    ("asked", "error", "text"),
    [
        ({"size": "0.000001"}, ccxt.ExchangeError, "size is too accurate. Smallest unit is 0.00001000"),
        ({"size": "0"}, ccxt.InvalidOrder, "size is too small. Minimum size is 0.00001000"),
        ({"size": "0.00001"}, ccxt.ExchangeError, "funds is too small. Minimum size is 5.00000000"),
        ({"size": "140"}, ccxt.InsufficientFunds, "Insufficient funds"),
        ({"price": "30000.001"}, ccxt.ExchangeError, "price is too accurate. Smallest unit is 0.01000000"),
        ({"price": "many"}, ccxt.ExchangeError, "Invalid price"),
        ({"side": "hold"}, ccxt.ExchangeError, "Invalid side"),
        ({"product_id": "LUNA-USDT"}, ccxt.InvalidOrder, "Product not found"),
        ({"post_only": True, "time_in_force": "IOC"}, ccxt.ExchangeError, "Invalid post_only"),
    ],
)
async def test_refusals_map_to_ccxts_classes(
    ann: Any, asked: dict[str, Any], error: type[Exception], text: str
) -> None:
    order = {"type": "limit", "side": "buy", "product_id": "BTC-USDT", "size": "1", "price": "30000.00"} | asked
    with pytest.raises(error, match=text) as raised:
        await ann.private_post_orders(order)
    assert type(raised.value) is error
    assert await ann.fetch_open_orders("BTC/USDT") == []


async def test_a_post_only_order_that_would_take_is_answered_with_a_rejection(ann: Any) -> None:
    price = (await best(ann, "sell") * D("1.01")).quantize(D("0.01"))
    order = await ann.create_order("BTC/USDT", "limit", "buy", "0.01", str(price), {"postOnly": True})
    assert (order["status"], order["info"]["reject_reason"]) == ("rejected", "post only")
    with pytest.raises(ccxt.OrderNotFound):
        await ann.fetch_order(order["id"])
    assert await ann.fetch_my_trades("BTC/USDT") == []


async def test_wrong_keys_and_old_requests_are_refused(exchange: Running, ann: Any) -> None:
    key, secret, words = COINBASE_KEYS
    other = base64.b64encode(b"another").decode()
    for keys, text in (
        (("nobody", secret, words), "Invalid API Key"),
        ((key, other, words), "invalid signature"),
        ((key, secret, "open sesame"), "Invalid Passphrase"),
    ):
        stranger = coinbase_client(exchange, keys)
        with pytest.raises(ccxt.AuthenticationError, match=rf"401.*{text}"):
            await stranger.private_get_accounts()
        await stranger.close()
    for seconds in (-31, 31):
        ann.nonce = lambda seconds=seconds: ann.seconds() + seconds
        with pytest.raises(ccxt.AuthenticationError, match=r"401.*request timestamp expired"):
            await ann.private_get_accounts()
    ann.nonce = lambda: ann.seconds() - 28
    assert await ann.private_get_accounts()
    with pytest.raises(ccxt.OrderNotFound, match="NotFound"):
        await ann.fetch_order(str(uuid4()))
    with pytest.raises(ccxt.InvalidOrder, match="Invalid order id"):
        await ann.fetch_order("999")


async def test_a_feed_that_is_not_allowed_says_why(exchange: Running, ann: Any) -> None:
    stranger = coinbase_client(exchange, ("nobody", *COINBASE_KEYS[1:]))
    stranger.markets = ann.markets
    stranger.markets_by_id, stranger.symbols = ann.markets_by_id, ann.symbols
    with pytest.raises(ccxt.AuthenticationError, match="Invalid API Key"):
        await asyncio.wait_for(stranger.watch_order_book("BTC/USDT"), 10)
    await stranger.close()


async def test_who_asks_too_fast_is_turned_away(exchange: Running, ann: Any) -> None:
    ann.enableRateLimit = False
    answers = await asyncio.gather(*(ann.private_get_fees() for _ in range(60)), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, ccxt.RateLimitExceeded)]
    assert refused
    assert "Private rate limit exceeded" in str(refused[0])
    assert len(answers) - len(refused) >= 30
    assert read_journal(exchange.journal).limited[-1]["status"] == 429
    await asyncio.sleep(1)
    assert await ann.private_get_fees()


async def test_an_order_whose_answer_is_lost_was_carried_out(exchange: Running, ann: Any) -> None:
    for kind in ("lost_answer", "error_after"):
        oid = str(uuid4())
        await arm(exchange, kind, PLACE)
        with pytest.raises(ccxt.ExchangeNotAvailable):
            await far_bid(ann, clientOrderId=oid)
        assert (await ann.fetch_order(None, None, {"clientOrderId": oid}))["status"] == "open"
        (fault,) = [each for each in read_journal(exchange.journal).faults if oid in each.get("asked", "")]
        assert (fault["fault"], fault["struck"]) == (kind, PLACE)


async def test_an_order_refused_before_acceptance_never_was(exchange: Running, ann: Any) -> None:
    for kind, more, error in (
        ("error_before", {"status": 502}, ccxt.ExchangeNotAvailable),
        ("error_before", {"status": 504}, ccxt.RequestTimeout),
        ("error_before", {"status": 500, "code": -1000}, ccxt.ExchangeNotAvailable),
        ("rate_limit", {}, ccxt.RateLimitExceeded),
        ("lost_request", {}, ccxt.ExchangeNotAvailable),
    ):
        oid = str(uuid4())
        await arm(exchange, kind, PLACE, **more)
        with pytest.raises(error):
            await far_bid(ann, clientOrderId=oid)
        with pytest.raises(ccxt.OrderNotFound):
            await ann.fetch_order(None, None, {"clientOrderId": oid})


async def test_a_request_carried_out_twice_is_two_orders(exchange: Running, ann: Any) -> None:
    await arm(exchange, "duplicate_request", PLACE)
    await far_bid(ann, clientOrderId=str(uuid4()))
    assert len(await ann.fetch_open_orders("BTC/USDT")) == 2


async def test_stale_reads_and_a_wrong_clock_and_maintenance_strike_here_too(exchange: Running, ann: Any) -> None:
    await arm(exchange, "stale_reads", duration_ms=None)
    placed = await far_bid(ann)
    assert await ann.fetch_open_orders("BTC/USDT") == []
    await control(exchange, "DELETE", "faults")
    assert [order["id"] for order in await ann.fetch_open_orders("BTC/USDT")] == [placed["id"]]
    await arm(exchange, "clock_skew", skew_ms=40_000, duration_ms=None)
    with pytest.raises(ccxt.AuthenticationError, match="request timestamp expired"):
        await ann.fetch_balance()
    await control(exchange, "DELETE", "faults")
    await arm(exchange, "halt", symbol="BTCUSDT", duration_ms=None)
    with pytest.raises(ccxt.OnMaintenance, match="Cancel only mode"):
        await far_bid(ann)
    assert (await ann.public_get_products_id({"id": "BTC-USDT"}))["cancel_only"]
    await ann.cancel_order(placed["id"], "BTC/USDT")
    await control(exchange, "DELETE", "faults")
    await arm(exchange, "maintenance", duration_ms=None)

    async def closed() -> bool:
        try:
            await ann.fetch_balance()
        except ccxt.ExchangeNotAvailable:
            return True
        return False

    await until(closed, "the doors to close")
    await control(exchange, "DELETE", "faults")
    assert await ann.fetch_balance()


async def test_the_journal_agrees_with_the_exchange_to_the_last_unit(exchange: Running, ann: Any) -> None:
    await ann.create_order("BTC/USDT", "market", "buy", "0.5")
    await ann.create_order("ETH/USDT", "market", "sell", "20")
    await far_bid(ann, "0.3")
    name = ann.account_name
    true = (await control(exchange, "GET", f"accounts/{name}"))["balances"]
    journal = read_journal(exchange.journal)
    assert journal.balances[name] == {asset: (D(each["free"]), D(each["locked"])) for asset, each in true.items()}
    expected = {"USDT": D(1000000), "BTC": D(10), "ETH": D(100)}
    for fill in journal.executions_of(name):
        base, sign = fill.symbol.removesuffix("USDT"), 1 if fill.side == "BUY" else -1
        expected[base] += sign * fill.quantity
        expected["USDT"] -= sign * fill.price * fill.quantity + fill.fee
        assert (fill.fee_asset, fill.fee) == ("USDT", fill.price * fill.quantity * TAKER)
    assert {asset: sum(pair) for asset, pair in journal.balances[name].items()} == expected
    balance = await ann.fetch_balance()
    assert {asset: D(balance[asset]["total"]) for asset in expected} == expected
