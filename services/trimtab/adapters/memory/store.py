"""The tables of the ledger in memory, and what is read from several of them."""

from decimal import Decimal

from trimtab.adapters.memory.rows import Balance, ParentEntry, PortfolioEntry
from trimtab.domain.amounts import ZERO
from trimtab.domain.ids import derive
from trimtab.domain.orders import ChildOrder, ParentState
from trimtab.messages import OpenOrder, PortfolioState, Position
from trimtab.ports.ledger import FillRow, WorkItem

_HOUR_US = 3_600_000_000


class Store:
    """Rows by their keys. Parents, children and fills are those that are not released."""

    def __init__(self) -> None:
        self.accounts: dict[str, str] = {}  # venue by account
        self.epochs: dict[str, int] = {}
        self.portfolios: dict[str, PortfolioEntry] = {}
        self.balances: dict[str, dict[tuple[str, str], Balance]] = {}  # by holder, then by account and asset
        self.parents: dict[str, ParentEntry] = {}
        self.parents_of: dict[str, tuple[str, ...]] = {}
        self.children: dict[str, ChildOrder] = {}
        self.fills: dict[tuple[str, str, str], FillRow] = {}
        self.transfers: dict[str, None] = {}
        self.stirred: dict[str, str] = {}  # portfolios with a new version nobody was told of, and why
        self._items: dict[str, tuple[ParentEntry, ChildOrder | None, bool, WorkItem]] = {}

    def balance(self, holder: str, account: str, asset: str) -> Balance:
        """Return what a holder has; nothing if it never had any."""
        return self.balances.get(holder, {}).get((account, asset), Balance())

    def item(self, parent_id: str) -> WorkItem:
        """Return a parent with its latest child; the same object as long as neither has changed."""
        entry = self.parents[parent_id]
        child = self.children[entry.children[-1]] if entry.children else None
        halted = bool(self.portfolios[entry.order.portfolio_id].halt_reason)
        known = self._items.get(parent_id)
        if known is not None and known[0] is entry and known[1] is child and known[2] == halted:
            return known[3]
        item = WorkItem(entry.order, child, len(entry.children), entry.dry_run, halted)
        self._items[parent_id] = entry, child, halted, item
        return item

    def forget(self, parent_id: str) -> None:
        """Let go of what was kept of a parent for others to look at."""
        self._items.pop(parent_id, None)

    def unbooked(self, entry: ParentEntry) -> Decimal:
        """Return what of a parent is recorded as filled and not booked yet, base."""
        return sum((self.fills[key].quantity for key in entry.fills if not self.fills[key].settled), ZERO)

    def state(self, found: PortfolioEntry, reason: str) -> PortfolioState:
        """Return a portfolio's state as the rows have it."""
        held = sorted(self.balances.get(found.portfolio_id, {}).items())
        return PortfolioState(
            event_id=derive("portfolio.state", found.portfolio_id, found.ledger_version),
            portfolio_id=found.portfolio_id,
            ledger_version=found.ledger_version,
            event_time_us=found.event_time_us,
            document_version=found.document_version,
            document=found.document,
            halted=bool(found.halt_reason),
            reason=reason,
            not_before_us=found.not_before_us,
            positions=tuple(
                Position(account, self.accounts[account], asset, row.posted, row.reserved)
                for (account, asset), row in held
                if row.posted
            ),
            open_orders=tuple(self._open_orders(found.portfolio_id)),
            recent_signals_us=tuple(at for at in found.accepted_us if at > found.event_time_us - _HOUR_US),
        )

    def _open_orders(self, portfolio_id: str) -> list[OpenOrder]:
        found = []
        for entry in map(self.parents.__getitem__, self.parents_of.get(portfolio_id, ())):
            order, leaves = entry.order, self._to_come(entry)
            if leaves > 0 and not entry.dry_run:
                place = order.parent_id, order.account, order.instrument, order.base, order.quote
                found.append(OpenOrder(*place, order.side, leaves, order.limit_price))
        return found

    def _to_come(self, entry: ParentEntry) -> Decimal:
        """Return what posted balances will still change by: a closed parent ends at what the venue filled of it."""
        order = entry.order
        end = max(order.quantity, order.filled)
        if order.state is ParentState.CLOSED:
            children = map(self.children.__getitem__, entry.children)
            end = sum((child.filled if child.state.terminal else child.quantity for child in children), ZERO)
        return end - order.filled + self.unbooked(entry)
