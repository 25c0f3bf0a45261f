"""Coinbase's JSON of one's own account: orders, fills, balances. Amounts have 8 decimals, sums of money 16."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from trimtab.exchange.book import ZERO
from trimtab.exchange.coinbase.names import Names, fixed, is_client_id, iso, named
from trimtab.exchange.instruments import Prevention
from trimtab.exchange.orders import Execution, NewOrder, Order
from trimtab.exchange.venue import Venue

Json = dict[str, Any]

_FINE = 16  # decimals of balances, fees and values
_STP: Mapping[Prevention, str] = {"EXPIRE_MAKER": "co", "EXPIRE_TAKER": "cn", "EXPIRE_BOTH": "cb", "NONE": "none"}


def profile_id(account: str) -> str:
    """The profile that an account is."""
    return named("profile", account)


def user_id(account: str) -> str:
    """The user behind an account."""
    return named("user", account)


class Wire:
    """Puts what a venue knows of accounts into JSON."""

    def __init__(self, venue: Venue, names: Names) -> None:
        self._venue = venue
        self.names = names

    def order(self, order: Order) -> Json:
        """An order as it is."""
        fees = sum((fill.fee for fill in self._fills(order)), ZERO)
        state: Json = {"status": "open", "settled": False}
        if not order.is_open:
            reason = "filled" if order.status == "FILLED" else "canceled"
            state = {"status": "done", "settled": True, "done_reason": reason, "done_at": iso(order.updated_us)}
        return self._accepted(order) | _filled(order.executed, order.executed_quote, fees) | state

    def pending(self, order: Order) -> Json:
        """An order as the answer to its placing has it: received, and nothing known of what becomes of it."""
        return self._accepted(order) | _filled(ZERO, ZERO, ZERO) | {"status": "pending", "settled": False}

    def rejected(self, account: str, new: NewOrder, time_us: int) -> Json:
        """The answer to a post-only order that would have taken."""
        return {
            "id": named("rejected", account, new.client_order_id, time_us),
            "price": fixed(new.price),
            "size": fixed(new.quantity),
            "product_id": self.names.product(new.symbol),
            "profile_id": profile_id(account),
            "side": new.side.lower(),
            "type": "limit",
            "time_in_force": "GTC",
            "post_only": True,
            "created_at": iso(time_us),
            "reject_reason": "post only",
            **_filled(ZERO, ZERO, ZERO),
            "status": "rejected",
            "settled": False,
        }

    def fill(self, fill: Execution) -> Json:
        """One of the fills."""
        return {
            "trade_id": fill.trade_id,
            "product_id": self.names.product(fill.symbol),
            "order_id": self.names.order_id(fill.symbol, fill.order_id),
            "user_id": user_id(fill.account),
            "profile_id": profile_id(fill.account),
            "liquidity": "M" if fill.maker else "T",
            "price": fixed(fill.price),
            "size": fixed(fill.quantity),
            "fee": fixed(fill.fee, _FINE),
            "created_at": iso(fill.time_us),
            "side": fill.side.lower(),
            "settled": True,
            "usd_volume": fixed(fill.quote_quantity, _FINE),
            "market_type": "spot",
            "funding_currency": fill.fee_asset,
        }

    def balances(self, account: str) -> list[Json]:
        """One entry an asset that can be held, zeros as well."""
        held = self._venue.reads.account(account).balances
        listed = self._venue.engine.instruments.values()
        assets = {*held, *(rules.base for rules in listed), *(rules.quote for rules in listed)}
        return [self._balance(account, asset) for asset in sorted(assets)]

    def _balance(self, account: str, asset: str) -> Json:
        found = self._venue.reads.account(account).balances.get(asset)
        free, locked = (found.free, found.locked) if found is not None else (ZERO, ZERO)
        return {
            "id": named("account", account, asset),
            "currency": asset,
            "balance": fixed(free + locked, _FINE),
            "hold": fixed(locked, _FINE),
            "available": fixed(free, _FINE),
            "profile_id": profile_id(account),
            "trading_enabled": True,
            "pending_deposit": fixed(ZERO, _FINE),
            "display_name": asset,
        }

    def _accepted(self, order: Order) -> Json:
        found: Json = {
            "id": self.names.order_id(order.symbol, order.order_id),
            "size": fixed(order.quantity),
            "product_id": self.names.product(order.symbol),
            "profile_id": profile_id(order.account),
            "side": order.side.lower(),
            "type": "market" if order.type == "MARKET" else "limit",
            "post_only": order.type == "LIMIT_MAKER",
            "stp": _STP[order.prevention],
            "created_at": iso(order.created_us),
            "market_type": "spot",
        }
        if order.type != "MARKET":
            found |= {"price": fixed(order.price), "time_in_force": order.time_in_force}
        if order.quote_quantity:
            found["funds"] = fixed(order.quote_quantity, _FINE)
        if is_client_id(order.client_order_id):
            found["client_oid"] = order.client_order_id
        return found

    def _fills(self, order: Order) -> list[Execution]:
        fills = self._venue.reads.history.executions(order.account, order.symbol)
        return [fill for fill in fills if fill.order_id == order.order_id]


def _filled(size: Decimal, value: Decimal, fees: Decimal) -> Json:
    return {"fill_fees": fixed(fees, _FINE), "filled_size": fixed(size), "executed_value": fixed(value, _FINE)}
