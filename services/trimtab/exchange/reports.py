"""What the user stream tells an account, as Binance writes it: orders, balances, transfers. Times are milliseconds."""

from collections.abc import Iterable, Mapping
from typing import Any

from trimtab.exchange.filters import fixed
from trimtab.exchange.orders import BalanceChange, EngineEvent, Order, PreventedMatch, Report
from trimtab.exchange.wire import NO_GROUP

Json = dict[str, Any]


def execution_report(report: Report) -> Json:
    """A user stream executionReport."""
    order, fill = report.order, report.execution
    cancelled = report.kind == "CANCELED"
    moment = report.time_us // 1000
    return {
        "e": "executionReport",
        "E": moment,
        "s": order.symbol,
        "c": report.client_order_id,
        "S": order.side,
        "o": order.type,
        "f": order.time_in_force,
        "q": fixed(order.quantity),
        "p": fixed(order.price),
        "P": "0.00000000",
        "F": "0.00000000",
        "g": -1,
        "C": order.client_order_id if cancelled else "",
        "x": report.kind,
        "X": order.status,
        "r": "NONE",
        "i": order.order_id,
        "l": fixed(fill.quantity) if fill else "0.00000000",
        "z": fixed(order.executed),
        "L": fixed(fill.price) if fill else "0.00000000",
        "n": fixed(fill.fee) if fill else "0",
        "N": fill.fee_asset if fill else None,
        "T": moment,
        "t": fill.trade_id if fill else -1,
        "I": order.order_id,
        "w": order.is_open,
        "m": fill.maker if fill else False,
        "M": fill is not None,
        "O": order.created_us // 1000,
        "Z": fixed(order.executed_quote),
        "Y": fixed(fill.quote_quantity) if fill else "0.00000000",
        "Q": fixed(order.quote_quantity),
        "W": order.created_us // 1000,
        "V": order.prevention,
        **(_prevention(order, report.prevented) if report.prevented else {}),
    }


def _prevention(order: Order, match: PreventedMatch) -> Json:
    """What an executionReport says besides of an order that expired instead of meeting its own account's."""
    taker = order.order_id == match.taker_order_id
    return {
        "v": match.match_id,
        "A": fixed(order.prevented),
        "B": fixed(order.prevented),
        "u": NO_GROUP,
        "U": match.maker_order_id if taker else match.taker_order_id,
        "Cs": match.symbol,
        "pl": fixed(match.quantity),
        "pL": fixed(match.price),
        "pY": fixed(match.price * match.quantity),
    }


def account_position(changes: Mapping[str, BalanceChange], time_us: int) -> Json:
    """A user stream outboundAccountPosition of the assets that changed."""
    return {
        "e": "outboundAccountPosition",
        "E": time_us // 1000,
        "u": time_us // 1000,
        "B": [
            {"a": asset, "f": fixed(change.free), "l": fixed(change.locked)}
            for asset, change in sorted(changes.items())
        ],
    }


def balance_update(change: BalanceChange) -> Json:
    """A user stream balanceUpdate: a deposit or withdrawal."""
    moment = change.time_us // 1000
    return {"e": "balanceUpdate", "E": moment, "a": change.asset, "d": fixed(change.delta_free), "T": moment}


def user_messages(events: Iterable[EngineEvent]) -> Iterable[tuple[str, Json]]:
    """User stream messages: each report, then the balances that changed with it."""
    positions: dict[str, dict[str, BalanceChange]] = {}
    for event in events:
        if isinstance(event, Report):
            yield from _positions(positions)
            positions = {}
            yield event.order.account, execution_report(event)
        else:
            if event.reason in {"deposit", "withdrawal"}:
                yield event.account, balance_update(event)
            positions.setdefault(event.account, {})[event.asset] = event
    yield from _positions(positions)


def _positions(positions: Mapping[str, Mapping[str, BalanceChange]]) -> Iterable[tuple[str, Json]]:
    for account, changes in positions.items():
        moment = max(change.time_us for change in changes.values())
        yield account, account_position(changes, moment)
