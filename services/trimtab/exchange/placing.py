"""The order that a POST /api/v3/order asks for (Binance spot API, "New order")."""

from typing import cast, get_args

from trimtab.exchange import errors
from trimtab.exchange.book import ZERO
from trimtab.exchange.errors import VenueError
from trimtab.exchange.instruments import Prevention
from trimtab.exchange.liquidity import Side
from trimtab.exchange.orders import NewOrder, TimeInForce
from trimtab.exchange.params import Params, fresh_client_id

_NOT_FOR_LIMIT = ("quoteOrderQty", "stopPrice", "trailingDelta")
_NOT_FOR_MARKET = ("price", "timeInForce", "stopPrice", "trailingDelta", "icebergQty")
_OTHER_MODES = {"DECREMENT", "TRANSFER"}  # Binance has them; no symbol here allows them


def new_order(params: Params) -> NewOrder:
    """Read it.

    Raises VenueError -1102, -1106, -1100, -1111, -1108, -1115, -1116, -1117, -1128, -1130, -2010 or -1013.
    """
    symbol, side, kind = params.symbol(), params.needed("side"), params.needed("type")
    if side not in {"BUY", "SELL"}:
        raise VenueError(-1117, "Invalid side.")
    client_id = params.client_id("newClientOrderId") or fresh_client_id()
    if kind == "MARKET":
        return _market_order(params, symbol, cast("Side", side), client_id)
    if kind not in {"LIMIT", "LIMIT_MAKER"}:
        raise VenueError(-1116, "Invalid orderType.")
    force = _time_in_force(params, kind)
    _refuse(params, _NOT_FOR_LIMIT)
    if params.decimal("icebergQty") is not None:
        raise errors.iceberg_unsupported()
    quantity, price = params.decimal("quantity"), params.decimal("price")
    if quantity is None or price is None:
        raise errors.mandatory("quantity" if quantity is None else "price")
    return NewOrder(
        symbol,
        cast("Side", side),
        "LIMIT" if kind == "LIMIT" else "LIMIT_MAKER",
        client_id,
        quantity,
        price=price,
        time_in_force=force,
        prevention=_prevention(params),
    )


def _market_order(params: Params, symbol: str, side: Side, client_id: str) -> NewOrder:
    _refuse(params, _NOT_FOR_MARKET)
    quantity, quote_quantity = params.decimal("quantity"), params.decimal("quoteOrderQty")
    if quantity is None and quote_quantity is None:
        raise errors.either_mandatory("quantity", "quoteOrderQty")
    if quantity is not None and quote_quantity is not None:
        raise errors.bad_combination()
    prevention = _prevention(params)
    return NewOrder(symbol, side, "MARKET", client_id, quantity or ZERO, quote_quantity or ZERO, prevention=prevention)


def _time_in_force(params: Params, kind: str) -> TimeInForce:
    force = params.text("timeInForce")
    if kind == "LIMIT" and force is None:
        raise errors.mandatory("timeInForce")
    if kind == "LIMIT_MAKER" and force is not None:
        raise errors.not_required("timeInForce")
    if force not in {*get_args(TimeInForce), None}:
        raise VenueError(-1115, "Invalid timeInForce.")
    return cast("TimeInForce", force or "GTC")


def _refuse(params: Params, names: tuple[str, ...]) -> None:
    for name in names:
        if params.text(name) is not None:
            raise errors.not_required(name)


def _prevention(params: Params) -> Prevention | None:
    mode = params.text("selfTradePreventionMode")
    if mode in _OTHER_MODES:
        raise errors.prevention_not_allowed()
    if mode not in {*get_args(Prevention), None}:
        raise errors.invalid_data("selfTradePreventionMode")
    return cast("Prevention | None", mode)
