"""Coinbase's order records in trimtab's words, and back. No I/O.

Its events name orders by the venue's id alone, but for the first; who is meant is remembered from there. Fees are in
the quote currency: fills have them, events have the rate.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any
from uuid import UUID

from trimtab.adapters.venues.fields import Json, amount, text
from trimtab.domain.amounts import ZERO, plain
from trimtab.domain.errors import InvalidValueError
from trimtab.domain.orders import ChildOrder, Liquidity, OrderKind, OrderState, ParentOrder, Side
from trimtab.ports.venue import Execution, ExecutionReport, VenueTrade

# The venue's name of an asset or a product, to trimtab's.
Rename = Callable[[str], str]

_PREFIX = "tt-"
_FINEST = Decimal("1E-16")  # of what the venue charges
_KNOWN_MAX = 10_000  # orders that are remembered; a profile has at most 500 open ones on a product
_LIVE = frozenset({"pending", "active", "open", "received"})


@dataclass(slots=True)
class _Known:
    """What is remembered of an order that may still change: our name for it, and what it traded, by trade id."""

    client_order_id: str
    instrument: str
    size: Decimal | None = None
    filled: dict[str, Decimal] = field(default_factory=dict)


def client_oid(client_order_id: str) -> str:
    """Return what the venue takes as an order's name: a UUID, of the same digits.

    Raises:
        InvalidValueError: if it has not the digits of a UUID of version 4; the venue would forget another name.

    """
    digits = client_order_id.removeprefix(_PREFIX)
    try:
        name = UUID(digits)
    except ValueError:
        name = UUID(int=0)
    if name.version != 4 or digits != name.hex:
        raise InvalidValueError("client_order_id", client_order_id, "tt- and the digits of a UUID of version 4")
    return str(name)


def order_request(parent: ParentOrder, child: ChildOrder, product: str) -> dict[str, Any]:
    """Return the body of POST orders."""
    request: dict[str, Any] = {
        "client_oid": client_oid(child.client_order_id),
        "product_id": product,
        "side": parent.side.value.lower(),
        "type": "market" if child.kind is OrderKind.MARKET else "limit",
        "size": plain(child.quantity),
        "stp": "co",  # of two own orders the resting one goes, as at Binance
    }
    if child.kind is not OrderKind.MARKET:
        request["price"] = plain(child.price)
    if child.kind is OrderKind.LIMIT:
        request["time_in_force"] = child.time_in_force.value.upper()
    if child.kind is OrderKind.LIMIT_MAKER:
        request["post_only"] = True
    return request


def listed(answer: object) -> list[Any]:
    """Return an answer that has to be a list.

    Raises:
        InvalidValueError: if it is something else, which must not pass for an empty one.

    """
    if not isinstance(answer, list):
        raise InvalidValueError("answer", answer, "a list")
    return answer


class Records:
    """Reads one account's records.

    Every method raises `InvalidValueError` when the record is not what it should be: an answer that cannot be read is
    an unknown answer, never one to guess from.
    """

    def __init__(self, venue: str, account: str, symbol_of: Rename, asset_of: Rename) -> None:
        self._venue = venue
        self._account = account
        self._symbol_of = symbol_of
        self._asset_of = asset_of
        self._known: dict[str, _Known] = {}

    def order(
        self, record: Json, client_order_id: str | None = None, executions: Sequence[Execution] = ()
    ) -> ExecutionReport:
        """Read an answer to POST or GET orders.

        When `client_order_id` is given the record has to be of that order: an answer about another one is refused.
        """
        order_id, name = text(record, "id"), _name(record) or client_order_id
        if client_order_id is not None and name != client_order_id:
            raise InvalidValueError("order.client_oid", name, client_order_id)
        instrument, filled = self._symbol_of(text(record, "product_id")), amount(record, "filled_size")
        state = _state(record, filled)
        if not state.terminal:
            known = self._remember(order_id, name or order_id, instrument, record)
            known.filled.update({each.trade_id: each.quantity for each in executions})
        return ExecutionReport(
            venue=self._venue,
            account=self._account,
            instrument=instrument,
            client_order_id=name or order_id,
            venue_order_id=order_id,
            state=state,
            filled=filled,
            event_time_us=_micros(record, "done_at" if record.get("done_at") else "created_at"),
            reason=str(record.get("done_reason", "")) if state is OrderState.CANCELED else "",
            executions=tuple(executions),
        )

    def gone(
        self, instrument: str, client_order_id: str, venue_order_id: str, executions: Sequence[Execution], time_us: int
    ) -> ExecutionReport:
        """Say of an order which the venue had, and has no more, that it was cancelled, after these executions."""
        return ExecutionReport(
            venue=self._venue,
            account=self._account,
            instrument=instrument,
            client_order_id=client_order_id,
            venue_order_id=venue_order_id,
            state=OrderState.CANCELED,
            filled=sum((each.quantity for each in executions), ZERO),
            event_time_us=time_us,
            reason="the venue has it no more",
            executions=tuple(executions),
        )

    def event(self, record: Json) -> ExecutionReport | None:
        """Read a message of the user channel; None of one that says nothing of an order that is known."""
        kind = record.get("type")
        if kind == "received":
            order_id = text(record, "order_id")
            instrument = self._symbol_of(text(record, "product_id"))
            known = self._remember(order_id, _name(record) or order_id, instrument, record)
            return self._told(order_id, known, OrderState.ACCEPTED, record)
        if kind == "match":
            maker = "maker_fee_rate" in record
            order_id = text(record, "maker_order_id" if maker else "taker_order_id")
            found = self._known.get(order_id)
            if found is None:
                return None
            execution = self._matched(record, found.instrument, maker=maker)
            found.filled[execution.trade_id] = execution.quantity
            return self._told(order_id, found, OrderState.PARTIALLY_FILLED, record, (execution,))
        found = self._known.pop(text(record, "order_id"), None) if kind == "done" else None
        if found is None:
            return None
        state = OrderState.FILLED if record.get("reason") == "filled" else OrderState.CANCELED
        if found.size is not None and ("remaining_size" in record or state is OrderState.FILLED):
            # It says what was filled in all, whatever was heard of it. (A market order's end has no remaining size.)
            left = amount(record, "remaining_size") if "remaining_size" in record else ZERO
            found.filled = {"": found.size - left}
        return self._told(text(record, "order_id"), found, state, record)

    def _remember(self, order_id: str, name: str, instrument: str, record: Json) -> _Known:
        known = self._known.setdefault(order_id, _Known(name, instrument))
        known.size = amount(record, "size") if "size" in record else None
        if len(self._known) > _KNOWN_MAX:  # of some the end was never told
            del self._known[next(iter(self._known))]
        return known

    def trade(self, record: Json) -> VenueTrade:
        """Read one of fills."""
        product = text(record, "product_id")
        instrument = self._symbol_of(product)
        return VenueTrade(
            instrument=instrument,
            venue_order_id=text(record, "order_id"),
            side=_side(record),
            execution=Execution(
                trade_id=_trade_id(record),
                price=amount(record, "price"),
                quantity=amount(record, "size"),
                fee=amount(record, "fee"),
                fee_asset=instrument.partition("/")[2],
                liquidity=Liquidity.MAKER if record.get("liquidity") == "M" else Liquidity.TAKER,
                event_time_us=_micros(record, "created_at"),
            ),
        )

    def balances(self, record: Sequence[Json]) -> dict[str, Decimal]:
        """Read GET accounts: available plus held, zeros left out."""
        found = {self._asset_of(text(entry, "currency")): amount(entry, "balance") for entry in record}
        return {asset: total for asset, total in found.items() if total}

    def _matched(self, record: Json, instrument: str, *, maker: bool) -> Execution:
        price, size = amount(record, "price"), amount(record, "size")
        rate = amount(record, "maker_fee_rate" if maker else "taker_fee_rate")
        return Execution(
            trade_id=_trade_id(record),
            price=price,
            quantity=size,
            fee=(price * size * rate).quantize(_FINEST, rounding=ROUND_DOWN),
            fee_asset=instrument.partition("/")[2],
            liquidity=Liquidity.MAKER if maker else Liquidity.TAKER,
            event_time_us=_micros(record, "time"),
        )

    def _told(
        self, order_id: str, known: _Known, state: OrderState, record: Json, executions: tuple[Execution, ...] = ()
    ) -> ExecutionReport:
        return ExecutionReport(
            venue=self._venue,
            account=self._account,
            instrument=known.instrument,
            client_order_id=known.client_order_id,
            venue_order_id=order_id,
            state=state,
            filled=sum(known.filled.values(), ZERO),
            event_time_us=_micros(record, "time"),
            executions=executions,
        )


def _name(record: Json) -> str | None:
    given = record.get("client_oid")
    return f"{_PREFIX}{given.replace('-', '')}" if isinstance(given, str) and given else None


def _trade_id(record: Json) -> str:
    # Coinbase counts trades per product; with the product an id is unique in the account.
    number = record.get("trade_id")
    if isinstance(number, bool) or not isinstance(number, int):
        raise InvalidValueError("trade_id", number, "a whole number")
    return f"{text(record, 'product_id')}:{number}"


def _side(record: Json) -> Side:
    given = record.get("side")
    if given not in {"buy", "sell"}:
        raise InvalidValueError("side", given, "buy or sell")
    return Side.BUY if given == "buy" else Side.SELL


def _state(record: Json, filled: Decimal) -> OrderState:
    status = record.get("status")
    if status in _LIVE:
        return OrderState.PARTIALLY_FILLED if filled else OrderState.ACCEPTED
    if status == "done":
        return OrderState.FILLED if record.get("done_reason") == "filled" else OrderState.CANCELED
    if status == "rejected":
        return OrderState.REJECTED
    raise InvalidValueError("order.status", status, f"done, rejected or one of {sorted(_LIVE)}")


def _micros(record: Json, key: str) -> int:
    value = record.get(key)
    try:
        return round(datetime.fromisoformat(text(record, key)).timestamp() * 1_000_000)
    except ValueError:
        raise InvalidValueError(key, value, "a time such as 2014-11-07T08:19:27.028459Z") from None
