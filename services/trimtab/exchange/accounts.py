"""Balances. Every movement has two ends, so nothing is made or lost: the sum over all holders of an asset is zero.

Holders are the accounts, the market (counterparty of every fill against the published book), the exchange's fee
account, and the outside world from which deposits come. Only accounts may not go below zero.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from trimtab.exchange.book import ZERO
from trimtab.exchange.orders import BalanceChange

MARKET, FEES, OUTSIDE = "@market", "@fees", "@outside"
"""Holders that are no accounts. No account may be called so."""


class BalanceError(Exception):
    """A movement that would take an account below zero: a fault of the caller, never of a client."""


@dataclass(slots=True)
class Balance:
    """Free and locked units of one asset."""

    free: Decimal = ZERO
    locked: Decimal = ZERO


@dataclass(slots=True)
class Account:
    """One client's balances and terms. Fees as fractions; `fee_asset` is None to pay in what is received."""

    name: str
    maker_fee: Decimal = Decimal("0.001")
    taker_fee: Decimal = Decimal("0.001")
    fee_asset: str | None = None
    fee_discount: Decimal = Decimal("0.25")
    balances: dict[str, Balance] = field(default_factory=dict)

    def balance(self, asset: str) -> Balance:
        """The balance of an asset, zero if never held."""
        return self.balances.setdefault(asset, Balance())


class Accounts:
    """All holders. Every method returns the changes it made to accounts, for journal and user stream."""

    def __init__(self) -> None:
        self.by_name: dict[str, Account] = {}
        self._others: dict[str, defaultdict[str, Decimal]] = {
            holder: defaultdict(Decimal) for holder in (MARKET, FEES, OUTSIDE)
        }

    def open(self, account: Account) -> None:
        """Add an account without balances; deposits bring them.

        Raises ValueError if the name is taken or reserved.
        """
        if account.name in self.by_name or account.name in self._others or account.balances:
            raise ValueError(f"account {account.name!r}: name is taken or reserved, or it brings balances of its own")
        self.by_name[account.name] = account

    def held(self, holder: str) -> Mapping[str, Decimal]:
        """What the market, the fee account or the outside world holds, by asset; may be negative."""
        return self._others[holder]

    def total(self, asset: str) -> Decimal:
        """The sum over all holders: zero, always."""
        own = sum((b.free + b.locked for a in self.by_name.values() if (b := a.balances.get(asset))), ZERO)
        return own + sum((held[asset] for held in self._others.values() if asset in held), ZERO)

    def move(self, name: str, asset: str, amount: Decimal, other: str, reason: str, time_us: int) -> BalanceChange:
        """Free units from `other` to the account (negative: to `other`).

        Raises BalanceError below zero.
        """
        change = self._change(name, asset, amount, ZERO, reason, time_us)
        self._others[other][asset] -= amount
        return change

    def lock(self, name: str, asset: str, amount: Decimal, reason: str, time_us: int) -> BalanceChange:
        """From free to locked (negative: back).

        Raises BalanceError below zero.
        """
        return self._change(name, asset, -amount, amount, reason, time_us)

    def spend(self, name: str, asset: str, amount: Decimal, reason: str, time_us: int) -> BalanceChange:
        """Locked units go to the market.

        Raises BalanceError below zero.
        """
        change = self._change(name, asset, ZERO, -amount, reason, time_us)
        self._others[MARKET][asset] += amount
        return change

    def pay_fee(self, name: str, asset: str, amount: Decimal, time_us: int) -> BalanceChange:
        """Free units go to the exchange.

        Raises BalanceError below zero.
        """
        return self.move(name, asset, -amount, FEES, "fee", time_us)

    def _change(
        self, name: str, asset: str, free: Decimal, locked: Decimal, reason: str, time_us: int
    ) -> BalanceChange:
        balance = self.by_name[name].balance(asset)
        if balance.free + free < 0 or balance.locked + locked < 0:
            raise BalanceError(f"{name} {asset}: free {balance.free}{free:+}, locked {balance.locked}{locked:+}")
        balance.free += free
        balance.locked += locked
        return BalanceChange(name, asset, balance.free, balance.locked, free, locked, reason, time_us)
