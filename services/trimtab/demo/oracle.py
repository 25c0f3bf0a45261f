"""The exchange's own journal held against ledger and topic: was an order doubled, was a fill lost."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from trimtab.exchange.journal import JournalContents
from trimtab.exchange.orders import Order


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the venue executed, what the ledger and the topic have of it.

    `doubled_orders`: client order ids that the venue accepted more than once, and parents of which it executed more
    than the signal asked for, under whatever ids. `lost_fills`: executions of the venue that are missing in the ledger
    or on the topic. `invented_fills`: the other way round.
    """

    venue_trades: int
    ledger_trades: int
    doubled_orders: int
    lost_fills: int
    invented_fills: int
    repeated_fills: int
    ledger_equals_venue: bool
    differences: tuple[str, ...]

    @property
    def holds(self) -> bool:
        wrong = self.doubled_orders + self.lost_fills + self.invented_fills + self.repeated_fills
        return wrong == 0 and self.ledger_equals_venue


TradeKey = tuple[str, str]  # account, trade id as trimtab writes it
Asked = Mapping[str, tuple[str, Decimal]]  # client order id -> its parent, and the quantity (base) asked of that one


def judge(
    journal: JournalContents,
    ledger_trades: Iterable[TradeKey],
    topic_trades: Iterable[TradeKey],
    ledger_sums: Mapping[str, Mapping[str, Decimal]],
    asked: Asked,
) -> Verdict:
    """Compare; `ledger_sums` are by account and asset over all holders, and name the accounts that count."""
    accounts = set(ledger_sums)
    # What a person traded past the API is nobody's order here: it shows up in the balances.
    ours = [e for e in journal.executions if (e.account, e.symbol, e.order_id) not in journal.by_hand]
    at_venue = {(e.account, f"{e.symbol}:{e.trade_id}") for e in ours if e.account in accounts}
    in_ledger, on_topic = set(ledger_trades), Counter(topic_trades)
    orders = [order for order in journal.orders.values() if order.account in accounts]
    placed = Counter((order.account, order.client_order_id) for order in orders)
    differences = tuple(_differences(journal, ledger_sums))
    return Verdict(
        venue_trades=len(at_venue),
        ledger_trades=len(in_ledger),
        doubled_orders=sum(count > 1 for count in placed.values()) + _exceeded(orders, asked),
        lost_fills=len(at_venue - (in_ledger & set(on_topic))),
        invented_fills=len((in_ledger | set(on_topic)) - at_venue),
        repeated_fills=sum(count > 1 for count in on_topic.values()),
        ledger_equals_venue=not differences,
        differences=differences,
    )


def _exceeded(orders: Iterable[Order], asked: Asked) -> int:
    """Count the parents of which more was executed than asked for."""
    executed: dict[str, Decimal] = defaultdict(Decimal)
    for order in orders:
        if order.client_order_id in asked:
            executed[asked[order.client_order_id][0]] += order.executed
    return sum(executed[parent] > quantity for parent, quantity in set(asked.values()))


def _differences(journal: JournalContents, sums: Mapping[str, Mapping[str, Decimal]]) -> Iterable[str]:
    for account, ledger in sorted(sums.items()):
        venue = {asset: free + locked for asset, (free, locked) in journal.balances.get(account, {}).items()}
        for asset in sorted(ledger.keys() | venue.keys()):
            has, should = ledger.get(asset, Decimal(0)), venue.get(asset, Decimal(0))
            if has != should:
                yield f"{account} {asset}: ledger {has}, venue {should}"
