"""The exchange's journal: what it accepted and executed, in order, one JSON object a line, only ever appended to.

Every line has `n` (1, 2, 3 ...), `kind`, `wall_us` and `market_us`. A line is on its way to the disk before the answer
that it is about leaves. Kinds:

- `opened`: the exchange's start, with its symbols and market;
- `account`: an account's name and terms (never its secret);
- `request`: an accepted request, as asked; `rejected`: a refused one, with code and text; `by_hand`: past the API;
- `redenomination`: an asset's units were multiplied by `ratio`;
- `order`: an order's state after a report; `execution`: one fill; `balance`: one balance after a change;
- `fault`: a fault that struck, and what it struck; `fault_over`: the end of one that lasted;
- `limited`: a request that was turned away, whose, and what it asked.

`read_journal` gives it all back: the oracle of reliability tests.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from trimtab.exchange.orders import BalanceChange, EngineEvent, Execution, NewOrder, Order


class JournalError(Exception):
    """A journal that cannot be written to or read; the message names file and line."""


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    raise TypeError(f"{type(value).__name__} has no place in the journal")


class Journal:
    """The writing end. `wall_us` gives the wall clock in microseconds.

    Raises JournalError if the file already holds something: one journal is one run.

    Attributes:
        lost: why it could not be written on, once that has happened; else empty.
        on_lost: called then. An exchange that goes on without its journal is nobody's oracle.

    """

    def __init__(self, path: Path, wall_us: Callable[[], int]) -> None:
        self.path = path
        self.lost = ""
        self.on_lost: Callable[[], object] = lambda: None
        self.counts: dict[str, int] = {}
        self._wall_us = wall_us
        self._number = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_file() and path.stat().st_size:
                raise JournalError(f"{path}: holds the journal of another run; give a new file or remove it")
            self._stream: BinaryIO = path.open("ab", buffering=1 << 16)
        except OSError as error:
            raise JournalError(f"{path}: {error.strerror}; needed: a file that can be written") from error

    def write(self, kind: str, market_us: int, **entries: object) -> None:
        """Append one line; `flush` sends it off."""
        line = {"n": self._number + 1, "kind": kind, "wall_us": self._wall_us(), "market_us": market_us, **entries}
        text = orjson.dumps(line, default=_plain)
        # Only a line that can be written counts: a number left out makes a journal that nobody can read.
        self._number += 1
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self._hand_over(lambda: self._stream.write(text + b"\n"))

    def record(self, event: EngineEvent) -> None:
        """Append what the engine reports."""
        if isinstance(event, BalanceChange):
            self.write("balance", event.time_us, **entries(event))
            return
        caused = event.client_order_id
        self.write("order", event.time_us, report=event.kind, caused_by=caused, **entries(event.order))
        if event.execution is not None:
            self.write("execution", event.time_us, **entries(event.execution))

    def flush(self) -> None:
        """Hand all lines to the operating system: they outlive this process.

        Raises JournalError if it takes them no more.
        """
        self._hand_over(self._stream.flush)

    def close(self) -> None:
        """Flush and close."""
        try:
            self._stream.close()
        except OSError:
            if not self.lost:
                raise

    def _hand_over(self, written: Callable[[], object]) -> None:
        try:
            written()
        except OSError as error:
            self.lost = f"{self.path}: {error.strerror}; needed: a journal that can be written on"
            self.on_lost()
            raise JournalError(self.lost) from error


def entries(value: BalanceChange | Execution | NewOrder | Order) -> dict[str, Any]:
    """What stands in a record, by name; its values are plain, so nothing has to be copied."""
    return {name: getattr(value, name) for name in _NAMES[type(value).__name__]}


_NAMES = {
    kind.__name__: tuple(entry.name for entry in fields(kind)) for kind in (BalanceChange, Execution, NewOrder, Order)
}


@dataclass(slots=True)
class JournalContents:
    """A journal, read: the exchange's own truth.

    `orders` hold the last state by (account, symbol, order id); `executions` are in order; `balances` are
    (free, locked) by account and asset after the last change; `transfers` are deposits and withdrawals,
    `conversions` dust that was converted and units that a redenomination gave or took; `by_hand` are orders (account,
    symbol, order id) that a person placed past the API; `faults`, `faults_over`, `requests`, `rejected` and `limited`
    are the lines as written.
    """

    accounts: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    orders: dict[tuple[str, str, int], Order] = field(default_factory=dict)
    executions: list[Execution] = field(default_factory=list)
    balances: dict[str, dict[str, tuple[Decimal, Decimal]]] = field(default_factory=dict)
    transfers: list[BalanceChange] = field(default_factory=list)
    conversions: list[BalanceChange] = field(default_factory=list)
    by_hand: set[tuple[str, str, int]] = field(default_factory=set)
    faults: list[Mapping[str, Any]] = field(default_factory=list)
    faults_over: list[Mapping[str, Any]] = field(default_factory=list)
    requests: list[Mapping[str, Any]] = field(default_factory=list)
    rejected: list[Mapping[str, Any]] = field(default_factory=list)
    limited: list[Mapping[str, Any]] = field(default_factory=list)

    def executions_of(self, account: str) -> list[Execution]:
        """One account's fills, in order."""
        return [execution for execution in self.executions if execution.account == account]

    def orders_of(self, account: str, client_order_id: str) -> list[Order]:
        """Every order an account placed under a client id: more than one if the id was used again."""
        found = self.orders.values()
        return [order for order in found if (order.account, order.client_order_id) == (account, client_order_id)]


def read_journal(path: Path) -> JournalContents:
    """Read a whole journal. A last line that was cut off by a kill is left out.

    Raises JournalError at a line that is no journal line, or out of order.
    """
    contents = JournalContents()
    for line in _lines(path):
        _take(contents, line)
    return contents


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise JournalError(f"{path}: {error.strerror}") from error
    for number, text in enumerate(raw.split(b"\n")[:-1], 1):
        try:
            line = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise JournalError(f"{path}:{number}: {error}") from error
        if not isinstance(line, dict) or line.get("n") != number or "kind" not in line:
            raise JournalError(f"{path}:{number}: not line {number} of a journal")
        yield line


def _take(contents: JournalContents, line: dict[str, Any]) -> None:
    kind = line["kind"]
    if kind == "order":
        order = _order(line)
        contents.orders[order.account, order.symbol, order.order_id] = order
    elif kind == "execution":
        contents.executions.append(_execution(line))
    elif kind == "balance":
        change = _balance(line)
        contents.balances.setdefault(change.account, {})[change.asset] = change.free, change.locked
        if change.reason in {"deposit", "withdrawal"}:
            contents.transfers.append(change)
        elif change.reason in {"dust", "redenomination"}:
            contents.conversions.append(change)
    elif kind == "account":
        contents.accounts[line["account"]] = line
    elif kind == "fault":
        contents.faults.append(line)
    elif kind == "fault_over":
        contents.faults_over.append(line)
    elif kind == "request":
        contents.requests.append(line)
        if line.get("by_hand") and line["method"] == "order.place":
            contents.by_hand.add((line["account"], line["symbol"], line["order_id"]))
    elif kind == "rejected":
        contents.rejected.append(line)
    elif kind == "limited":
        contents.limited.append(line)


def _read(line: Mapping[str, Any], kind: type[Any]) -> dict[str, Any]:
    return {f.name: Decimal(line[f.name]) if f.type is Decimal else line[f.name] for f in fields(kind)}


def _order(line: Mapping[str, Any]) -> Order:
    return Order(**_read(line, Order))


def _execution(line: Mapping[str, Any]) -> Execution:
    return Execution(**_read(line, Execution))


def _balance(line: Mapping[str, Any]) -> BalanceChange:
    return BalanceChange(**_read(line, BalanceChange))
