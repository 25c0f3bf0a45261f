"""Request parameters, read strictly and refused in Binance's words."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from trimtab.exchange import errors
from trimtab.exchange.book import ZERO
from trimtab.exchange.errors import VenueError
from trimtab.exchange.liquidity import Side
from trimtab.exchange.orders import NewOrder, TimeInForce

_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
_INTEGER = re.compile(r"[0-9]{1,19}")
_CLIENT_ID = re.compile(r"[a-zA-Z0-9\-_.:/]{1,36}")
_DECIMALS_MAX = 8


def fresh_client_id() -> str:
    """A client order id for a client that sent none."""
    return secrets.token_urlsafe(16)


@dataclass(frozen=True, slots=True)
class Params:
    """One request's parameters, by name."""

    values: Mapping[str, str]

    def text(self, name: str) -> str | None:
        """A parameter, None if absent or empty."""
        return self.values.get(name) or None

    def needed(self, name: str) -> str:
        """A mandatory parameter.

        Raises VenueError -1102.
        """
        value = self.text(name)
        if value is None:
            raise errors.mandatory(name)
        return value

    def integer(self, name: str) -> int | None:
        """A whole number, None if absent.

        Raises VenueError -1100.
        """
        value = self.text(name)
        if value is None:
            return None
        if not _INTEGER.fullmatch(value):
            raise errors.illegal_characters(name, "^[0-9]{1,20}$")
        return int(value)

    def limit(self, default: int, largest: int) -> int:
        """The `limit` of a list.

        Raises VenueError -1130 at zero.
        """
        found = self.integer("limit")
        if found == 0:
            raise VenueError(-1130, "Data sent for parameter 'limit' is not valid.")
        return min(default if found is None else found, largest)

    def decimal(self, name: str) -> Decimal | None:
        """A positive amount, None if absent.

        Raises VenueError -1100 (not a number), -1111 (more than 8 decimals) or -1013 (zero).
        """
        value = self.text(name)
        if value is None:
            return None
        if not _NUMBER.fullmatch(value):
            raise errors.illegal_characters(name, "^([0-9]{1,20})(\\.[0-9]{1,20})?$")
        if len(value.partition(".")[2].rstrip("0")) > _DECIMALS_MAX:
            raise errors.too_precise(name)
        amount = Decimal(value)
        if not amount:
            raise VenueError(-1013, f"Invalid {name}.")
        return amount

    def client_id(self, name: str) -> str | None:
        """A client order id, None if absent.

        Raises VenueError -1100.
        """
        value = self.text(name)
        if value is not None and not _CLIENT_ID.fullmatch(value):
            raise errors.illegal_characters(name, "^[a-zA-Z0-9-_.:/]{1,36}$")
        return value

    def order_ids(self) -> tuple[int | None, str | None]:
        """`orderId` and `origClientOrderId`, at least one of them.

        Raises VenueError -1102 without either.
        """
        order_id, client_id = self.integer("orderId"), self.text("origClientOrderId")
        if order_id is None and client_id is None:
            raise errors.either_mandatory("origClientOrderId", "orderId")
        return order_id, client_id


def new_order(params: Params) -> NewOrder:
    """The order a POST /api/v3/order asks for.

    Raises VenueError -1102, -1106, -1100, -1111, -1115, -1116, -1117 or -1013.
    """
    symbol, side, kind = params.needed("symbol"), params.needed("side"), params.needed("type")
    if side not in {"BUY", "SELL"}:
        raise VenueError(-1117, "Invalid side.")
    client_id = params.client_id("newClientOrderId") or fresh_client_id()
    if kind == "MARKET":
        return _market_order(params, symbol, cast("Side", side), client_id)
    if kind not in {"LIMIT", "LIMIT_MAKER"}:
        raise VenueError(-1116, "Invalid orderType.")
    force = params.text("timeInForce")
    if kind == "LIMIT" and force is None:
        raise errors.mandatory("timeInForce")
    if kind == "LIMIT_MAKER" and force is not None:
        raise errors.not_required("timeInForce")
    if force not in {"GTC", "IOC", "FOK", None}:
        raise VenueError(-1115, "Invalid timeInForce.")
    if params.text("quoteOrderQty") is not None:
        raise errors.not_required("quoteOrderQty")
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
        time_in_force=cast("TimeInForce", force or "GTC"),
    )


def _market_order(params: Params, symbol: str, side: Side, client_id: str) -> NewOrder:
    for name in ("price", "timeInForce"):
        if params.text(name) is not None:
            raise errors.not_required(name)
    quantity, quote_quantity = params.decimal("quantity"), params.decimal("quoteOrderQty")
    if quantity is None and quote_quantity is None:
        raise errors.either_mandatory("quantity", "quoteOrderQty")
    if quantity is not None and quote_quantity is not None:
        raise VenueError(-1128, "Combination of optional parameters invalid.")
    return NewOrder(symbol, side, "MARKET", client_id, quantity or ZERO, quote_quantity or ZERO)
