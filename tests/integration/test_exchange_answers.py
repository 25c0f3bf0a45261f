"""Every endpoint's answer through the real ccxt: nothing is lost in `info`, and what is parsed is what was sent.

A table with a case for each endpoint that is served. Of each key it says what ccxt makes of it, or that ccxt leaves it
in `info`; a key that it does not name fails. What was sent is ccxt's own last answer, byte for byte.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

import pytest
from exchange_process import Running, client, control, running

from trimtab.exchange.endpoints import ENDPOINTS

D = Decimal
SYMBOL = "BTC/USDT"
Same = Callable[[Any, Any], bool]
"""Whether a key's value, as sent, is what the parsed row says."""

STATUSES = {
    "NEW": "open", "PARTIALLY_FILLED": "open", "FILLED": "closed", "CANCELED": "canceled", "EXPIRED": "expired",
    "EXPIRED_IN_MATCH": "expired",
}  # fmt: skip


def equal(sent: Any, parsed: Any) -> bool:
    """Texts are equal but for their case, numbers as numbers."""
    try:
        return D(str(sent)) == D(str(parsed))
    except InvalidOperation:
        return str(sent).lower() == str(parsed).lower()


def at(path: str) -> Same:
    """The parsed row has the value there."""

    def same(sent: Any, parsed: Any) -> bool:
        for name in path.split("."):
            parsed = parsed[name]
        return equal(sent, parsed)

    return same


def symbol_of(sent: Any, parsed: Any) -> bool:
    return bool(parsed["symbol"].replace("/", "") == sent)


def in_info(_: Any, __: Any) -> bool:
    """Ccxt has no field for it."""
    return True


def rows(sent: Any, parsed: Any) -> list[tuple[Any, Any]]:
    """What was sent beside what was parsed: one row, or as many in the same order."""
    if not isinstance(sent, list):
        return [(sent, parsed)]
    assert len(sent) == len(parsed) > 0
    return list(zip(sent, parsed, strict=True))


@dataclass(frozen=True)
class Case:
    """How an endpoint is asked through ccxt, and what ccxt makes of each key of its answer's rows."""

    ask: Callable[[Any], Awaitable[Any]]
    keys: Mapping[str, Same] = field(default_factory=dict)
    sometimes: frozenset[str] = frozenset()
    pair: Callable[[Any, Any], Sequence[tuple[Any, Any]]] = rows
    has_info: bool = True


def fills(sent: Any, parsed: Any) -> bool:
    """The fills of an answer are the trades of the order."""
    made = {
        "price": "price",
        "qty": "amount",
        "commission": "fee.cost",
        "commissionAsset": "fee.currency",
        "tradeId": "id",
    }
    pairs = rows(sent, parsed["trades"])
    assert all(fill.keys() == made.keys() for fill in sent)
    return all(at(path)(fill[key], trade) for fill, trade in pairs for key, path in made.items())


ORDER: Mapping[str, Same] = {
    "symbol": symbol_of,
    "orderId": at("id"),
    "orderListId": in_info,
    "clientOrderId": at("clientOrderId"),
    "price": at("price"),
    "origQty": at("amount"),
    "executedQty": at("filled"),
    "origQuoteOrderQty": in_info,
    "cummulativeQuoteQty": at("cost"),
    "status": lambda sent, parsed: STATUSES[sent] == parsed["status"],
    "timeInForce": at("timeInForce"),
    "type": at("type"),
    "side": at("side"),
    "selfTradePreventionMode": in_info,
}
PREVENTED = frozenset({"preventedMatchId", "preventedQuantity"})
PLACED = ORDER | {"transactTime": at("timestamp"), "workingTime": in_info, "fills": fills, "preventedMatches": in_info}
CANCELLED = ORDER | {"transactTime": at("timestamp"), "origClientOrderId": in_info}
STATE = ORDER | {
    "stopPrice": lambda sent, parsed: D(sent) == 0 and parsed["triggerPrice"] is None,
    "icebergQty": in_info,
    "time": at("timestamp"),
    "updateTime": at("lastUpdateTimestamp"),
    "isWorking": in_info,
    "workingTime": in_info,
}
TRADE: Mapping[str, Same] = {
    "symbol": symbol_of,
    "id": at("id"),
    "orderId": at("order"),
    "orderListId": in_info,
    "price": at("price"),
    "qty": at("amount"),
    "quoteQty": at("cost"),
    "commission": at("fee.cost"),
    "commissionAsset": at("fee.currency"),
    "time": at("timestamp"),
    "isBuyer": lambda sent, parsed: (parsed["side"] == "buy") is sent,
    "isMaker": lambda sent, parsed: (parsed["takerOrMaker"] == "maker") is sent,
    "isBestMatch": in_info,
}
BEST: Mapping[str, Same] = {
    "symbol": symbol_of,
    "bidPrice": at("bid"),
    "bidQty": at("bidVolume"),
    "askPrice": at("ask"),
    "askQty": at("askVolume"),
}
DAY = BEST | {
    "priceChange": at("change"),
    "priceChangePercent": at("percentage"),
    "weightedAvgPrice": at("vwap"),
    "prevClosePrice": at("previousClose"),
    "lastPrice": at("last"),
    "lastQty": in_info,
    "openPrice": at("open"),
    "highPrice": at("high"),
    "lowPrice": at("low"),
    "volume": at("baseVolume"),
    "quoteVolume": at("quoteVolume"),
    "openTime": in_info,
    "closeTime": at("timestamp"),
    "firstId": in_info,
    "lastId": in_info,
    "count": in_info,
}
TRANSFER: Mapping[str, Same] = {
    "id": at("id"),
    "amount": at("amount"),
    "coin": at("currency"),
    "network": in_info,
    "status": lambda sent, parsed: parsed["status"] == "ok",
    "address": at("address"),
    "addressTag": lambda sent, parsed: sent == "" and parsed["tag"] is None,
    "txId": at("txid"),
    "completeTime": in_info,
    "transferType": lambda sent, parsed: sent == 0 and not parsed["internal"],
    "walletType": in_info,
}
DEPOSIT = TRANSFER | {"insertTime": at("timestamp"), "confirmTimes": in_info, "unlockConfirm": in_info}
WITHDRAWAL = TRANSFER | {
    "transactionFee": at("fee.cost"),
    "applyTime": lambda sent, parsed: parsed["datetime"] == sent.replace(" ", "T") + ".000Z",
    "confirmNo": in_info,
}
RULES = {
    "PRICE_FILTER": {"minPrice": "limits.price.min", "maxPrice": "limits.price.max", "tickSize": "precision.price"},
    "LOT_SIZE": {"minQty": "limits.amount.min", "maxQty": "limits.amount.max", "stepSize": "precision.amount"},
    "MARKET_LOT_SIZE": {"minQty": "limits.market.min", "maxQty": "limits.market.max"},
    "NOTIONAL": {"minNotional": "limits.cost.min", "maxNotional": "limits.cost.max"},
}


def filters(sent: Any, parsed: Any) -> bool:
    """The limits of a market are those of its filters."""
    shown = {rule["filterType"]: rule for rule in sent}
    return all(at(path)(shown[kind][key], parsed) for kind, made in RULES.items() for key, path in made.items())


FLAGS = (
    "icebergAllowed", "ocoAllowed", "otoAllowed", "opoAllowed", "quoteOrderQtyMarketAllowed", "allowTrailingStop",
    "cancelReplaceAllowed", "amendAllowed", "pegInstructionsAllowed",
)  # fmt: skip
MARKET: Mapping[str, Same] = {
    "symbol": at("id"),
    "status": lambda sent, parsed: (sent == "TRADING") is parsed["active"],
    "baseAsset": at("base"),
    "quoteAsset": at("quote"),
    **dict.fromkeys(("baseAssetPrecision", "quotePrecision", "quoteAssetPrecision"), in_info),
    **dict.fromkeys(("baseCommissionPrecision", "quoteCommissionPrecision", "orderTypes", *FLAGS), in_info),
    "isSpotTradingAllowed": at("spot"),
    "isMarginTradingAllowed": at("margin"),
    "filters": filters,
    **dict.fromkeys(("permissions", "permissionSets"), in_info),
    **dict.fromkeys(("defaultSelfTradePreventionMode", "allowedSelfTradePreventionModes"), in_info),
}


def markets(sent: Any, parsed: Any) -> list[tuple[Any, Any]]:
    assert set(sent) == {"timezone", "serverTime", "rateLimits", "exchangeFilters", "symbols"}
    return rows(sent["symbols"], parsed)


def by_symbol(sent: Any, parsed: Any) -> list[tuple[Any, Any]]:
    return rows(sent, list(parsed.values()))


def balances(sent: Any, parsed: Any) -> list[tuple[Any, Any]]:
    """An account's balances are parsed; everything about it stays in `info`."""
    assert parsed["info"] == sent
    assert {"balances", "commissionRates", "canTrade", "uid", "updateTime"} <= sent.keys()
    assert parsed["timestamp"] == sent["updateTime"]
    return [(row, {"asset": row["asset"], **parsed[row["asset"]]}) for row in sent["balances"]]


def levels(sent: Any, parsed: Any) -> list[tuple[Any, Any]]:
    assert set(sent) == {"lastUpdateId", "bids", "asks"}
    assert equal(sent["lastUpdateId"], parsed["nonce"])
    pairs = [pair for side in ("bids", "asks") for pair in rows(sent[side], parsed[side])]
    assert all(equal(one, other) for level, made in pairs for one, other in zip(level, made, strict=True))
    return []


def candles(sent: Any, parsed: Any) -> list[tuple[Any, Any]]:
    """Of a candle's twelve values ccxt takes the first six."""
    for row, made in rows(sent, parsed):
        assert len(row) == 12
        assert all(equal(one, other) for one, other in zip(row[:6], made, strict=True))
    return []


def as_sent(sent: Any, parsed: Any) -> list[tuple[Any, Any]]:
    """What ccxt has no reader for it gives as it was sent."""
    assert parsed == sent
    return []


def moment(sent: Any, parsed: Any) -> list[tuple[Any, Any]]:
    assert sent == {"serverTime": parsed}
    return []


raw = partial(Case, pair=as_sent, has_info=False)


async def placed(ann: Any) -> Any:
    """An order that meets one of its own account, which expires, and takes a little of the level behind it."""
    price = D(str((await ann.fetch_order_book(SYMBOL, 5))["asks"][0][0]))
    await ann.create_order(SYMBOL, "limit", "sell", "0.3", str(price - D("0.01")))
    return await ann.create_order(SYMBOL, "limit", "buy", "0.001", str(price))


async def resting(ann: Any) -> str:
    return str((await ann.create_order(SYMBOL, "limit", "buy", "0.01", "30000"))["id"])


async def one(ann: Any, how: str) -> Any:
    return await getattr(ann, how)(await resting(ann), SYMBOL)


async def all_of(ann: Any, how: str, prepare: Callable[[Any], Awaitable[Any]] = placed) -> Any:
    await prepare(ann)
    return await getattr(ann, how)(SYMBOL)


async def prevented(ann: Any) -> Any:
    order = await placed(ann)
    return await ann.private_get_mypreventedmatches({"symbol": "BTCUSDT", "orderId": order["id"]})


CASES: Mapping[tuple[str, str], Case] = {
    ("GET", "/api/v3/ping"): raw(lambda ann: ann.public_get_ping()),
    ("GET", "/api/v3/time"): Case(lambda ann: ann.fetch_time(), pair=moment),
    ("GET", "/api/v3/exchangeInfo"): Case(lambda ann: ann.fetch_markets(), MARKET, pair=markets),
    ("GET", "/api/v3/depth"): Case(lambda ann: ann.fetch_order_book(SYMBOL, 50), pair=levels),
    ("GET", "/api/v3/ticker/24hr"): Case(lambda ann: ann.fetch_tickers([SYMBOL, "ETH/USDT"]), DAY, pair=by_symbol),
    ("GET", "/api/v3/ticker/bookTicker"): Case(lambda ann: ann.fetch_bids_asks([SYMBOL]), BEST, pair=by_symbol),
    ("GET", "/api/v3/klines"): Case(lambda ann: ann.fetch_ohlcv(SYMBOL, "1m"), pair=candles),
    ("GET", "/api/v3/account"): Case(
        lambda ann: ann.fetch_balance(),
        {"asset": at("asset"), "free": at("free"), "locked": at("used")},
        pair=balances,
        has_info=False,
    ),
    ("POST", "/api/v3/order"): Case(placed, PLACED, PREVENTED),
    ("GET", "/api/v3/order"): Case(partial(one, how="fetch_order"), STATE, PREVENTED),
    ("DELETE", "/api/v3/order"): Case(partial(one, how="cancel_order"), CANCELLED, PREVENTED),
    ("GET", "/api/v3/openOrders"): Case(partial(all_of, how="fetch_open_orders", prepare=resting), STATE, PREVENTED),
    ("DELETE", "/api/v3/openOrders"): Case(
        partial(all_of, how="cancel_all_orders", prepare=resting), CANCELLED, PREVENTED
    ),
    ("GET", "/api/v3/allOrders"): Case(partial(all_of, how="fetch_orders"), STATE, PREVENTED),
    ("GET", "/api/v3/myTrades"): Case(partial(all_of, how="fetch_my_trades"), TRADE),
    ("GET", "/api/v3/myPreventedMatches"): raw(prevented),
    ("GET", "/api/v3/rateLimit/order"): raw(lambda ann: ann.private_get_ratelimit_order()),
    ("GET", "/sapi/v1/system/status"): Case(
        lambda ann: ann.fetch_status(),
        {"status": lambda sent, parsed: parsed["status"] == {0: "ok", 1: "maintenance"}[sent], "msg": in_info},
    ),
    ("GET", "/sapi/v1/asset/tradeFee"): Case(
        lambda ann: ann.fetch_trading_fees(),
        {"symbol": symbol_of, "makerCommission": at("maker"), "takerCommission": at("taker")},
        pair=by_symbol,
    ),
    ("GET", "/sapi/v1/account/apiRestrictions"): raw(lambda ann: ann.sapi_get_account_apirestrictions()),
    ("GET", "/sapi/v1/capital/deposit/hisrec"): Case(lambda ann: ann.fetch_deposits("ETH"), DEPOSIT),
    ("GET", "/sapi/v1/capital/withdraw/history"): Case(lambda ann: ann.fetch_withdrawals("ETH"), WITHDRAWAL),
}


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A market that has moved for a while and now stands still."""
    options = ("--synthetic", "7", "--symbols", "BTCUSDT,ETHUSDT", "--speed", "60")
    with running(tmp_path_factory.mktemp("exchange"), *options) as started:
        yield started


@pytest.fixture
async def ann(exchange: Running) -> AsyncIterator[Any]:
    """A client of an account of its own."""
    while (await control(exchange, "GET", "status"))["events"] < 2_000:
        pass
    await control(exchange, "POST", "pause")
    name = f"ann-{len((await control(exchange, 'GET', 'status'))['accounts'])}"
    funds = {"USDT": "10000000", "BTC": "10"}
    spec = {"name": name, "api_key": f"{name}-key", "secret": f"{name}-secret", "balances": funds}
    await control(exchange, "POST", "accounts", spec, 201)
    await control(exchange, "POST", "deposit", {"account": name, "asset": "ETH", "amount": "3.5"})
    await control(exchange, "POST", "withdraw", {"account": name, "asset": "ETH", "amount": "1.25"})
    made = client(exchange, f"{name}-key", f"{name}-secret")
    await made.load_markets()
    yield made
    await made.close()


def test_every_endpoint_that_is_served_is_in_the_table() -> None:
    assert CASES.keys() == ENDPOINTS.keys()


@pytest.mark.parametrize("endpoint", CASES, ids=" ".join)
async def test_ccxt_reads_an_answer_without_loss(ann: Any, endpoint: tuple[str, str]) -> None:
    case, (method, path) = CASES[endpoint], endpoint
    parsed = await case.ask(ann)
    assert path in ann.last_request_url  # what was asked last is what this is about
    sent = json.loads(ann.last_http_response)
    for row, made in case.pair(sent, parsed):
        assert row.keys() - case.sometimes == case.keys.keys()
        if case.has_info:
            assert {key: made["info"][key] for key in row} == row  # ccxt adds a type to transfers
        for key, same in case.keys.items():
            assert same(row[key], made), f"{method} {path}: {key} was sent as {row[key]!r}; parsed: {made}"
