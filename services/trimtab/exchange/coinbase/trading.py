"""REST endpoints of one's own account: orders, fills, balances, fees. All are signed."""

import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

from aiohttp import web

from trimtab.exchange.coinbase import refusals
from trimtab.exchange.coinbase.names import fixed, is_client_id, is_uuid, micros
from trimtab.exchange.coinbase.placing import new_order
from trimtab.exchange.coinbase.signing import check_request
from trimtab.exchange.coinbase.wire import Wire
from trimtab.exchange.errors import VenueError
from trimtab.exchange.history import History
from trimtab.exchange.orders import Execution, Order
from trimtab.exchange.params import fresh_client_id
from trimtab.exchange.rest import answer
from trimtab.exchange.venue import Venue

Signed = Callable[[str, web.Request, str], web.Response]

_ROWS_MAX = 1000
_BY_CLIENT = "client:"
_OPEN = frozenset({"open", "pending", "active"})
_STATUSES = frozenset({*_OPEN, "done", "all"})


class TradingRest:
    """The signed endpoints of a venue."""

    def __init__(self, venue: Venue, wire: Wire) -> None:
        self._venue = venue
        self._wire = wire

    def routes(self) -> Iterable[web.RouteDef]:
        """All of them. An order's id may be `client:` and its `client_oid`."""
        return (
            web.get("/accounts", self._signed(self._accounts)),
            web.get("/fees", self._signed(self._fees)),
            web.get("/fills", self._signed(self._fills)),
            web.get("/orders", self._signed(self._orders)),
            web.post("/orders", self._signed(self._place)),
            web.delete("/orders", self._signed(self._cancel_all)),
            web.get("/orders/{id}", self._signed(self._order)),
            web.delete("/orders/{id}", self._signed(self._cancel)),
        )

    def _signed(self, handler: Signed) -> Callable[[web.Request], Awaitable[web.Response]]:
        """A handler that runs only for a request whose signature holds."""

        async def checked(request: web.Request) -> web.Response:
            body = (await request.read()).decode("utf-8", "surrogateescape")
            signed = request.method, request.raw_path, body
            found = check_request(self._venue.keys, request.headers, signed, self._venue.server_us())
            return handler(found.account, request, body)

        return checked

    def _accounts(self, account: str, _: web.Request, __: str) -> web.Response:
        return answer(self._wire.balances(account))

    def _fees(self, account: str, _: web.Request, __: str) -> web.Response:
        terms = self._venue.engine.accounts.by_name[account]
        rates = {"maker_fee_rate": fixed(terms.maker_fee, 4), "taker_fee_rate": fixed(terms.taker_fee, 4)}
        return answer(rates | {"usd_volume": None})

    def _place(self, account: str, _: web.Request, text: str) -> web.Response:
        body = _body(text)
        symbol = self._wire.names.symbol(str(body.get("product_id")))
        rules = self._venue.engine.instruments.get(symbol or "")
        if rules is None:
            raise refusals.product_not_found()
        new = new_order(body, rules, self._venue.engine.accounts.by_name[account].taker_fee)
        try:
            order = self._venue.place(account, new)[0]
        except VenueError as error:
            if refusals.is_post_only(error):
                return answer(self._wire.rejected(account, new, self._venue.now_us()))
            raise
        return answer(self._wire.pending(order))

    def _order(self, account: str, request: web.Request, _: str) -> web.Response:
        found = self._find(self._venue.reads.history, account, request.match_info["id"])
        if found is None:
            raise refusals.not_found()
        return answer(self._wire.order(found))

    def _cancel(self, account: str, request: web.Request, _: str) -> web.Response:
        name, symbol = request.match_info["id"], self._product(request)
        found = self._find(self._venue.engine.history, account, name)
        if found is None or symbol not in {None, found.symbol}:
            raise refusals.order_not_found()
        if not found.is_open:
            raise refusals.already_done()
        order_id = self._end(found)
        # The answer names the order as the question did.
        return answer(name.removeprefix(_BY_CLIENT) if name.startswith(_BY_CLIENT) else order_id)

    def _cancel_all(self, account: str, request: web.Request, _: str) -> web.Response:
        symbol = self._product(request)
        orders = self._venue.engine.history.open_orders(account, symbol)
        return answer([self._end(order) for order in orders])

    def _end(self, order: Order) -> str:
        self._venue.cancel(order.account, order.symbol, order.order_id, None, fresh_client_id())
        return self._wire.names.order_id(order.symbol, order.order_id)

    def _orders(self, account: str, request: web.Request, _: str) -> web.Response:
        wanted = frozenset(request.query.getall("status", sorted(_OPEN)))
        if not wanted <= _STATUSES:
            raise refusals.invalid("status")
        history, symbol = self._venue.reads.history, self._product(request)
        symbols = self._wire.names.symbols() if symbol is None else [symbol]
        found = [
            order
            for name in symbols
            for order in history.orders(account, name)
            if not _purged(order) and ("all" in wanted or bool(wanted & _OPEN if order.is_open else wanted & {"done"}))
        ]
        found.sort(key=lambda order: (order.created_us, order.symbol, order.order_id), reverse=True)
        before_us, after_us = _time(request, "before"), _time(request, "after")
        start_us, end_us = _time(request, "start_date"), _time(request, "end_date")
        page = [
            order
            for order in found
            if (before_us is None or order.created_us > before_us)
            and (after_us is None or order.created_us < after_us)
            and (start_us is None or order.created_us >= start_us)
            and (end_us is None or order.created_us <= end_us)
        ][: _limit(request)]
        rows = [self._wire.order(order) for order in page]
        return _paged(rows, [row["created_at"] for row in rows])

    def _fills(self, account: str, request: web.Request, _: str) -> web.Response:
        order_id, symbol = request.query.get("order_id"), self._product(request)
        number: int | None = None
        if order_id is not None:
            found = self._wire.names.order(order_id) if is_uuid(order_id) else None
            if found is None or symbol not in {None, found[0]}:
                return _paged([], [])
            symbol, number = found
        if symbol is None:
            raise refusals.invalid("product_id")
        fills: Sequence[Execution] = self._venue.reads.history.executions(account, symbol)
        before, after = _whole(request, "before"), _whole(request, "after")
        start_us, end_us = _time(request, "start_date"), _time(request, "end_date")
        page = [
            fill
            for fill in reversed(fills)
            if (number is None or fill.order_id == number)
            and (before is None or fill.trade_id > before)
            and (after is None or fill.trade_id < after)
            and (start_us is None or fill.time_us >= start_us)
            and (end_us is None or fill.time_us <= end_us)
        ][: _limit(request)]
        return _paged([self._wire.fill(fill) for fill in page], [str(fill.trade_id) for fill in page])

    def _find(self, history: History, account: str, name: str) -> Order | None:
        """An order by either id. One that ended without a fill is gone.

        Raises VenueError 400 for what is no id.
        """
        if name.startswith(_BY_CLIENT):
            client_id = name.removeprefix(_BY_CLIENT)
            if not is_client_id(client_id):
                return None
            same = [history.find(account, symbol, None, client_id) for symbol in self._wire.names.symbols()]
            found = max(
                (order for order in same if order is not None), key=lambda order: order.created_us, default=None
            )
        else:
            if not is_uuid(name):
                raise refusals.invalid("order id")
            meant = self._wire.names.order(name)
            found = None if meant is None else history.find(account, *meant, None)
        return None if found is None or _purged(found) else found

    def _product(self, request: web.Request) -> str | None:
        product = request.query.get("product_id")
        if product is None:
            return None
        symbol = self._wire.names.symbol(product)
        if symbol is None or symbol not in self._venue.engine.instruments:
            raise refusals.not_found()
        return symbol


def _purged(order: Order) -> bool:
    return not order.is_open and not order.executed


def _body(text: str) -> dict[str, Any]:
    try:
        text.encode()  # bytes that are no UTF-8 came as surrogates
        found = json.loads(text, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise refusals.refused("Bad Request") from error
    if not isinstance(found, dict):
        raise refusals.refused("Bad Request")
    return found


def _no_constant(name: str) -> None:
    """NaN and Infinity, which are Python's and no JSON."""
    raise ValueError(name)


def _whole(request: web.Request, name: str) -> int | None:
    given = request.query.get(name)
    if given is not None and not (given.isascii() and given.isdigit() and len(given) < 20):
        raise refusals.invalid(name)
    return None if given is None else int(given)


def _limit(request: web.Request) -> int:
    given = _whole(request, "limit")
    if given is not None and not 0 < given <= _ROWS_MAX:
        raise refusals.invalid("limit")
    return given or _ROWS_MAX


def _time(request: web.Request, name: str) -> int | None:
    given = request.query.get(name)
    if given is None:
        return None
    try:
        return micros(given)
    except (ValueError, OverflowError) as error:
        raise refusals.invalid(name) from error


def _paged(rows: list[dict[str, Any]], cursors: Sequence[str]) -> web.Response:
    """A page, newest first, and the cursors before and after it."""
    paged = answer(rows)
    if cursors:
        paged.headers.update({"CB-BEFORE": cursors[0], "CB-AFTER": cursors[-1]})
    return paged
