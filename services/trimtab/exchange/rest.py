"""REST endpoints that anyone may ask: time, rules, books, tickers, candles."""

from collections.abc import Awaitable, Callable, Iterable
from decimal import Decimal

import orjson
from aiohttp import web

from trimtab.exchange import errors, wire
from trimtab.exchange.book import ZERO
from trimtab.exchange.endpoints import endpoint_of
from trimtab.exchange.errors import VenueError
from trimtab.exchange.filters import fixed
from trimtab.exchange.market import Level
from trimtab.exchange.params import Params
from trimtab.exchange.request import FORM, check, read
from trimtab.exchange.tickers import INTERVALS_US
from trimtab.exchange.venue import Venue

Answering = Callable[[Params], web.Response]

_DEPTH, _DEPTH_MAX = 100, 5000
_KLINES, _KLINES_MAX = 500, 1000


def answer(body: object, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


def refusal(error: VenueError) -> web.Response:
    """A refused request's answer."""
    refused = answer({"code": error.code, "msg": error.text}, error.status)
    if error.retry_after_seconds is not None:
        refused.headers["Retry-After"] = str(error.retry_after_seconds)
    return refused


async def sent(request: web.Request) -> tuple[Params, str, str]:
    """A request's parameters, and its query and body as they came; bytes that are no UTF-8 come as surrogates.

    Raises VenueError -1101.
    """
    query = request.raw_path.partition("?")[2]
    body = (await request.read()).decode("utf-8", "surrogateescape")
    is_form = request.method not in {"GET", "HEAD"} and request.content_type == FORM
    endpoint = endpoint_of(request.method, request.path)
    return Params(read(endpoint, query, body if is_form else "")), query, body


class PublicRest:
    """The public endpoints of a venue."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def routes(self) -> Iterable[web.RouteDef]:
        """All of them."""
        return (
            web.get("/api/v3/ping", _checked(self._ping)),
            web.get("/api/v3/time", _checked(self._time)),
            web.get("/api/v3/exchangeInfo", _checked(self._exchange_info)),
            web.get("/api/v3/depth", _checked(self._depth)),
            web.get("/api/v3/ticker/24hr", _checked(self._day)),
            web.get("/api/v3/ticker/bookTicker", _checked(self._best)),
            web.get("/api/v3/klines", _checked(self._klines)),
            web.get("/sapi/v1/system/status", _checked(self._status)),
        )

    def _symbol(self, params: Params) -> str:
        symbol = params.symbol()
        if symbol not in self._venue.engine.instruments:
            raise errors.invalid_symbol()
        return symbol

    def _symbols(self, params: Params) -> list[str]:
        """What a question about one, some or all symbols names.

        Raises VenueError for a symbol that is not listed and for a list that is none.
        """
        listed, named = self._venue.engine.instruments, params.symbols()
        if named is None:
            return [self._symbol(params)] if params.text("symbol") else sorted(listed)
        if not set(named) <= listed.keys():
            raise errors.invalid_symbol()
        return named

    def _ping(self, _: Params) -> web.Response:
        return answer({})

    def _time(self, _: Params) -> web.Response:
        return answer({"serverTime": self._venue.server_us() // 1000})

    def _status(self, _: Params) -> web.Response:
        if self._venue.maintenance:
            return answer({"status": 1, "msg": "system_maintenance"})
        return answer({"status": 0, "msg": "normal"})

    def _exchange_info(self, params: Params) -> web.Response:
        rules, halted = self._venue.engine.instruments, self._venue.engine.halted
        symbols = [
            wire.symbol_info(rules[symbol]) | {"status": halted.get(symbol, "TRADING")}
            for symbol in self._symbols(params)
        ]
        return answer(
            {
                "timezone": "UTC",
                "serverTime": self._venue.server_us() // 1000,
                "rateLimits": self._venue.meters.limits.shown(),
                "exchangeFilters": [],
                "symbols": symbols,
            }
        )

    def _depth(self, params: Params) -> web.Response:
        book = self._venue.engine.pits[self._symbol(params)].liquidity.book
        count = params.limit(_DEPTH, _DEPTH_MAX)
        bids, asks = wire.levels(book.bids.top(count)), wire.levels(book.asks.top(count))
        return answer({"lastUpdateId": book.last_id, "bids": bids, "asks": asks})

    def _best_of(self, symbol: str) -> tuple[Level, Level]:
        book = self._venue.engine.pits[symbol].liquidity.book
        nothing: Level = (ZERO, ZERO)
        return next(iter(book.bids.top(1)), nothing), next(iter(book.asks.top(1)), nothing)

    def _day(self, params: Params) -> web.Response:
        now_us = self._venue.now_us()
        rows = []
        for symbol in self._symbols(params):
            day = self._venue.tapes[symbol].day(now_us)
            if day is not None:
                rows.append(wire.day_ticker(symbol, day, self._best_of(symbol), now_us))
        return answer(rows[0] if params.text("symbol") and rows else rows)

    def _best(self, params: Params) -> web.Response:
        rows = []
        for symbol in self._symbols(params):
            (bid, bid_size), (ask, ask_size) = self._best_of(symbol)
            rows.append(
                {
                    "symbol": symbol,
                    "bidPrice": fixed(bid),
                    "bidQty": fixed(bid_size),
                    "askPrice": fixed(ask),
                    "askQty": fixed(ask_size),
                }
            )
        return answer(rows[0] if params.text("symbol") else rows)

    def _klines(self, params: Params) -> web.Response:
        symbol, interval = self._symbol(params), params.needed("interval")
        if interval not in INTERVALS_US:
            raise VenueError(-1120, "Invalid interval.")
        interval_us = INTERVALS_US[interval]
        start_us, end_us = params.time_us("startTime"), params.time_us("endTime")
        candles = [
            candle
            for candle in self._venue.tapes[symbol].candles(interval_us, self._venue.now_us())
            if (start_us is None or candle.open_us >= start_us) and (end_us is None or candle.open_us <= end_us)
        ]
        limit = params.limit(_KLINES, _KLINES_MAX)
        chosen = candles[:limit] if start_us is not None else candles[-limit:]
        return answer([wire.kline(candle, interval_us) for candle in chosen])


def _checked(handler: Answering) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A handler that gets parameters which are all there, filled and known."""

    async def checked(request: web.Request) -> web.Response:
        params, _, _ = await sent(request)
        check(endpoint_of(request.method, request.path), params.values)
        return handler(params)

    return checked


def decimal_text(value: Decimal) -> str:
    """An amount without an exponent or trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
