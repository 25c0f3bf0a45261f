"""REST endpoints that anyone may ask: time, currencies, products, books, tickers, trades, candles."""

from collections.abc import Awaitable, Callable, Iterable, Sequence

from aiohttp import web

from trimtab.exchange.book import ZERO
from trimtab.exchange.coinbase import refusals
from trimtab.exchange.coinbase.feed import Feed
from trimtab.exchange.coinbase.names import fixed, iso, micros
from trimtab.exchange.coinbase.wire import Json
from trimtab.exchange.instruments import MIN_UNIT
from trimtab.exchange.market import Level
from trimtab.exchange.rest import answer
from trimtab.exchange.tickers import Candle
from trimtab.exchange.venue import Venue

_CANDLES_MAX = 300
_TRADES, _TRADES_MAX = 1000, 1000
_GRANULARITIES = frozenset({60, 300, 900, 3600, 21600, 86400})


class MarketsRest:
    """The public endpoints of a venue."""

    def __init__(self, venue: Venue, feed: Feed) -> None:
        self._venue = venue
        self._feed = feed

    def routes(self) -> Iterable[web.RouteDef]:
        """All of them."""
        return (
            web.get("/time", self._time),
            web.get("/currencies", self._currencies),
            web.get("/products", self._products),
            web.get("/products/{id}", self._of(self._product)),
            web.get("/products/{id}/book", self._of(self._book)),
            web.get("/products/{id}/ticker", self._of(self._ticker)),
            web.get("/products/{id}/stats", self._of(self._stats)),
            web.get("/products/{id}/trades", self._of(self._trades)),
            web.get("/products/{id}/candles", self._of(self._candles)),
        )

    def _of(
        self, handler: Callable[[str, web.Request], web.Response]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        """A handler that gets the symbol of a product that is listed."""

        async def found(request: web.Request) -> web.Response:
            symbol = self._feed.names.symbol(request.match_info["id"])
            if symbol is None or symbol not in self._venue.engine.instruments:
                raise refusals.not_found()
            return handler(symbol, request)

        return found

    async def _time(self, _: web.Request) -> web.Response:
        now_us = self._venue.server_us()
        return answer({"iso": f"{iso(now_us)[:-4]}Z", "epoch": now_us // 1000 / 1000})

    async def _currencies(self, _: web.Request) -> web.Response:
        listed = self._venue.engine.instruments.values()
        assets = sorted({asset for rules in listed for asset in (rules.base, rules.quote)})
        return answer([_currency(asset) for asset in assets])

    async def _products(self, _: web.Request) -> web.Response:
        return answer([self._described(symbol) for symbol in sorted(self._venue.engine.instruments)])

    def _product(self, symbol: str, _: web.Request) -> web.Response:
        return answer(self._described(symbol))

    def _described(self, symbol: str) -> Json:
        rules, halted = self._venue.engine.instruments[symbol], symbol in self._venue.engine.halted
        return {
            "id": self._feed.names.product(symbol),
            "base_currency": rules.base,
            "quote_currency": rules.quote,
            "quote_increment": _plain(fixed(rules.tick)),
            "base_increment": _plain(fixed(rules.step)),
            "display_name": f"{rules.base}-{rules.quote}",
            "min_market_funds": _plain(fixed(rules.min_notional)),
            "margin_enabled": False,
            "post_only": False,
            "limit_only": False,
            "cancel_only": halted,
            "status": "online",
            "status_message": "",
            "trading_disabled": False,
            "fx_stablecoin": False,
            "max_slippage_percentage": "0.02000000",
            "auction_mode": False,
            "high_bid_limit_percentage": "",
        }

    def _book(self, symbol: str, request: web.Request) -> web.Response:
        level = request.query.get("level", "1")
        if level not in {"1", "2"}:
            raise refusals.invalid("level")
        book, count = self._venue.engine.pits[symbol].liquidity.book, 1 if level == "1" else None
        return answer(
            {
                "bids": _rows(list(book.bids.levels())[:count]),
                "asks": _rows(list(book.asks.levels())[:count]),
                "sequence": self._feed.sequence(symbol),
                "auction_mode": False,
                "auction": None,
                "time": iso(self._venue.now_us()),
            }
        )

    def _ticker(self, symbol: str, _: web.Request) -> web.Response:
        book, traded = self._venue.engine.pits[symbol].liquidity.book, self._feed.trades[symbol]
        day = self._venue.tapes[symbol].day(self._venue.now_us())
        bid, ask = (next(side.levels(), (ZERO, ZERO))[0] for side in (book.bids, book.asks))
        last = traded[-1] if traded else None
        return answer(
            {
                "ask": _plain(fixed(ask)),
                "bid": _plain(fixed(bid)),
                "volume": fixed(day.volume if day else ZERO),
                "trade_id": last.trade_id if last else 0,
                "price": _plain(fixed(last.price if last else day.close if day else ZERO)),
                "size": _plain(fixed(last.quantity if last else ZERO)),
                "time": iso(last.event_us if last else self._venue.now_us()),
            }
        )

    def _stats(self, symbol: str, _: web.Request) -> web.Response:
        day = self._venue.tapes[symbol].day(self._venue.now_us())
        if day is None:
            raise refusals.not_found()
        names = ("open", "high", "low", "volume")
        sums = {name: fixed(getattr(day, name)) for name in names}
        return answer(sums | {"last": fixed(day.close), "volume_30day": fixed(day.volume)})

    def _trades(self, symbol: str, request: web.Request) -> web.Response:
        limit = request.query.get("limit", str(_TRADES))
        if not (limit.isascii() and limit.isdigit() and 0 < int(limit[:9]) <= _TRADES_MAX):
            raise refusals.invalid("limit")
        traded = list(reversed(self._feed.trades[symbol]))[: int(limit[:9])]
        return answer(
            [
                {
                    "trade_id": trade.trade_id,
                    "side": "buy" if trade.buyer_is_maker else "sell",
                    "size": fixed(trade.quantity),
                    "price": fixed(trade.price),
                    "time": iso(trade.event_us),
                }
                for trade in traded
            ]
        )

    def _candles(self, symbol: str, request: web.Request) -> web.Response:
        given = request.query.get("granularity", "60")
        if not (given.isascii() and given.isdigit()) or int(given[:9]) not in _GRANULARITIES:
            raise refusals.refused("Unsupported granularity")
        start_us, end_us, length_us = _time(request, "start"), _time(request, "end"), int(given[:9]) * 1_000_000
        candles = [
            candle
            for candle in self._venue.tapes[symbol].candles(length_us, self._venue.now_us())
            if (start_us is None or candle.open_us >= start_us) and (end_us is None or candle.open_us <= end_us)
        ]
        rows = [_row(candle) for candle in reversed(candles[-_CANDLES_MAX:])]
        return answer(rows)


def _currency(asset: str) -> Json:
    return {
        "id": asset,
        "name": asset,
        "min_size": fixed(MIN_UNIT),
        "status": "online",
        "message": "",
        "max_precision": fixed(MIN_UNIT),
        "convertible_to": [],
        "details": {"type": "crypto", "sort_order": 0, "min_withdrawal_amount": 0, "max_withdrawal_amount": 0},
        "default_network": asset.lower(),
        "supported_networks": [],
        "display_name": asset,
    }


def _row(candle: Candle) -> list[int | float]:
    """Time, low, high, open, close, volume."""
    prices = candle.low, candle.high, candle.open, candle.close, candle.volume
    return [candle.open_us // 1_000_000, *map(float, prices)]


def _rows(levels: Sequence[Level]) -> list[list[str | int]]:
    """Price, size, and how many orders stand there: nobody knows that here."""
    return [[_plain(fixed(price)), _plain(fixed(size)), 1] for price, size in levels]


def _plain(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _time(request: web.Request, name: str) -> int | None:
    given = request.query.get(name)
    if given is None:
        return None
    try:
        return micros(given)
    except (ValueError, OverflowError) as error:
        raise refusals.invalid(name) from error
