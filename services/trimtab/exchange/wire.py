"""Binance's JSON: how orders, trades, books and tickers look in answers. Times there are milliseconds.

The order of keys is that of Binance's own answers.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from zlib import crc32

from trimtab.exchange.accounts import Account
from trimtab.exchange.filters import described, fixed
from trimtab.exchange.instruments import Instrument
from trimtab.exchange.market import Level
from trimtab.exchange.orders import Execution, Order, PreventedMatch
from trimtab.exchange.tickers import Candle

Json = dict[str, Any]

NO_GROUP = -1
"""The id of a trade group that is none."""


def levels(pairs: Iterable[Level]) -> list[list[str]]:
    """Levels as pairs of texts."""
    return [[fixed(price), fixed(size)] for price, size in pairs]


def day_ticker(symbol: str, day: Candle, best: tuple[Level, Level], now_us: int) -> Json:
    """The answer of ticker/24hr for one symbol; `best` is (bid, ask)."""
    change = day.close - day.open
    average = day.quote_volume / day.volume if day.volume else day.close
    (bid, bid_size), (ask, ask_size) = best
    return {
        "symbol": symbol,
        "priceChange": fixed(change),
        "priceChangePercent": f"{change / day.open * 100:.3f}",
        "weightedAvgPrice": fixed(average),
        "prevClosePrice": fixed(day.open),
        "lastPrice": fixed(day.close),
        "lastQty": fixed(day.last_quantity),
        "bidPrice": fixed(bid),
        "bidQty": fixed(bid_size),
        "askPrice": fixed(ask),
        "askQty": fixed(ask_size),
        "openPrice": fixed(day.open),
        "highPrice": fixed(day.high),
        "lowPrice": fixed(day.low),
        "volume": fixed(day.volume),
        "quoteVolume": fixed(day.quote_volume),
        "openTime": day.open_us // 1000,
        "closeTime": now_us // 1000,
        "firstId": day.first_trade_id,
        "lastId": day.last_trade_id,
        "count": day.trades,
    }


def kline(candle: Candle, interval_us: int) -> list[int | str]:
    """One row of klines."""
    return [
        candle.open_us // 1000,
        fixed(candle.open),
        fixed(candle.high),
        fixed(candle.low),
        fixed(candle.close),
        fixed(candle.volume),
        (candle.open_us + interval_us) // 1000 - 1,
        fixed(candle.quote_volume),
        candle.trades,
        fixed(candle.bought),
        fixed(candle.bought_quote),
        "0",
    ]


def symbol_info(rules: Instrument) -> Json:
    """One symbol of exchangeInfo."""
    return {
        "symbol": rules.symbol,
        "status": "TRADING",
        "baseAsset": rules.base,
        "baseAssetPrecision": 8,
        "quoteAsset": rules.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": False,
        "amendAllowed": False,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": described(rules),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": rules.prevention,
        "allowedSelfTradePreventionModes": list(rules.preventions),
    }


def account_info(account: Account, now_us: int, *, omit_zero: bool = False) -> Json:
    """The answer of account; `now_us` is market time."""
    maker, taker = account.maker_fee, account.taker_fee
    return {
        "makerCommission": int(maker * 10000),
        "takerCommission": int(taker * 10000),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": fixed(maker),
            "taker": fixed(taker),
            "buyer": "0.00000000",
            "seller": "0.00000000",
        },
        "canTrade": True,
        "canWithdraw": True,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": now_us // 1000,
        "accountType": "SPOT",
        "balances": [
            {"asset": asset, "free": fixed(balance.free), "locked": fixed(balance.locked)}
            for asset, balance in sorted(account.balances.items())
            if not omit_zero or balance.free or balance.locked
        ],
        "permissions": ["SPOT"],
        "uid": crc32(account.name.encode()),
    }


def order_ack(order: Order) -> Json:
    """A placed order, newOrderRespType ACK."""
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_order_id,
        "transactTime": order.updated_us // 1000,
    }


def _asked(order: Order) -> Json:
    """What an order is and what became of it, as every answer about it has it."""
    return {
        "price": fixed(order.price),
        "origQty": fixed(order.quantity),
        "executedQty": fixed(order.executed),
        "origQuoteOrderQty": fixed(order.quote_quantity),
        "cummulativeQuoteQty": fixed(order.executed_quote),
        "status": order.status,
        "timeInForce": order.time_in_force,
        "type": order.type,
        "side": order.side,
    }


def _prevention(order: Order) -> Json:
    mode: Json = {"selfTradePreventionMode": order.prevention}
    if order.prevented_match_id is not None:
        mode |= {"preventedMatchId": order.prevented_match_id, "preventedQuantity": fixed(order.prevented)}
    return mode


def order_result(order: Order) -> Json:
    """A placed order, newOrderRespType RESULT."""
    return order_ack(order) | _asked(order) | {"workingTime": order.created_us // 1000} | _prevention(order)


def order_full(order: Order, fills: Sequence[Execution], prevented: Sequence[PreventedMatch] = ()) -> Json:
    """A placed order with its fills and the matches that were prevented, newOrderRespType FULL."""
    filled = [
        {
            "price": fixed(fill.price),
            "qty": fixed(fill.quantity),
            "commission": fixed(fill.fee),
            "commissionAsset": fill.fee_asset,
            "tradeId": fill.trade_id,
        }
        for fill in fills
    ]
    full = order_ack(order) | _asked(order) | {"workingTime": order.created_us // 1000, "fills": filled}
    full |= _prevention(order)
    if prevented:
        full["preventedMatches"] = [_prevented_brief(match) for match in prevented]
    return full


def _prevented_brief(match: PreventedMatch) -> Json:
    brief = {"preventedMatchId": match.match_id, "makerOrderId": match.maker_order_id, "price": fixed(match.price)}
    return brief | _prevented_quantities(match)


def _prevented_quantities(match: PreventedMatch) -> Json:
    found = {"takerPreventedQuantity": match.taker_prevented, "makerPreventedQuantity": match.maker_prevented}
    return {name: fixed(quantity) for name, quantity in found.items() if quantity}


def prevented_match(match: PreventedMatch) -> Json:
    """One row of myPreventedMatches; no account here is in a trade group (-1)."""
    return {
        "symbol": match.symbol,
        "preventedMatchId": match.match_id,
        "takerOrderId": match.taker_order_id,
        "makerSymbol": match.symbol,
        "makerOrderId": match.maker_order_id,
        "tradeGroupId": NO_GROUP,
        "selfTradePreventionMode": match.prevention,
        "price": fixed(match.price),
        **_prevented_quantities(match),
        "transactTime": match.time_us // 1000,
    }


def order_cancelled(order: Order, request_id: str) -> Json:
    """The answer to a cancellation whose own client id is `request_id`."""
    names = {"symbol": order.symbol, "origClientOrderId": order.client_order_id}
    return names | order_ack(order) | {"clientOrderId": request_id} | _asked(order) | _prevention(order)


def order_state(order: Order) -> Json:
    """An order as GET order, openOrders and allOrders tell it."""
    asked = _asked(order)
    of_quote = asked.pop("origQuoteOrderQty")
    state = order_ack(order) | asked
    del state["transactTime"]
    return {
        **state,
        "stopPrice": "0.00000000",
        "icebergQty": "0.00000000",
        "time": order.created_us // 1000,
        "updateTime": order.updated_us // 1000,
        "isWorking": True,
        "workingTime": order.created_us // 1000,
        "origQuoteOrderQty": of_quote,
        **_prevention(order),
    }


def own_trade(execution: Execution) -> Json:
    """One row of myTrades."""
    return {
        "symbol": execution.symbol,
        "id": execution.trade_id,
        "orderId": execution.order_id,
        "orderListId": -1,
        "price": fixed(execution.price),
        "qty": fixed(execution.quantity),
        "quoteQty": fixed(execution.quote_quantity),
        "commission": fixed(execution.fee),
        "commissionAsset": execution.fee_asset,
        "time": execution.time_us // 1000,
        "isBuyer": execution.side == "BUY",
        "isMaker": execution.maker,
        "isBestMatch": True,
    }
