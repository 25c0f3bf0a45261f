"""Binance's order records in trimtab's words, and back. Pure.

Quantities and prices go out digit for digit as the ledger has them, never through floats or a second rounding.
Executions are taken from trades alone: the fees of an order's own record are wrong from its second fill on.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal

from trimtab.adapters.venues.fields import Json, amount, flag, rows, text, whole
from trimtab.domain.amounts import ZERO, plain
from trimtab.domain.errors import InvalidValueError
from trimtab.domain.orders import ChildOrder, Liquidity, OrderKind, OrderState, ParentOrder, Side
from trimtab.ports.venue import Execution, ExecutionReport, VenueTrade

# The venue's name of an asset or a symbol, to trimtab's.
Rename = Callable[[str], str]

_STATES = {
    "PENDING_NEW": OrderState.ACCEPTED,
    "NEW": OrderState.ACCEPTED,
    "PENDING_CANCEL": OrderState.ACCEPTED,
    "PARTIALLY_FILLED": OrderState.PARTIALLY_FILLED,
    "FILLED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELED,
    "REJECTED": OrderState.REJECTED,
    "EXPIRED": OrderState.EXPIRED,
    "EXPIRED_IN_MATCH": OrderState.EXPIRED,
}
_KINDS = {OrderKind.LIMIT: "LIMIT", OrderKind.LIMIT_MAKER: "LIMIT_MAKER", OrderKind.MARKET: "MARKET"}


def order_request(parent: ParentOrder, child: ChildOrder, symbol_id: str, recv_window_ms: int) -> dict[str, str | int]:
    """Return the parameters of POST order; `timestamp` is the one committed with the intent."""
    request: dict[str, str | int] = {
        "symbol": symbol_id,
        "side": parent.side.value.upper(),
        "type": _KINDS[child.kind],
        "quantity": plain(child.quantity),
        "newClientOrderId": child.client_order_id,
        "newOrderRespType": "FULL",
        "recvWindow": recv_window_ms,
        "timestamp": child.request_time_ms,
    }
    if child.kind is not OrderKind.MARKET:
        request["price"] = plain(child.price)
    if child.kind is OrderKind.LIMIT:
        request["timeInForce"] = child.time_in_force.value.upper()
    return request


class Records:
    """Reads one account's records.

    Every method raises `InvalidValueError` when the record is not what it should be: an answer that cannot be read is
    no answer.
    """

    def __init__(self, venue: str, account: str, symbol_of: Rename, asset_of: Rename) -> None:
        self._venue = venue
        self._account = account
        self._symbol_of = symbol_of
        self._asset_of = asset_of

    def order(
        self, record: Json, client_order_id: str | None = None, executions: Sequence[Execution] = ()
    ) -> ExecutionReport:
        """Read an answer to POST, GET or DELETE order, or one of openOrders.

        When `client_order_id` is given the record has to be of that order: an answer about another one is refused.
        """
        # A cancel has an id of its own and names the order's as the original.
        found = text(record, "origClientOrderId" if "origClientOrderId" in record else "clientOrderId")
        if client_order_id is not None and found != client_order_id:
            raise InvalidValueError("order.clientOrderId", found, client_order_id)
        time_ms = record.get("transactTime", record.get("updateTime", record.get("time")))
        return ExecutionReport(
            venue=self._venue,
            account=self._account,
            instrument=self._symbol_of(text(record, "symbol")),
            client_order_id=found,
            venue_order_id=str(whole(record, "orderId")),
            state=_state(record, "status"),
            filled=amount(record, "executedQty"),
            event_time_us=_micros("order.transactTime", time_ms),
            executions=tuple(executions) or self._fills(record, time_ms),
        )

    def event(self, record: Json) -> ExecutionReport:
        """Read an `executionReport` of the user stream."""
        # "c" is the id of the last request: of a cancel after a cancel, and then "C" has the order's own.
        original = record.get("C")
        reason = record.get("r", "NONE")
        return ExecutionReport(
            venue=self._venue,
            account=self._account,
            instrument=self._symbol_of(text(record, "s")),
            client_order_id=original if original and original != "null" else text(record, "c"),
            venue_order_id=str(whole(record, "i")),
            state=_state(record, "X"),
            filled=amount(record, "z"),
            event_time_us=_micros("executionReport.T", record.get("T")),
            reason="" if reason == "NONE" else str(reason),
            executions=(self._stream_execution(record),) if record.get("x") == "TRADE" else (),
        )

    def trade(self, record: Json) -> VenueTrade:
        """Read one of myTrades."""
        return VenueTrade(
            instrument=self._symbol_of(text(record, "symbol")),
            venue_order_id=str(whole(record, "orderId")),
            side=Side.BUY if flag(record, "isBuyer") else Side.SELL,
            execution=Execution(
                trade_id=_trade_id(record, "symbol", "id"),
                price=amount(record, "price"),
                quantity=amount(record, "qty"),
                fee=amount(record, "commission"),
                fee_asset=self._asset_of(text(record, "commissionAsset")),
                liquidity=Liquidity.MAKER if flag(record, "isMaker") else Liquidity.TAKER,
                event_time_us=_micros("trade.time", record.get("time")),
            ),
        )

    def balances(self, record: Json) -> dict[str, Decimal]:
        """Read GET account: free plus locked, zeros left out."""
        found = {}
        for entry in rows(record, "balances"):
            total = amount(entry, "free") + amount(entry, "locked")
            if total:
                found[self._asset_of(text(entry, "asset"))] = total
        return found

    def _fills(self, record: Json, time_ms: object) -> tuple[Execution, ...]:
        # Only the answer to a placement carries fills, and what fills at once has taken.
        symbol_id = text(record, "symbol")
        return tuple(
            Execution(
                trade_id=f"{symbol_id}:{whole(fill, 'tradeId')}",
                price=amount(fill, "price"),
                quantity=amount(fill, "qty"),
                fee=amount(fill, "commission"),
                fee_asset=self._asset_of(text(fill, "commissionAsset")),
                liquidity=Liquidity.TAKER,
                event_time_us=_micros("order.transactTime", time_ms),
            )
            for fill in record.get("fills", ())
        )

    def _stream_execution(self, record: Json) -> Execution:
        fee_asset = record.get("N")
        return Execution(
            trade_id=_trade_id(record, "s", "t"),
            price=amount(record, "L"),
            quantity=amount(record, "l"),
            fee=amount(record, "n") if fee_asset else ZERO,
            fee_asset=self._asset_of(str(fee_asset)) if fee_asset else "",
            liquidity=Liquidity.MAKER if flag(record, "m") else Liquidity.TAKER,
            event_time_us=_micros("executionReport.T", record.get("T")),
        )


def _trade_id(record: Json, symbol: str, number: str) -> str:
    # Binance counts trades per symbol; with the symbol an id is unique in the account.
    return f"{text(record, symbol)}:{whole(record, number)}"


def _state(record: Json, key: str) -> OrderState:
    state = _STATES.get(record.get(key, ""))
    if state is None:
        raise InvalidValueError(key, record.get(key), f"one of {sorted(_STATES)}")
    return state


def _micros(path: str, time_ms: object) -> int:
    if isinstance(time_ms, bool) or not isinstance(time_ms, int) or time_ms <= 0:
        raise InvalidValueError(path, time_ms, "milliseconds since 1970")
    return time_ms * 1_000
