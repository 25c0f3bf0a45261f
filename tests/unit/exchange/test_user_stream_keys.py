"""What the user stream tells, key by key and type by type, against Binance's published payloads.

No recording of an account's stream is public. The keys, their order and types are those of "User Data Streams for
Binance" in binance/binance-spot-api-docs; `v` and what follows it appear only where an order met its own account's.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from trimtab.exchange.accounts import Account
from trimtab.exchange.engine import Engine
from trimtab.exchange.instruments import Instrument
from trimtab.exchange.market import Snapshot
from trimtab.exchange.orders import EngineEvent, NewOrder
from trimtab.exchange.reports import user_messages

D = Decimal
TIME_US = 1_700_000_000_123_456
REPORT: dict[str, type] = {
    "e": str, "E": int, "s": str, "c": str, "S": str, "o": str, "f": str, "q": str, "p": str,
    "P": str, "F": str, "g": int, "C": str, "x": str, "X": str, "r": str, "i": int, "l": str,
    "z": str, "L": str, "n": str, "N": str, "T": int, "t": int, "I": int, "w": bool, "m": bool,
    "M": bool, "O": int, "Z": str, "Y": str, "Q": str, "W": int, "V": str,
}  # fmt: skip
PREVENTED: dict[str, type] = {
    "v": int, "A": str, "B": str, "u": int, "U": int, "Cs": str, "pl": str, "pL": str, "pY": str,
}  # fmt: skip
DIGITS = {"q", "p", "P", "F", "l", "z", "L", "Z", "Y", "Q", "A", "B", "pl", "pL", "pY"}


def told() -> Iterator[tuple[str, dict[str, Any]]]:
    """A life of an account: money comes, orders rest, trade, expire, are cancelled and prevented."""
    engine = Engine({"BTCUSDT": Instrument("BTCUSDT", "BTC", "USDT", D("0.01"), D("0.001"))})
    account = Account("ann", D("0.001"), D("0.001"))
    engine.open_account(account, {"USDT": D(10_000), "BTC": D(20)}, TIME_US)
    engine.market(Snapshot("BTCUSDT", 1, 1, ((D(99), D(5)),), ((D(101), D(5)),)))
    numbers = iter(range(100))

    def place(side: str, kind: str, quantity: str, price: str = "0", **more: Any) -> list[EngineEvent]:
        asked = NewOrder("BTCUSDT", side, kind, f"c{next(numbers)}", D(quantity), price=D(price), **more)  # type: ignore[arg-type]
        return engine.place("ann", asked, TIME_US)[1]

    events: list[EngineEvent] = [engine.transfer("ann", "USDT", D(5), TIME_US)]
    events += place("SELL", "LIMIT", "2", "100")
    events += place("BUY", "LIMIT", "3", "101", prevention="EXPIRE_TAKER")
    events += place("SELL", "LIMIT", "1", "99", time_in_force="IOC")
    events += place("SELL", "LIMIT", "9", "99", time_in_force="IOC")
    events += place("BUY", "MARKET", "0.5")
    events += place("BUY", "LIMIT_MAKER", "1", "90")
    events += engine.cancel("ann", "BTCUSDT", None, "c5", "over", TIME_US)[1]
    yield from user_messages(events)


MESSAGES = [message for _, message in told()]


def test_reports_have_the_published_keys_in_their_order_and_their_types() -> None:
    reports = [message for message in MESSAGES if message["e"] == "executionReport"]
    assert {report["x"] for report in reports} == {"NEW", "TRADE", "EXPIRED", "CANCELED", "TRADE_PREVENTION"}
    for report in reports:
        keys = REPORT | (PREVENTED if report["x"] == "TRADE_PREVENTION" else {})
        assert list(report) == list(keys)
        for key, value in report.items():
            assert type(value) is keys[key] or (key == "N" and value is None), (key, value)
            if key in DIGITS:
                assert len(value.partition(".")[2]) == 8, (key, value)
        traded = report["x"] == "TRADE"
        assert (report["t"] >= 0, report["N"] is not None, report["n"] != "0") == (traded, traded, traded)
        assert report["E"] == report["T"] == TIME_US // 1_000  # milliseconds


def test_a_cancellation_names_the_order_that_it_took_back() -> None:
    (report,) = (message for message in MESSAGES if message.get("x") == "CANCELED")
    assert (report["c"], report["C"], report["X"]) == ("over", "c5", "CANCELED")


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("outboundAccountPosition", {"e": str, "E": int, "u": int, "B": list}),
        ("balanceUpdate", {"e": str, "E": int, "a": str, "d": str, "T": int}),
    ],
)
def test_balances_have_the_published_keys_in_their_order_and_their_types(kind: str, keys: dict[str, type]) -> None:
    messages = [message for message in MESSAGES if message["e"] == kind]
    assert messages
    for message in messages:
        assert {key: type(value) for key, value in message.items()} == keys
        assert list(message) == list(keys)
        for balance in message.get("B", ()):
            assert {key: type(value) for key, value in balance.items()} == {"a": str, "f": str, "l": str}
            assert all(len(balance[key].partition(".")[2]) == 8 for key in ("f", "l"))
