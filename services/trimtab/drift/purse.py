"""What one account can still spend while trades are planned."""

from dataclasses import dataclass, field
from decimal import Decimal

from trimtab.domain.amounts import ZERO
from trimtab.drift.holdings import Holdings, View
from trimtab.drift.offers import Key


@dataclass(slots=True)
class Purse:
    """One account's available balances; `assets` has all but the quote currency.

    Cash is drawn in this order: `spare` (more than the portfolio wants), the expected proceeds of this account's sells
    in the order they were planned, then `kept` (cash the portfolio would rather keep).
    """

    spare: Decimal
    kept: Decimal
    assets: dict[str, Decimal] = field(default_factory=dict)
    proceeds: list[tuple[Key, Decimal]] = field(default_factory=list)

    @property
    def cash(self) -> Decimal:
        return self.spare + self.kept + sum((amount for _, amount in self.proceeds), ZERO)

    def holds(self, asset: str) -> Decimal:
        return max(self.assets.get(asset, ZERO), ZERO)

    def take(self, asset: str, amount: Decimal) -> None:
        """Take an amount of an asset, at most what it holds."""
        self.assets[asset] -= amount

    def draw(self, amount: Decimal) -> tuple[Key, ...]:
        """Take cash, at most all of it; return the sells it is paid from, each once."""
        taken = min(self.spare, amount)
        self.spare -= taken
        amount -= taken
        sells, left = [], []
        for key, proceeds in self.proceeds:
            taken = min(proceeds, amount)
            amount -= taken
            if taken > 0:
                sells.append(key)
            if proceeds > taken:
                left.append((key, proceeds - taken))
        self.proceeds = left
        self.kept -= amount
        return tuple(dict.fromkeys(sells))


def purses(view: View, holdings: Holdings) -> tuple[Purse, ...]:
    """Open a purse for every account; the portfolio's spare cash lies in the accounts it prefers."""
    surplus = max(view.cash_weight - view.cash_target, ZERO) * view.equity
    found = []
    for account in holdings.accounts:
        cash = max(account.available.get(holdings.quote, ZERO), ZERO)
        spare = min(cash, surplus)
        surplus -= spare
        assets = {asset: amount for asset, amount in account.available.items() if asset != holdings.quote}
        found.append(Purse(spare, cash - spare, assets))
    return tuple(found)
