"""The order that a POST /orders asks for ("Create a new order")."""

import re
from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal, InvalidOperation
from typing import Any, cast
from uuid import uuid4

from trimtab.exchange.book import ZERO
from trimtab.exchange.coinbase.names import is_client_id
from trimtab.exchange.coinbase.refusals import invalid, too_small
from trimtab.exchange.instruments import MIN_UNIT, Instrument, Prevention
from trimtab.exchange.liquidity import Side
from trimtab.exchange.orders import NewOrder, TimeInForce

_SIDES: Mapping[object, Side] = {"buy": "BUY", "sell": "SELL"}
# "dc" takes the smaller of two own orders off the larger one; here the one that rests goes, as with "co".
_STP: Mapping[object, Prevention | None] = {
    None: None, "dc": None, "co": "EXPIRE_MAKER", "cn": "EXPIRE_TAKER", "cb": "EXPIRE_BOTH",
}  # fmt: skip
_FORCES = frozenset({"GTC", "IOC", "FOK"})
_NOT_THERE = ("stop", "stop_price", "stop_limit_price", "cancel_after", "max_floor")

_NUMBER = re.compile(r"-?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?", re.ASCII)

Body = Mapping[str, Any]


def new_order(body: Body, rules: Instrument, taker_fee: Decimal) -> NewOrder:
    """Read it; `rules` are those of its product, `taker_fee` is part of what `funds` has to pay.

    Raises VenueError for a value that is none, and for what is not there (stops, icebergs, good-till-time).
    """
    for name in _NOT_THERE:
        if body.get(name) is not None:
            raise invalid(name)
    side, stp, kind = _SIDES.get(_word(body, "side")), _word(body, "stp"), _word(body, "type") or "limit"
    if side is None or stp not in _STP or kind not in {"limit", "market"}:
        raise invalid("side" if side is None else "stp" if stp not in _STP else "type")
    size = _amount(body, "size")
    if size is not None and size <= 0:
        raise too_small("size", rules.step)
    if kind == "market":
        funds = _amount(body, "funds")
        if (size is None) == (funds is None) or (funds is not None and funds <= 0):
            raise invalid("size" if funds is None else "funds")
        return NewOrder(
            rules.symbol,
            side,
            "MARKET",
            _client_id(body),
            size or ZERO,
            ZERO if funds is None else (funds / (1 + taker_fee)).quantize(MIN_UNIT, rounding=ROUND_DOWN),
            prevention=_STP[stp],
        )
    price, force, post_only = _amount(body, "price"), _word(body, "time_in_force") or "GTC", _flag(body, "post_only")
    if price is None or price <= 0 or size is None:
        raise invalid("size" if size is None else "price")
    if force not in _FORCES or (post_only and force != "GTC"):
        raise invalid("post_only" if force in _FORCES else "time_in_force")
    return NewOrder(
        rules.symbol,
        side,
        "LIMIT_MAKER" if post_only else "LIMIT",
        _client_id(body),
        size,
        price=price,
        time_in_force=cast("TimeInForce", force),
        prevention=_STP[stp],
    )


def _client_id(body: Body) -> str:
    """What the client calls it. A name of another form is accepted and forgotten: nobody finds the order by it."""
    given = body.get("client_oid")
    return given if isinstance(given, str) and is_client_id(given) else f"unnamed-{uuid4()}"


def _word(body: Body, name: str) -> str | None:
    given = body.get(name)
    if given is not None and not isinstance(given, str):
        raise invalid(name)
    return given


def _amount(body: Body, name: str) -> Decimal | None:
    given = body.get(name)
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, str | int | Decimal):
        raise invalid(name)
    if isinstance(given, str) and _NUMBER.fullmatch(given) is None:  # Python reads more than these as numbers
        raise invalid(name)
    try:
        amount = Decimal(given)
    except InvalidOperation as error:
        raise invalid(name) from error
    if not amount.is_finite() or abs(amount) >= Decimal("1E+20") or amount != amount.quantize(Decimal("1E-8")):
        raise invalid(name)
    return amount


def _flag(body: Body, name: str) -> bool:
    given = body.get(name)
    if given is not None and not isinstance(given, bool):
        raise invalid(name)
    return bool(given)
