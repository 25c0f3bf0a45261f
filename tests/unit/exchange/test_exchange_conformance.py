"""What the exchange sends is what Binance sent: message by message, key by key, in order, type and syntax of numbers.

Held against the recordings of October 2021 (four thin pairs, exchangeInfo) and August 2024 (BTCUSDT, ETHUSDT), and for
what neither holds against the keys of Binance's answers of 2025 and 2026. Where Binance itself has changed since a
recording, or the exchange leaves something out, it is named here with the reason.
"""

import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from binance_recordings import SYMBOLS_2021, Recording, exchange_info_2021, of_2021, of_2024, shape

from trimtab.exchange import stream_messages
from trimtab.exchange.binance import Binance
from trimtab.exchange.broadcast import Broadcast
from trimtab.exchange.clock import MarketClock
from trimtab.exchange.controls import AccountSpec
from trimtab.exchange.faults import Faults
from trimtab.exchange.journal import Journal
from trimtab.exchange.market import DepthUpdate, Market, MarketEvent, Quote, Trade
from trimtab.exchange.recorded import RecordedMarket
from trimtab.exchange.server import start
from trimtab.exchange.signing import signature
from trimtab.exchange.streams import Connection, Hub
from trimtab.exchange.synthetic import SyntheticMarket
from trimtab.exchange.tampering import Tampering
from trimtab.exchange.tickers import Tape
from trimtab.exchange.venue import Venue

D = Decimal
RECORDINGS = [*((of_2024, symbol) for symbol in ("BTCUSDT", "ETHUSDT")), *((of_2021, s) for s in SYMBOLS_2021)]
NOT_PLAYED = (b"@aggTrade", b"@kline_1m")
"""Streams of the 2021 recordings that sum up trades, which they do not hold: there is nothing to make them from."""
START_US = 1_700_000_000_000_000


def data_of(message: bytes) -> bytes:
    """The data of a combined stream's message, as it was sent."""
    return message[message.index(b'"data":') + 7 : -1]


@pytest.fixture(params=RECORDINGS, ids=lambda param: f"{param[1]} {param[0].__name__}")
def recording(request: pytest.FixtureRequest) -> Recording:
    load: Callable[[str], Recording]
    load, symbol = request.param
    return load(symbol)


# Streams


def encoded(event: MarketEvent) -> bytes:
    """An event's message as the exchange writes it itself."""
    if isinstance(event, DepthUpdate):
        return stream_messages.depth_update(replace(event, raw=None))
    if isinstance(event, Quote):
        return stream_messages.quote(replace(event, raw=None))
    assert isinstance(event, Trade)
    return stream_messages.trade(replace(event, raw=None))


def test_every_recorded_message_written_anew_is_byte_for_byte_what_binance_sent(
    recording: Recording, tmp_path: Path
) -> None:
    """One difference: T. Binance tells a trade (E) some milliseconds after it happened (T), this exchange at once."""
    compared = 0
    for event in RecordedMarket([recording.tape(tmp_path)]).events():
        if isinstance(event, DepthUpdate | Quote | Trade):
            assert event.raw is not None
            sent = orjson.loads(event.raw)
            assert orjson.dumps(sent) == event.raw
            expected = {**sent, "T": sent["E"]} if isinstance(event, Trade) else sent
            assert encoded(event) == orjson.dumps(expected)
            compared += 1
    told = [m for m in recording.followed() if not any(kind in m[:60] for kind in NOT_PLAYED)]
    assert compared == len(told)


def test_a_recording_is_sent_message_by_message_as_binance_sent_it(recording: Recording, tmp_path: Path) -> None:
    """What came before the REST answer is left out but for the updates that it does not hold: nobody had a book."""
    name = recording.symbol.lower()
    hub = Hub(Tampering(Faults(), lambda *_: None))
    heard = Connection(None, "market", "", combined=True)  # type: ignore[arg-type]  # nothing is written
    hub.subscribe(heard, [f"{name}@{kind}" for kind in ("depth@100ms", "bookTicker", "trade")])
    broadcast, sent = Broadcast(hub, {}), []
    for event in RecordedMarket([recording.tape(tmp_path)]).events():
        broadcast.event(event)
        sent += heard._queue
        heard._queue.clear()
    assert sent == [m for m in recording.followed() if not any(kind in m[:60] for kind in NOT_PLAYED)]


@pytest.mark.parametrize("kind", ["aggTrade", "kline_1m"])
def test_streams_that_sum_up_trades_look_like_recorded_ones(kind: str) -> None:
    recorded = [m for s in SYMBOLS_2021 for m in of_2021(s).messages if b"@%b" % kind.encode() in m[:60]]
    assert len(recorded) == 2
    market = SyntheticMarket(3, ["BTCUSDT"], volatility=20, start_us=START_US)
    heard = streamed(market, [f"btcusdt@{kind}"], seconds=70)
    assert {shape(orjson.loads(message)) for message in heard} == {shape(orjson.loads(m)) for m in recorded}


def streamed(market: Market, streams: Iterable[str], seconds: int) -> list[bytes]:
    """What these streams tell of the first seconds of a market."""
    tapes = {symbol: Tape() for symbol in market.instruments}
    hub = Hub(Tampering(Faults(), lambda *_: None))
    heard = Connection(None, "market", "", combined=True)  # type: ignore[arg-type]  # nothing is written
    hub.subscribe(heard, streams)
    broadcast = Broadcast(hub, tapes)
    for event in market.events():
        if event.time_us > market.start_us + seconds * 1_000_000:
            return list(heard._queue)
        if isinstance(event, Trade):
            tapes[event.symbol].trade(event)
        broadcast.event(event)
        broadcast.tick(event.time_us)
    raise AssertionError("a synthetic market does not end")


# Answers


class Asker:
    """Asks an exchange in this process, signed where there is a key to sign with."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def bytes(self, path: str) -> bytes:
        async with self._session.get(path) as answer:
            body = await answer.read()
            assert answer.status == 200, body
            return body

    async def signed(self, method: str, path: str, query: str) -> Any:
        query += f"&timestamp={time.time_ns() // 1_000_000}"
        headers = {"X-MBX-APIKEY": "ann-key"}
        url = f"{path}?{query}&signature={signature(query, 'ann-secret')}"
        async with self._session.request(method, url, headers=headers) as answer:
            body = await answer.read()
            assert answer.status == 200, body
            return orjson.loads(body)


@pytest.fixture
async def ask(tmp_path: Path) -> AsyncIterator[Callable[[Market], Any]]:
    """Serves a market that stands still, with an account of everything."""
    stop: list[Callable[[], Any]] = []

    async def asking(market: Market) -> Asker:
        venue = Venue(market, Journal(tmp_path / "j", lambda: 1), MarketClock(market.start_us, paused=True), Faults())
        funds = {"USDT": D(1_000_000)}
        AccountSpec(name="ann", api_key="ann-key", secret="ann-secret", balances=funds).open(venue, Binance())
        serving = await start(venue, market, ("127.0.0.1", 0))
        session = aiohttp.ClientSession(f"http://127.0.0.1:{serving.port}")
        stop.extend([session.close, serving.cleanup])
        return Asker(session)

    yield asking
    for end in stop:
        await end()


async def test_depth_is_answered_as_binance_answered_it(
    recording: Recording, tmp_path: Path, ask: Callable[[Market], Any]
) -> None:
    """The same bytes where no update reaches beyond the recorded answer; else the same but for what it changed."""
    asker = await ask(RecordedMarket([recording.tape(tmp_path)]))
    answered = await asker.bytes(f"/api/v3/depth?symbol={recording.symbol}&limit=1000")
    expected = orjson.loads(recording.snapshot)
    assert orjson.dumps(expected) == recording.snapshot
    came = recording.messages[: recording.snapshot_at]
    updates = [orjson.loads(message)["data"] for message in came if b"@depth" in message[:60]]
    late = [update for update in updates if update["u"] > expected["lastUpdateId"]]
    for update in late:
        expected["lastUpdateId"] = update["u"]
        for side, changed, is_bid in (("bids", "b", True), ("asks", "a", False)):
            levels = dict(expected[side]) | dict(update[changed])
            kept = [[price, size] for price, size in levels.items() if float(size)]
            expected[side] = sorted(kept, key=lambda level: float(level[0]), reverse=is_bid)[:1000]
    assert answered == orjson.dumps(expected)


SINCE_2021 = {
    "otoAllowed": "order lists by one order's execution, of 2024",
    "opoAllowed": "order lists that place pending orders, of 2025",
    "allowTrailingStop": "trailing stops, of 2022",
    "cancelReplaceAllowed": "cancel-replace, of 2022",
    "amendAllowed": "amendments that keep their turn, of 2025",
    "pegInstructionsAllowed": "pegged orders, of 2025",
    "permissionSets": "who may trade, in place of permissions, which is empty since 2024",
    "defaultSelfTradePreventionMode": "self-trade prevention, of 2023",
    "allowedSelfTradePreventionModes": "as above",
}
"""Keys of a symbol that Binance has added since the recording."""
RENAMED = {
    "PERCENT_PRICE": ("PERCENT_PRICE_BY_SIDE", "{bid,ask}Multiplier{Up,Down}", "a multiplier for each side since 2022"),
    "MIN_NOTIONAL": ("NOTIONAL", "minNotional, applyMinToMarket, ...", "a largest notional too since 2023"),
}
"""Filters of the recording in whose place Binance has others now."""
NOT_HERE = {
    "ICEBERG_PARTS": "there are no icebergs here",
    "MAX_NUM_ALGO_ORDERS": "there are no stop orders here",
    "MAX_POSITION": "on 40 symbols then, on none of those listed here",
}
"""Filters of the recording that nothing here could break."""
FILTERS_NOW = {
    "PERCENT_PRICE_BY_SIDE": (
        ("filterType", "text"),
        *((f"{side}Multiplier{way}", None) for side in ("bid", "ask") for way in ("Up", "Down")),
        ("avgPriceMins", "int"),
    ),
    "NOTIONAL": (
        ("filterType", "text"),
        ("minNotional", "text of 8 decimals"),
        ("applyMinToMarket", "bool"),
        ("maxNotional", "text of 8 decimals"),
        ("applyMaxToMarket", "bool"),
        ("avgPriceMins", "int"),
    ),
}
"""What Binance answers since: keys in order, types; None where the number is written as short as it can be."""


async def test_exchange_info_is_the_recorded_one_but_for_what_is_named(ask: Callable[[Market], Any]) -> None:
    recorded = exchange_info_2021()
    asker = await ask(SyntheticMarket(1, ["BTCUSDT", "ETHUSDT", "ETHBTC", "BNBBTC"], start_us=START_US))
    answered = orjson.loads(await asker.bytes("/api/v3/exchangeInfo"))
    assert list(answered) == list(recorded)
    for name in ("timezone", "serverTime", "exchangeFilters", "rateLimits"):
        assert shape(answered[name]) == shape(recorded[name])
    # the kinds of limits are those of then; their numbers have changed: docs/exchange.md has today's
    kinds = ("rateLimitType", "interval", "intervalNum")
    assert [[r[k] for k in kinds] for r in answered["rateLimits"]] == [
        [r[k] for k in kinds] for r in recorded["rateLimits"]
    ]
    of_then = {symbol["symbol"]: symbol for symbol in recorded["symbols"]}
    for symbol in answered["symbols"]:
        then = of_then[symbol["symbol"]]
        assert [key for key in symbol if key not in SINCE_2021] == list(then)
        assert symbol.keys() >= SINCE_2021.keys()
        for name in then.keys() - {"filters", "permissions", "orderTypes"}:
            assert shape(symbol[name]) == shape(then[name]), name
        for name in ("baseAsset", "quoteAsset", "baseAssetPrecision", "quotePrecision", "status"):
            assert symbol[name] == then[name]
        assert set(symbol["orderTypes"]) < set(then["orderTypes"])  # all but the stop orders, which are not here
        assert symbol["permissions"] == []


async def test_filters_are_the_recorded_ones_but_for_what_is_named(ask: Callable[[Market], Any]) -> None:
    of_then = {symbol["symbol"]: symbol for symbol in exchange_info_2021()["symbols"]}
    asker = await ask(SyntheticMarket(1, ["BTCUSDT", "ETHUSDT", "ETHBTC", "BNBBTC"], start_us=START_US))
    for symbol in orjson.loads(await asker.bytes("/api/v3/exchangeInfo"))["symbols"]:
        then = {rule["filterType"]: rule for rule in of_then[symbol["symbol"]]["filters"]}
        now = {rule["filterType"]: rule for rule in symbol["filters"]}
        assert now.keys() == (then.keys() - NOT_HERE.keys() - RENAMED.keys()) | {new for new, _, _ in RENAMED.values()}
        for kind, rule in now.items():
            if kind in then:
                assert shape(rule) == shape(then[kind])
            else:
                assert list(rule) == [name for name, _ in FILTERS_NOW[kind]]
                found = dict(shape(rule))  # type: ignore[call-overload]  # a dict's shape is made of pairs
                assert all(kind is None or found[name] == kind for name, kind in FILTERS_NOW[kind])
        up, short = now["PERCENT_PRICE_BY_SIDE"], then["PERCENT_PRICE"]
        assert shape(up["bidMultiplierUp"]) == shape(short["multiplierUp"])
        assert shape(up["askMultiplierDown"]) == shape(short["multiplierDown"])


ASKED = (
    "price",
    "origQty",
    "executedQty",
    "origQuoteOrderQty",
    "cummulativeQuoteQty",
    "status",
    "timeInForce",
    "type",
    "side",
)
NAMES = ("symbol", "orderId", "orderListId", "clientOrderId")
ANSWERS = {
    "ACK": (*NAMES, "transactTime"),
    "RESULT": (*NAMES, "transactTime", *ASKED, "workingTime", "selfTradePreventionMode"),
    "FULL": (*NAMES, "transactTime", *ASKED, "workingTime", "fills", "selfTradePreventionMode"),
    "DELETE": ("symbol", "origClientOrderId", *NAMES[1:], "transactTime", *ASKED, "selfTradePreventionMode"),
    "GET": (
        *NAMES, *(name for name in ASKED if name != "origQuoteOrderQty"), "stopPrice", "icebergQty", "time",
        "updateTime", "isWorking", "workingTime", "origQuoteOrderQty", "selfTradePreventionMode",
    ),
}  # fmt: skip
"""Keys in the order in which Binance's answers of 2025 and 2026 have them; none of them is in the recordings."""


async def test_answers_about_orders_have_their_keys_in_binances_order(ask: Callable[[Market], Any]) -> None:
    asker = await ask(SyntheticMarket(1, ["BTCUSDT"], start_us=START_US))
    asked = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=30000"
    for form in ("ACK", "RESULT", "FULL"):
        placed = await asker.signed("POST", "/api/v3/order", f"{asked}&newOrderRespType={form}")
        assert tuple(placed) == ANSWERS[form]
    state = await asker.signed("GET", "/api/v3/order", f"symbol=BTCUSDT&orderId={placed['orderId']}")
    assert tuple(state) == ANSWERS["GET"]
    (first, *_) = await asker.signed("GET", "/api/v3/openOrders", "symbol=BTCUSDT")
    assert tuple(first) == ANSWERS["GET"]
    cancelled = await asker.signed("DELETE", "/api/v3/order", f"symbol=BTCUSDT&orderId={placed['orderId']}")
    assert tuple(cancelled) == ANSWERS["DELETE"]
    (row, _) = await asker.signed("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT")
    assert tuple(row) == ANSWERS["DELETE"]
    numbers = {key for key, kind in shape(state) if kind == "text of 8 decimals"}  # type: ignore[attr-defined]  # pairs
    assert numbers == {
        "price", "origQty", "executedQty", "cummulativeQuoteQty", "stopPrice", "icebergQty", "origQuoteOrderQty"
    }  # fmt: skip
    bought = await asker.signed("POST", "/api/v3/order", "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01")
    assert tuple(bought["fills"][0]) == ("price", "qty", "commission", "commissionAsset", "tradeId")
    (trade,) = await asker.signed("GET", "/api/v3/myTrades", "symbol=BTCUSDT")
    assert shape(trade) == (
        ("symbol", "text"), ("id", "int"), ("orderId", "int"), ("orderListId", "int"),
        *((name, "text of 8 decimals") for name in ("price", "qty", "quoteQty", "commission")),
        ("commissionAsset", "text"), ("time", "int"), ("isBuyer", "bool"), ("isMaker", "bool"), ("isBestMatch", "bool"),
    )  # fmt: skip
