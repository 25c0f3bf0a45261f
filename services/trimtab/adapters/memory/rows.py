"""Rows of the ledger in memory: values, replaced and never changed, so that a transaction can be taken back."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from trimtab.domain.amounts import CONTEXT, ZERO
from trimtab.domain.orders import ParentOrder

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class PortfolioEntry:
    """A portfolio's counters and document. Empty `halt_reason`: it trades. `accepted_us` are of the last hour."""

    portfolio_id: str
    document: str
    accounts: tuple[str, ...]
    dry_run: bool
    document_version: int = 1
    ledger_version: int = 0
    ledger_sequence: int = 0
    event_time_us: int = 0
    not_before_us: int = 0
    halt_reason: str = ""
    accepted_us: tuple[int, ...] = ()
    settled_version: int = -1


@dataclass(frozen=True, slots=True)
class ParentEntry:
    """A parent that is not released, what is still set aside for it, and the ids of what belongs to it."""

    order: ParentOrder
    dry_run: bool
    reason: str = ""
    asset: str = ""
    remaining: Decimal = ZERO
    children: tuple[str, ...] = ()
    fills: tuple[tuple[str, str, str], ...] = ()
    told: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Balance:
    """What a holder has of one asset in one account, and how much of that is set aside."""

    posted: Decimal = ZERO
    reserved: Decimal = ZERO

    @property
    def available(self) -> Decimal:
        return CONTEXT.subtract(self.posted, self.reserved)


class Undo:
    """What a transaction has changed so far, and the way back."""

    def __init__(self) -> None:
        self._back: list[Callable[[], object]] = []

    def put(self, table: dict[K, V], key: K, value: V) -> None:
        """Write a row."""
        if key in table:
            before = table[key]
            self._back.append(lambda: table.__setitem__(key, before))
        else:
            self._back.append(lambda: table.pop(key))
        table[key] = value

    def drop(self, table: dict[K, V], key: K) -> None:
        """Remove a row."""
        before = table.pop(key)
        self._back.append(lambda: table.__setitem__(key, before))

    def roll_back(self) -> None:
        """Take everything back, the last change first."""
        for step in reversed(self._back):
            step()
        self._back.clear()
