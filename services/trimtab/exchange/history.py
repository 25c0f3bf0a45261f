"""Everything accounts did: orders, executions and transfers, found by the ids and times that clients ask by."""

from collections import defaultdict
from dataclasses import dataclass, replace
from decimal import Decimal

from trimtab.exchange.orders import BalanceChange, Execution, Order, PreventedMatch


@dataclass(frozen=True, slots=True)
class Transfer:
    """A deposit (positive amount) or withdrawal (negative), in units of the asset."""

    transfer_id: int
    account: str
    asset: str
    amount: Decimal
    time_us: int


class History:
    """Orders, executions and transfers of all accounts. Order and trade ids count from `first_id` per symbol."""

    def __init__(self, first_id: int = 1) -> None:
        self.transfers: list[Transfer] = []
        self._orders: defaultdict[tuple[str, str], dict[int, Order]] = defaultdict(dict)
        self._executions: defaultdict[tuple[str, str], list[Execution]] = defaultdict(list)
        self._prevented: defaultdict[tuple[str, str], list[PreventedMatch]] = defaultdict(list)
        self._by_client_id: dict[tuple[str, str, str], Order] = {}
        self._open: defaultdict[tuple[str, str], dict[int, Order]] = defaultdict(dict)
        self._last_order_id: defaultdict[str, int] = defaultdict(lambda: first_id - 1)
        self._last_trade_id: defaultdict[str, int] = defaultdict(lambda: first_id - 1)
        self._next_match_id: defaultdict[str, int] = defaultdict(int)

    def next_order_id(self, symbol: str) -> int:
        """A fresh order id."""
        self._last_order_id[symbol] += 1
        return self._last_order_id[symbol]

    def next_trade_id(self, symbol: str) -> int:
        """A fresh trade id."""
        self._last_trade_id[symbol] += 1
        return self._last_trade_id[symbol]

    def next_match_id(self, symbol: str) -> int:
        """A fresh id of a prevented match."""
        self._next_match_id[symbol] += 1
        return self._next_match_id[symbol] - 1

    def accepted(self, order: Order) -> None:
        """Keep a new order. It becomes the one its client id names."""
        key = order.account, order.symbol
        self._orders[key][order.order_id] = order
        self._open[key][order.order_id] = order
        self._by_client_id[(*key, order.client_order_id)] = order

    def executed(self, execution: Execution) -> None:
        """Keep a fill."""
        self._executions[execution.account, execution.symbol].append(execution)

    def prevented(self, match: PreventedMatch) -> None:
        """Keep a match that was prevented."""
        self._prevented[match.account, match.symbol].append(match)

    def transferred(self, change: BalanceChange) -> None:
        """Keep a deposit or withdrawal."""
        identity = len(self.transfers) + 1
        self.transfers.append(Transfer(identity, change.account, change.asset, change.delta_free, change.time_us))

    def copied(self) -> "History":
        """It as it is now, whatever happens from here on; for questions only."""
        other = History()
        for orders in self._orders.values():
            for order in orders.values():
                other.accepted(replace(order))
        for key, executions in self._executions.items():
            other._executions[key] = list(executions)
        for key, matches in self._prevented.items():
            other._prevented[key] = list(matches)
        other.transfers = list(self.transfers)
        return other

    def find(self, account: str, symbol: str, order_id: int | None, client_order_id: str | None) -> Order | None:
        """An order by its id, else the latest one with this client id."""
        if order_id is not None:
            found = self._orders[account, symbol].get(order_id)
            if found is None or client_order_id in {None, found.client_order_id}:
                return found
            return None
        return self._by_client_id.get((account, symbol, client_order_id or ""))

    def find_open(self, account: str, symbol: str, client_order_id: str) -> Order | None:
        """The open order with this client id."""
        found = self._by_client_id.get((account, symbol, client_order_id))
        return found if found is not None and found.is_open else None

    def open_count(self, account: str, symbol: str) -> int:
        """How many orders of an account are open on a symbol."""
        return len(self.open_orders(account, symbol))

    def open_orders(self, account: str, symbol: str | None = None) -> list[Order]:
        """Open orders, oldest first; of all symbols if None."""
        keys = [key for key in self._open if key[0] == account and symbol in {None, key[1]}]
        for key in keys:
            for closed in [number for number, order in self._open[key].items() if not order.is_open]:
                del self._open[key][closed]
        found = [order for key in keys for order in self._open[key].values()]
        return sorted(found, key=lambda order: (order.created_us, order.symbol, order.order_id))

    def orders(self, account: str, symbol: str) -> list[Order]:
        """All orders of an account on a symbol, by id."""
        return list(self._orders[account, symbol].values())

    def executions(self, account: str, symbol: str) -> list[Execution]:
        """All fills of an account on a symbol, by trade id."""
        return self._executions[account, symbol]

    def prevented_matches(self, account: str, symbol: str) -> list[PreventedMatch]:
        """All matches of an account with itself that were prevented on a symbol, by id."""
        return self._prevented[account, symbol]
