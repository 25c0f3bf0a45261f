"""Balances of the holders that one transaction has locked, kept in step with what it writes."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from psycopg.rows import DictRow

from trimtab.domain.amounts import CONTEXT, ZERO


@dataclass(slots=True)
class _Balance:
    posted: Decimal = ZERO
    reserved: Decimal = ZERO


class Balances:
    """What locked holders have. The database keeps the truth and checks it; this answers without asking again."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str, str], _Balance] = {}

    def load(self, rows: Iterable[DictRow]) -> None:
        for row in rows:
            self._rows[row["holder"], row["account"], row["asset"]] = _Balance(row["posted"], row["reserved"])

    def available(self, holder: str, account: str, asset: str) -> Decimal:
        """Posted minus reserved."""
        balance = self._rows.get((holder, account, asset))
        return ZERO if balance is None else CONTEXT.subtract(balance.posted, balance.reserved)

    def post(self, holder: str, account: str, asset: str, amount: Decimal) -> None:
        balance = self._rows.setdefault((holder, account, asset), _Balance())
        balance.posted = CONTEXT.add(balance.posted, amount)

    def reserve(self, holder: str, account: str, asset: str, amount: Decimal) -> None:
        """Raise what is reserved; a negative amount lowers it."""
        balance = self._rows.setdefault((holder, account, asset), _Balance())
        balance.reserved = CONTEXT.add(balance.reserved, amount)
