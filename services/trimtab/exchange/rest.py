"""REST endpoints that anyone may ask: time, rules, books, tickers, candles."""

from collections.abc import Iterable
from decimal import Decimal

import orjson
from aiohttp import web

from trimtab.exchange import errors, wire
from trimtab.exchange.book import ZERO
from trimtab.exchange.errors import VenueError
from trimtab.exchange.filters import fixed
from trimtab.exchange.market import Level
from trimtab.exchange.params import Params
from trimtab.exchange.venue import Venue

_DEPTH, _DEPTH_MAX = 100, 5000
_KLINES, _KLINES_MAX = 500, 1000
_MINUTES = {
    "1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "6h": 360, "8h": 480,
    "12h": 720, "1d": 1440, "3d": 4320, "1w": 10080,
}  # fmt: skip


def answer(body: object, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


def refusal(error: VenueError) -> web.Response:
    """A refused request's answer."""
    return answer({"code": error.code, "msg": error.text}, error.status)


class PublicRest:
    """The public endpoints of a venue."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def routes(self) -> Iterable[web.RouteDef]:
        """All of them."""
        return (
            web.get("/api/v3/ping", self._ping),
            web.get("/api/v3/time", self._time),
            web.get("/api/v3/exchangeInfo", self._exchange_info),
            web.get("/api/v3/depth", self._depth),
            web.get("/api/v3/ticker/24hr", self._day),
            web.get("/api/v3/ticker/bookTicker", self._best),
            web.get("/api/v3/klines", self._klines),
            web.get("/sapi/v1/system/status", self._status),
        )

    def _symbol(self, params: Params) -> str:
        symbol = params.needed("symbol")
        if symbol not in self._venue.engine.instruments:
            raise errors.invalid_symbol()
        return symbol

    def _symbols(self, params: Params) -> list[str]:
        """What a question about one, some or all symbols names.

        Raises VenueError for a symbol that is not listed and for a list that is no JSON.
        """
        listed = self._venue.engine.instruments
        if params.text("symbol"):
            return [self._symbol(params)]
        text = params.text("symbols")
        if text is None:
            return sorted(listed)
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise errors.illegal_characters("symbols", "JSON array of symbols") from error
        if not isinstance(found, list) or not all(isinstance(symbol, str) for symbol in found):
            raise errors.illegal_characters("symbols", "JSON array of symbols")
        if not set(found) <= listed.keys():
            raise errors.invalid_symbol()
        return found

    async def _ping(self, _: web.Request) -> web.Response:
        return answer({})

    async def _time(self, _: web.Request) -> web.Response:
        return answer({"serverTime": self._venue.server_ms()})

    async def _status(self, _: web.Request) -> web.Response:
        if self._venue.maintenance:
            return answer({"status": 1, "msg": "system_maintenance"})
        return answer({"status": 0, "msg": "normal"})

    async def _exchange_info(self, request: web.Request) -> web.Response:
        rules, halted = self._venue.engine.instruments, self._venue.engine.halted
        symbols = [
            wire.symbol_info(rules[symbol]) | {"status": halted.get(symbol, "TRADING")}
            for symbol in self._symbols(Params(request.query))
        ]
        return answer(
            {
                "timezone": "UTC",
                "serverTime": self._venue.server_ms(),
                "rateLimits": wire.RATE_LIMITS,
                "exchangeFilters": [],
                "symbols": symbols,
            }
        )

    async def _depth(self, request: web.Request) -> web.Response:
        params = Params(request.query)
        book = self._venue.engine.pits[self._symbol(params)].liquidity.book
        count = params.limit(_DEPTH, _DEPTH_MAX)
        bids, asks = wire.levels(book.bids.top(count)), wire.levels(book.asks.top(count))
        return answer({"lastUpdateId": book.last_id, "bids": bids, "asks": asks})

    def _best_of(self, symbol: str) -> tuple[Level, Level]:
        book = self._venue.engine.pits[symbol].liquidity.book
        nothing: Level = (ZERO, ZERO)
        return next(iter(book.bids.top(1)), nothing), next(iter(book.asks.top(1)), nothing)

    async def _day(self, request: web.Request) -> web.Response:
        params = Params(request.query)
        now_us = self._venue.now_us()
        rows = []
        for symbol in self._symbols(params):
            day = self._venue.tapes[symbol].day(now_us)
            if day is not None:
                rows.append(wire.day_ticker(symbol, day, self._best_of(symbol), now_us))
        return answer(rows[0] if params.text("symbol") and rows else rows)

    async def _best(self, request: web.Request) -> web.Response:
        params = Params(request.query)
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

    async def _klines(self, request: web.Request) -> web.Response:
        params = Params(request.query)
        symbol, interval = self._symbol(params), params.needed("interval")
        if interval not in _MINUTES:
            raise VenueError(-1120, "Invalid interval.")
        interval_us = _MINUTES[interval] * 60_000_000
        start_ms, end_ms = params.integer("startTime"), params.integer("endTime")
        candles = [
            candle
            for candle in self._venue.tapes[symbol].candles(interval_us, self._venue.now_us())
            if (start_ms is None or candle.open_us >= start_ms * 1000)
            and (end_ms is None or candle.open_us <= end_ms * 1000)
        ]
        limit = params.limit(_KLINES, _KLINES_MAX)
        chosen = candles[:limit] if start_ms is not None else candles[-limit:]
        return answer([wire.kline(candle, interval_us) for candle in chosen])


def decimal_text(value: Decimal) -> str:
    """An amount without an exponent or trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
