"""The real ccxt, REST and websocket, against the exchange's real process."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import ccxt
import pytest
from exchange_process import Running, arm, client, control, running, until

from trimtab.exchange.journal import read_journal

D = Decimal
ORDER = "POST /api/v3/order"


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("exchange"), "--synthetic", "7") as started:
        yield started


@pytest.fixture
async def ann(exchange: Running) -> AsyncIterator[Any]:
    """A client of an account of its own."""
    name = f"ann-{len((await control(exchange, 'GET', 'status'))['accounts'])}"
    balances = {"USDT": "1000000", "BTC": "10", "ETH": "100"}
    spec = {"name": name, "api_key": f"{name}-key", "secret": f"{name}-secret", "balances": balances}
    await control(exchange, "POST", "accounts", spec, 201)
    made = client(exchange, f"{name}-key", f"{name}-secret")
    made.account_name = name
    await made.load_markets()
    yield made
    await made.close()


async def best(ann: Any, side: str) -> Decimal:
    """The best price of a side of BTC/USDT's book."""
    book = await ann.fetch_order_book("BTC/USDT", 5)
    return D(str(book["bids" if side == "buy" else "asks"][0][0]))


async def far_bid(ann: Any, quantity: str = "0.01", **params: object) -> Any:
    """A buy order that will not be reached."""
    price = (await best(ann, "buy") * D("0.8")).quantize(D("0.01"))
    return await ann.create_order("BTC/USDT", "limit", "buy", quantity, str(price), params)


async def test_markets_and_rules_are_understood(ann: Any) -> None:
    market = ann.markets["BTC/USDT"]
    assert (market["precision"]["price"], market["precision"]["amount"]) == ("0.01000000", "0.00001000")
    assert market["limits"]["cost"]["min"] == "5.00000000"
    assert market["active"]
    assert len(ann.markets) == 12


async def test_an_order_larger_than_the_level_walks_the_book_and_waits(exchange: Running, ann: Any) -> None:
    await control(exchange, "POST", "pause")
    try:
        asks = (await ann.fetch_order_book("BTC/USDT", 5))["asks"]
        depth = sum(D(str(size)) for _, size in asks[:2])
        price, quantity = str(asks[1][0]), depth + D("0.01")
        placed = await ann.create_order("BTC/USDT", "limit", "buy", str(quantity), price)
        assert placed["status"] == "open"
        assert D(placed["filled"]) == depth
        assert [D(fill["price"]) for fill in placed["trades"]] == [D(str(asks[0][0])), D(str(asks[1][0]))]
        assert D(placed["remaining"]) == D("0.01")
        (waiting,) = await ann.fetch_open_orders("BTC/USDT")
        assert waiting["id"] == placed["id"]
        cancelled = await ann.cancel_order(placed["id"], "BTC/USDT")
        assert cancelled["status"] == "canceled"
        assert await ann.fetch_open_orders("BTC/USDT") == []
        trades = await ann.fetch_my_trades("BTC/USDT")
        assert sum(D(trade["amount"]) for trade in trades) == depth
        assert all(trade["fee"]["currency"] == "BTC" for trade in trades)
        balance = await ann.fetch_balance()
        spent = sum(D(trade["cost"]) for trade in trades)
        assert D(balance["USDT"]["free"]) == D(1000000) - spent
        assert D(balance["USDT"]["used"]) == 0
        assert D(balance["BTC"]["total"]) == 10 + depth - sum(D(trade["fee"]["cost"]) for trade in trades)
        again = await ann.create_order("BTC/USDT", "limit", "buy", "0.01", str(asks[0][0]), {"timeInForce": "IOC"})
        assert (again["status"], D(again["filled"])) == ("expired", D(0))
    finally:
        await control(exchange, "POST", "resume")


async def test_the_market_moves_into_a_resting_order_and_fills_it(ann: Any) -> None:
    price = await best(ann, "sell")
    placed = await ann.create_order("BTC/USDT", "limit", "sell", "0.002", str(price - D("0.01")), {"postOnly": True})

    async def filled() -> bool:
        return (await ann.fetch_order(placed["id"], "BTC/USDT"))["status"] == "closed"

    await until(filled, "the resting order to be filled by the market")
    trades = await ann.fetch_my_trades("BTC/USDT")
    assert {trade["takerOrMaker"] for trade in trades} == {"maker"}
    assert all(D(trade["price"]) == price - D("0.01") for trade in trades)


async def test_the_user_stream_tells_every_step_of_an_order(ann: Any) -> None:
    events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    parse = ann.handle_order_update

    def overheard(connection: Any, message: dict[str, Any]) -> None:
        events.put_nowait(message)
        parse(connection, message)

    ann.handle_order_update = overheard
    watching = asyncio.create_task(ann.watch_orders())
    balances = asyncio.create_task(ann.watch_balance())

    async def subscribed() -> bool:
        return any(c.subscriptions.get("spot") is True for c in ann.clients.values())

    await until(subscribed, "the user stream's subscription")
    await asyncio.sleep(0.5)  # the answer to the subscription is on its way
    order = await ann.create_order("BTC/USDT", "market", "buy", "0.002", None, {"clientOrderId": "watched-1"})
    resting = await far_bid(ann, clientOrderId="watched-2")
    await ann.cancel_order(resting["id"], "BTC/USDT")
    heard = [await asyncio.wait_for(events.get(), 10) for _ in range(4)]
    kinds = [(e["c"] if e["x"] != "CANCELED" else e["C"], e["x"], e["X"]) for e in heard]
    assert kinds == [
        ("watched-1", "NEW", "NEW"), ("watched-1", "TRADE", "FILLED"), ("watched-2", "NEW", "NEW"),
        ("watched-2", "CANCELED", "CANCELED"),
    ]  # fmt: skip
    trade = heard[1]
    (own,) = await ann.fetch_my_trades("BTC/USDT")
    assert str(trade["t"]) == own["id"]
    assert (D(trade["l"]), D(trade["z"]), trade["N"], trade["m"]) == (D("0.002"), D("0.002"), "BTC", False)
    assert (D(trade["n"]), D(trade["L"])) == (D(own["fee"]["cost"]), D(own["price"]))
    assert str(trade["i"]) == order["id"]
    (seen,) = (await asyncio.wait_for(watching, 10))[:1]
    assert seen["clientOrderId"] == "watched-1"
    assert D((await asyncio.wait_for(balances, 10))["USDT"]["free"]) < 1000000


async def test_market_streams_reach_ccxt_and_its_book_stays_whole(ann: Any) -> None:
    book = await ann.watch_order_book("ETH/USDT")
    first = book["nonce"]
    for _ in range(15):
        book = await asyncio.wait_for(ann.watch_order_book("ETH/USDT"), 10)
    assert book["nonce"] > first
    assert book["bids"][0][0] < book["asks"][0][0]
    assert (await asyncio.wait_for(ann.watch_bids_asks(["ETH/USDT"]), 10))["ETH/USDT"]["bid"]
    assert (await asyncio.wait_for(ann.watch_trades("ETH/USDT"), 10))[-1]["price"]
    ticker = await asyncio.wait_for(ann.watch_tickers(["ETH/USDT"], {"name": "miniTicker"}), 10)
    assert ticker["ETH/USDT"]["last"]


async def test_orders_are_found_by_client_id_and_the_id_is_free_again_once_closed(ann: Any) -> None:
    first = await far_bid(ann, clientOrderId="again")
    with pytest.raises(ccxt.InvalidOrder, match="Duplicate order sent"):
        await far_bid(ann, clientOrderId="again")
    await ann.cancel_order(None, "BTC/USDT", {"origClientOrderId": "again"})
    second = await far_bid(ann, clientOrderId="again")
    found = await ann.fetch_order(None, "BTC/USDT", {"origClientOrderId": "again"})
    assert found["id"] == second["id"] != first["id"]
    orders = await ann.fetch_orders("BTC/USDT")
    assert [(o["id"], o["status"]) for o in orders] == [(first["id"], "canceled"), (second["id"], "open")]


async def test_own_trades_are_paged_by_id_and_time(ann: Any) -> None:
    orders = [await ann.create_order("BTC/USDT", "market", "buy", "0.001") for _ in range(3)]
    trades = await ann.fetch_my_trades("BTC/USDT")
    assert [trade["order"] for trade in trades] == [order["id"] for order in orders]
    page = await ann.fetch_my_trades("BTC/USDT", None, 1, {"fromId": int(trades[1]["id"])})
    assert [trade["id"] for trade in page] == [trades[1]["id"]]
    assert len(await ann.fetch_my_trades("BTC/USDT", None, 2)) == 2
    (one,) = await ann.fetch_my_trades("BTC/USDT", None, None, {"orderId": orders[2]["id"]})
    assert one["id"] == trades[2]["id"]
    since = await ann.fetch_my_trades("BTC/USDT", trades[2]["timestamp"])
    assert trades[2]["id"] in {trade["id"] for trade in since}


@pytest.mark.parametrize(
    ("quantity", "factor", "params", "error"),
    [
        ("0.00001", "0.9", {}, ccxt.BadRequest),
        ("140", "0.9", {}, ccxt.InsufficientFunds),
        ("1", "1.1", {"postOnly": True}, ccxt.OrderImmediatelyFillable),
        ("1", "0.1", {}, ccxt.InvalidOrder),
    ],
)
async def test_refusals_map_to_ccxts_classes(
    ann: Any, quantity: str, factor: str, params: dict[str, Any], error: type[Exception]
) -> None:
    price = (await best(ann, "sell") * D(factor)).quantize(D("0.01"))
    with pytest.raises(error):
        await ann.create_order("BTC/USDT", "limit", "buy", quantity, str(price), params)
    assert await ann.fetch_open_orders("BTC/USDT") == []


async def test_unknown_orders_wrong_secrets_and_old_requests_are_refused(exchange: Running, ann: Any) -> None:
    with pytest.raises(ccxt.OrderNotFound, match="-2011"):
        await ann.cancel_order("999", "BTC/USDT")
    with pytest.raises(ccxt.OrderNotFound, match="-2013"):
        await ann.fetch_order("999", "BTC/USDT")
    for key, secret, code in (("demo-key", "wrong", "-1022"), ("nobody", "x", "-2015")):
        stranger = client(exchange, key, secret)
        with pytest.raises(ccxt.AuthenticationError, match=code):
            await stranger.fetch_balance()
        await stranger.close()
    with pytest.raises(ccxt.InvalidNonce, match="-1021"):
        await ann.fetch_balance({"timestamp": ann.milliseconds() - 3000, "recvWindow": 2000})


async def test_fees_are_paid_in_a_third_asset_while_it_lasts(exchange: Running) -> None:
    spec = {
        "name": "saver", "api_key": "saver-key", "secret": "saver-secret", "fee_asset": "BNB",
        "balances": {"USDT": "100000", "BNB": "0.05"}, "taker_fee": "0.001",
    }  # fmt: skip
    await control(exchange, "POST", "accounts", spec, 201)
    saver = client(exchange, "saver-key", "saver-secret")
    try:
        await saver.load_markets()
        await saver.create_order("ETH/USDT", "market", "buy", "10")
        for _ in range(2):
            await saver.create_order("ETH/USDT", "market", "sell", "2")
        fees = [trade["fee"] for trade in await saver.fetch_my_trades("ETH/USDT")]
        paid = [D(fee["cost"]) for fee in fees if fee["currency"] == "BNB"]
        balance = await saver.fetch_balance()
        assert paid
        assert D(balance["BNB"]["free"]) == D("0.05") - sum(paid)
        assert {fee["currency"] for fee in fees} <= {"BNB", "ETH", "USDT"}
        assert "USDT" in {fee["currency"] for fee in fees}  # a last small fill may find enough BNB again
    finally:
        await saver.close()


async def test_account_endpoints_are_understood(exchange: Running, ann: Any) -> None:
    assert (await ann.fetch_trading_fees())["BTC/USDT"]["taker"] == "0.001"
    assert (await ann.fetch_status())["status"] == "ok"
    name = ann.account_name
    await control(exchange, "POST", "deposit", {"account": name, "asset": "SOL", "amount": "3.5"})
    await control(exchange, "POST", "withdraw", {"account": name, "asset": "ETH", "amount": "1.25"})
    deposits = await ann.fetch_deposits("SOL")
    assert [(d["amount"], d["status"]) for d in deposits] == [("3.5", "ok")]
    (withdrawal,) = await ann.fetch_withdrawals()
    assert (withdrawal["currency"], D(withdrawal["amount"])) == ("ETH", D("1.25"))
    balance = await ann.fetch_balance()
    assert (D(balance["SOL"]["free"]), D(balance["ETH"]["free"])) == (D("3.5"), D("98.75"))
    true = await control(exchange, "GET", f"accounts/{name}")
    assert true["balances"]["ETH"] == {"free": "98.75", "locked": "0"}
    refused = await control(exchange, "POST", "withdraw", {"account": name, "asset": "ETH", "amount": "999"}, 400)
    assert refused["code"] == -2010
    assert await ann.fetch_ohlcv("BTC/USDT", "1m")
    assert (await ann.fetch_tickers(["BTC/USDT", "ETH/USDT"])).keys() == {"BTC/USDT", "ETH/USDT"}


async def test_an_order_whose_answer_is_lost_was_carried_out(exchange: Running, ann: Any) -> None:
    for kind, error in (("lost_answer", ccxt.ExchangeNotAvailable), ("error_after", ccxt.ExchangeNotAvailable)):
        await arm(exchange, kind, ORDER)
        with pytest.raises(error):
            await far_bid(ann, clientOrderId=kind)
        found = await ann.fetch_order(None, "BTC/USDT", {"origClientOrderId": kind})
        assert found["status"] == "open"
        (fault,) = [f for f in read_journal(exchange.journal).faults if f["fault"] == kind and kind in f["asked"]]
        assert fault["struck"] == ORDER


async def test_an_order_refused_before_acceptance_never_was(exchange: Running, ann: Any) -> None:
    for kind, more, error in (
        ("error_before", {"status": 502}, ccxt.ExchangeNotAvailable),
        ("error_before", {"status": 504}, ccxt.RequestTimeout),
        ("error_before", {"status": 504, "code": -1007}, ccxt.RequestTimeout),
        ("error_before", {"status": 503, "code": -1008}, ccxt.OperationFailed),
        ("rate_limit", {"retry_after_seconds": 7}, ccxt.DDoSProtection),
    ):
        await arm(exchange, kind, ORDER, **more)
        with pytest.raises(error):
            await far_bid(ann, clientOrderId="never")
        with pytest.raises(ccxt.OrderNotFound):
            await ann.fetch_order(None, "BTC/USDT", {"origClientOrderId": "never"})
    assert ann.last_response_headers is not None


async def test_a_late_request_misses_its_window_and_a_late_answer_does_not(exchange: Running, ann: Any) -> None:
    await arm(exchange, "latency", ORDER, latency_ms=900)
    with pytest.raises(ccxt.InvalidNonce, match="-1021"):
        await far_bid(ann, clientOrderId="late-1", recvWindow=300)
    await arm(exchange, "late_answer", ORDER, latency_ms=900)
    assert (await far_bid(ann, clientOrderId="late-2", recvWindow=300))["status"] == "open"


async def test_dropped_websockets_are_noticed_and_ccxt_comes_back(exchange: Running, ann: Any) -> None:
    async def watch_on() -> None:
        while True:
            await ann.watch_order_book("LTC/USDT")

    await ann.watch_order_book("LTC/USDT")
    watching = asyncio.create_task(watch_on())
    await asyncio.sleep(0.2)
    await arm(exchange, "websocket_drop", streams="market")
    with pytest.raises(ccxt.NetworkError):
        await asyncio.wait_for(watching, 10)
    await asyncio.sleep(0.2)
    book = await asyncio.wait_for(ann.watch_order_book("LTC/USDT"), 10)
    assert book["bids"]
    assert "websocket_drop" in {fault["fault"] for fault in read_journal(exchange.journal).faults}


async def test_the_journal_agrees_with_the_exchange_to_the_last_unit(exchange: Running, ann: Any) -> None:
    await ann.create_order("BTC/USDT", "market", "buy", "0.5")
    await ann.create_order("ETH/USDT", "market", "sell", "20")
    await far_bid(ann, "0.3")
    name = ann.account_name
    true = (await control(exchange, "GET", f"accounts/{name}"))["balances"]
    journal = read_journal(exchange.journal)
    told = {asset: (D(b["free"]), D(b["locked"])) for asset, b in true.items()}
    assert journal.balances[name] == told
    expected = {"USDT": D(1000000), "BTC": D(10), "ETH": D(100)}
    for fill in journal.executions_of(name):
        base, sign = fill.symbol.removesuffix("USDT"), 1 if fill.side == "BUY" else -1
        expected[base] += sign * fill.quantity
        expected["USDT"] -= sign * fill.price * fill.quantity
        expected[fill.fee_asset] -= fill.fee
    assert {asset: sum(pair) for asset, pair in journal.balances[name].items()} == expected
