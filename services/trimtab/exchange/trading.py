"""REST endpoints of one's own account: orders, trades, balances, transfers. All are signed."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime

from aiohttp import web

from trimtab.exchange import errors, wire
from trimtab.exchange.clock import wall_us
from trimtab.exchange.endpoints import endpoint_of
from trimtab.exchange.history import Transfer
from trimtab.exchange.orders import Execution, Order
from trimtab.exchange.params import Params, fresh_client_id
from trimtab.exchange.placing import new_order
from trimtab.exchange.request import check
from trimtab.exchange.rest import answer, decimal_text, sent
from trimtab.exchange.signing import signed_part
from trimtab.exchange.venue import Venue

Signed = Callable[[str, Params], web.Response]

_ROWS, _ROWS_MAX = 500, 1000
_HOURS_MAX = 24  # between startTime and endTime
_TRADES_BY = frozenset(
    frozenset(names.split())
    for names in ("", "orderId", "startTime", "endTime", "fromId", "startTime endTime", "orderId fromId")
)
"""The combinations of parameters by which myTrades may be asked, beside symbol and limit."""
_TRADES_FILTERS = frozenset().union(*_TRADES_BY)


class TradingRest:
    """The signed endpoints of a venue."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def routes(self) -> Iterable[web.RouteDef]:
        """All of them."""
        return (
            web.get("/api/v3/account", self._signed(self._account)),
            web.post("/api/v3/order", self._signed(self._place)),
            web.get("/api/v3/order", self._signed(self._order)),
            web.delete("/api/v3/order", self._signed(self._cancel)),
            web.get("/api/v3/openOrders", self._signed(self._open_orders)),
            web.delete("/api/v3/openOrders", self._signed(self._cancel_all)),
            web.get("/api/v3/allOrders", self._signed(self._all_orders)),
            web.get("/api/v3/myTrades", self._signed(self._trades)),
            web.get("/api/v3/myPreventedMatches", self._signed(self._prevented)),
            web.get("/api/v3/rateLimit/order", self._signed(self._order_counts)),
            web.get("/sapi/v1/asset/tradeFee", self._signed(self._fees)),
            web.get("/sapi/v1/account/apiRestrictions", self._signed(self._restrictions)),
            web.get("/sapi/v1/capital/deposit/hisrec", self._signed(self._deposits)),
            web.get("/sapi/v1/capital/withdraw/history", self._signed(self._withdrawals)),
        )

    def _signed(self, handler: Signed) -> Callable[[web.Request], Awaitable[web.Response]]:
        """A handler that runs only for a request whose signature holds."""

        async def checked(request: web.Request) -> web.Response:
            params, query, body = await sent(request)
            key = request.headers.get("X-MBX-APIKEY")
            account = self._venue.keys.check(key, params.values, signed_part(query, body), self._venue.server_us())
            check(endpoint_of(request.method, request.path), params.values)
            return handler(account, params)

        return checked

    def _symbol(self, params: Params) -> str:
        symbol = params.symbol()
        if symbol not in self._venue.engine.instruments:
            raise errors.invalid_symbol()
        return symbol

    def _account(self, account: str, params: Params) -> web.Response:
        found, omit_zero = self._venue.reads.account(account), params.flag("omitZeroBalances")
        return answer(wire.account_info(found, self._venue.now_us(), omit_zero=omit_zero))

    def _place(self, account: str, params: Params) -> web.Response:
        new = new_order(params)
        form = params.text("newOrderRespType") or ("ACK" if new.type == "LIMIT_MAKER" else "FULL")
        if form not in {"ACK", "RESULT", "FULL"}:
            raise errors.bad_response_type()
        order, fills, prevented = self._venue.place(account, new)
        if form == "ACK":
            placed = answer(wire.order_ack(order))
        elif form == "RESULT":
            placed = answer(wire.order_result(order))
        else:
            placed = answer(wire.order_full(order, fills, prevented))
        counts = self._venue.meters.orders.counts(account, wall_us())
        for interval, count in zip(("10S", "1D"), counts, strict=True):
            placed.headers[f"X-MBX-ORDER-COUNT-{interval}"] = str(count)
        return placed

    def _order_counts(self, account: str, _: Params) -> web.Response:
        meters = self._venue.meters
        counts = meters.orders.counts(account, wall_us())
        return answer([limit | {"count": n} for limit, n in zip(meters.limits.orders(), counts, strict=True)])

    def _order(self, account: str, params: Params) -> web.Response:
        symbol = self._symbol(params)
        found = self._venue.reads.history.find(account, symbol, *params.order_ids())
        if found is None:
            raise errors.no_such_order()
        return answer(wire.order_state(found))

    def _cancel(self, account: str, params: Params) -> web.Response:
        symbol = self._symbol(params)
        order_id, client_id = params.order_ids()
        request_id = params.client_id("newClientOrderId") or fresh_client_id()
        order = self._venue.cancel(account, symbol, order_id, client_id, request_id)
        return answer(wire.order_cancelled(order, request_id))

    def _cancel_all(self, account: str, params: Params) -> web.Response:
        symbol = self._symbol(params)
        orders = self._venue.engine.history.open_orders(account, symbol)
        if not orders:
            raise errors.unknown_order()
        rows = []
        for order in orders:
            request_id = fresh_client_id()
            cancelled = self._venue.cancel(account, symbol, order.order_id, None, request_id)
            rows.append(wire.order_cancelled(cancelled, request_id))
        return answer(rows)

    def _open_orders(self, account: str, params: Params) -> web.Response:
        symbol = self._symbol(params) if params.text("symbol") else None
        orders = self._venue.reads.history.open_orders(account, symbol)
        return answer([wire.order_state(order) for order in orders])

    def _all_orders(self, account: str, params: Params) -> web.Response:
        orders: list[Order] = self._venue.reads.history.orders(account, self._symbol(params))
        from_id, limit = params.integer("orderId"), params.limit(_ROWS, _ROWS_MAX)
        start_ms, end_ms = _between(params)
        found = [
            order
            for order in orders
            if (from_id is None or order.order_id >= from_id)
            and (start_ms is None or order.created_us // 1000 >= start_ms)
            and (end_ms is None or order.created_us // 1000 <= end_ms)
        ]
        from_start = from_id is not None or start_ms is not None
        return answer([wire.order_state(o) for o in (found[:limit] if from_start else found[-limit:])])

    def _trades(self, account: str, params: Params) -> web.Response:
        trades: list[Execution] = self._venue.reads.history.executions(account, self._symbol(params))
        if frozenset(params.values) & _TRADES_FILTERS not in _TRADES_BY:
            raise errors.bad_combination()
        order_id, from_id = params.integer("orderId"), params.integer("fromId")
        start_ms, end_ms = _between(params)
        limit = params.limit(_ROWS, _ROWS_MAX)
        found = [
            trade
            for trade in trades
            if (order_id is None or trade.order_id == order_id)
            and (from_id is None or trade.trade_id >= from_id)
            and (start_ms is None or trade.time_us // 1000 >= start_ms)
            and (end_ms is None or trade.time_us // 1000 <= end_ms)
        ]
        from_start = from_id is not None or start_ms is not None
        return answer([wire.own_trade(t) for t in (found[:limit] if from_start else found[-limit:])])

    def _prevented(self, account: str, params: Params) -> web.Response:
        matches = self._venue.reads.history.prevented_matches(account, self._symbol(params))
        match_id, order_id = params.integer("preventedMatchId"), params.integer("orderId")
        from_id, limit = params.integer("fromPreventedMatchId"), params.limit(_ROWS, _ROWS_MAX)
        if match_id is None and order_id is None:
            raise errors.either_mandatory("preventedMatchId", "orderId")
        if match_id is not None and (order_id is not None or from_id is not None):
            raise errors.bad_combination()
        found = [
            match
            for match in matches
            if match_id in {None, match.match_id}
            and (order_id is None or order_id in {match.taker_order_id, match.maker_order_id})
            and (from_id is None or match.match_id >= from_id)
        ]
        return answer([wire.prevented_match(match) for match in found[:limit]])

    def _fees(self, account: str, params: Params) -> web.Response:
        terms = self._venue.engine.accounts.by_name[account]
        symbols = [self._symbol(params)] if params.text("symbol") else sorted(self._venue.engine.instruments)
        maker, taker = decimal_text(terms.maker_fee), decimal_text(terms.taker_fee)
        rows = [{"symbol": symbol, "makerCommission": maker, "takerCommission": taker} for symbol in symbols]
        return answer(rows)

    def _restrictions(self, _: str, __: Params) -> web.Response:
        return answer(
            {
                "ipRestrict": False,
                "createTime": 0,
                "enableReading": True,
                "enableWithdrawals": False,
                "enableInternalTransfer": False,
                "enableMargin": False,
                "enableFutures": False,
                "permitsUniversalTransfer": False,
                "enableVanillaOptions": False,
                "enableFixApiTrade": False,
                "enableFixReadOnly": False,
                "enableSpotAndMarginTrading": True,
                "enablePortfolioMarginTrading": False,
            }
        )

    def _transfers(self, account: str, params: Params) -> list[Transfer]:
        coin, start_us, end_us = params.text("coin"), params.time_us("startTime"), params.time_us("endTime")
        return [
            transfer
            for transfer in reversed(self._venue.engine.history.transfers)
            if transfer.account == account
            and coin in {None, transfer.asset}
            and (start_us is None or transfer.time_us // 1000 >= start_us // 1000)
            and (end_us is None or transfer.time_us // 1000 <= end_us // 1000)
        ]

    def _deposits(self, account: str, params: Params) -> web.Response:
        limit, offset = params.limit(_ROWS_MAX, _ROWS_MAX), params.integer("offset") or 0
        rows = [_deposit(transfer) for transfer in self._transfers(account, params) if transfer.amount > 0]
        return answer(rows[offset : offset + limit])

    def _withdrawals(self, account: str, params: Params) -> web.Response:
        limit, offset = params.limit(_ROWS_MAX, _ROWS_MAX), params.integer("offset") or 0
        rows = [_withdrawal(transfer) for transfer in self._transfers(account, params) if transfer.amount < 0]
        return answer(rows[offset : offset + limit])


def _between(params: Params) -> tuple[int | None, int | None]:
    """`startTime` and `endTime`, milliseconds.

    Raises VenueError -1127 if they are more than a day apart.
    """
    start_us, end_us = params.time_us("startTime"), params.time_us("endTime")
    if start_us is not None and end_us is not None and end_us - start_us > _HOURS_MAX * 3_600_000_000:
        raise errors.interval_too_long(_HOURS_MAX)
    return start_us and start_us // 1000, end_us and end_us // 1000


def _deposit(transfer: Transfer) -> wire.Json:
    return {
        "id": str(transfer.transfer_id),
        "amount": decimal_text(transfer.amount),
        "coin": transfer.asset,
        "network": transfer.asset,
        "status": 1,
        "address": "simulated",
        "addressTag": "",
        "txId": f"simulated-{transfer.transfer_id}",
        "insertTime": transfer.time_us // 1000,
        "completeTime": transfer.time_us // 1000,
        "transferType": 0,
        "confirmTimes": "1/1",
        "unlockConfirm": 1,
        "walletType": 0,
    }


def _withdrawal(transfer: Transfer) -> wire.Json:
    applied = datetime.fromtimestamp(transfer.time_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return {
        "id": str(transfer.transfer_id),
        "amount": decimal_text(-transfer.amount),
        "transactionFee": "0",
        "coin": transfer.asset,
        "network": transfer.asset,
        "status": 6,
        "address": "simulated",
        "addressTag": "",
        "txId": f"simulated-{transfer.transfer_id}",
        "applyTime": applied,
        "completeTime": applied,
        "transferType": 0,
        "confirmNo": 1,
        "walletType": 0,
    }
