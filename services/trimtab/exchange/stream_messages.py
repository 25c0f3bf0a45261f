"""Binance's JSON of market streams: books, quotes, trades, tickers, candles. Times there are milliseconds.

What a recording holds is sent as it was recorded (`raw`).
"""

import orjson

from trimtab.exchange.filters import fixed
from trimtab.exchange.market import DepthUpdate, Quote, Trade
from trimtab.exchange.tickers import Candle
from trimtab.exchange.wire import levels


def depth_update(update: DepthUpdate) -> bytes:
    """A depthUpdate's data."""
    if update.raw is not None:
        return update.raw
    return orjson.dumps(
        {
            "e": "depthUpdate",
            "E": update.event_us // 1000,
            "s": update.symbol,
            "U": update.first_id,
            "u": update.last_id,
            "b": levels(update.bids),
            "a": levels(update.asks),
        }
    )


def quote(event: Quote) -> bytes:
    """A bookTicker's data."""
    if event.raw is not None:
        return event.raw
    bid, ask = (fixed(event.bid), fixed(event.bid_size)), (fixed(event.ask), fixed(event.ask_size))
    return orjson.dumps({"u": event.update_id, "s": event.symbol, "b": bid[0], "B": bid[1], "a": ask[0], "A": ask[1]})


def trade(event: Trade) -> bytes:
    """A trade's data."""
    if event.raw is not None:
        return event.raw
    return orjson.dumps(
        {
            "e": "trade",
            "E": event.event_us // 1000,
            "s": event.symbol,
            "t": event.trade_id,
            "p": fixed(event.price),
            "q": fixed(event.quantity),
            "T": event.event_us // 1000,
            "m": event.buyer_is_maker,
            "M": True,
        }
    )


def aggregate_trade(event: Trade) -> bytes:
    """An aggTrade's data. Every trade here is an aggregate of its own, and has its id."""
    return orjson.dumps(
        {
            "e": "aggTrade",
            "E": event.event_us // 1000,
            "s": event.symbol,
            "a": event.trade_id,
            "p": fixed(event.price),
            "q": fixed(event.quantity),
            "f": event.trade_id,
            "l": event.trade_id,
            "T": event.event_us // 1000,
            "m": event.buyer_is_maker,
            "M": True,
        }
    )


def mini_ticker(symbol: str, day: Candle, now_us: int) -> bytes:
    """A 24hrMiniTicker's data."""
    return orjson.dumps(
        {
            "e": "24hrMiniTicker",
            "E": now_us // 1000,
            "s": symbol,
            "c": fixed(day.close),
            "o": fixed(day.open),
            "h": fixed(day.high),
            "l": fixed(day.low),
            "v": fixed(day.volume),
            "q": fixed(day.quote_volume),
        }
    )


def kline(symbol: str, interval: str, candle: Candle, end_us: int, now_us: int) -> bytes:
    """A kline's data: a candle as it is now; it is closed when the next one begins at `end_us`."""
    return orjson.dumps(
        {
            "e": "kline",
            "E": now_us // 1000,
            "s": symbol,
            "k": {
                "t": candle.open_us // 1000,
                "T": end_us // 1000 - 1,
                "s": symbol,
                "i": interval,
                "f": candle.first_trade_id,
                "L": candle.last_trade_id,
                "o": fixed(candle.open),
                "c": fixed(candle.close),
                "h": fixed(candle.high),
                "l": fixed(candle.low),
                "v": fixed(candle.volume),
                "n": candle.trades,
                "x": now_us >= end_us,
                "q": fixed(candle.quote_volume),
                "V": fixed(candle.bought),
                "Q": fixed(candle.bought_quote),
                "B": "0",
            },
        }
    )
