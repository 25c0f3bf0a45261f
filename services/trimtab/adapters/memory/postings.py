"""Money of the ledger in memory: every movement has two ends, so that each asset sums to zero over all holders."""

from dataclasses import replace
from decimal import Decimal

from trimtab.adapters.memory.rows import Balance, ParentEntry, Undo
from trimtab.adapters.memory.store import Store
from trimtab.domain.amounts import CONTEXT, ZERO, plain, quantise
from trimtab.domain.errors import InsufficientFundsError, InvalidValueError, UncoveredFeeError
from trimtab.domain.orders import ParentOrder, Side
from trimtab.ports.ledger import UNALLOCATED, FillRow

_VENUE, _FEES, _EXTERNAL = "~venue", "~fees", "~external"


class Postings:
    """Writes balances; nothing is written by a call that raises."""

    def __init__(self, store: Store, undo: Undo) -> None:
        self._store = store
        self._undo = undo

    def reserve(self, parent: ParentOrder, asset: str, amount: Decimal) -> None:
        """Set funds aside. Raise InsufficientFundsError if less is available, InvalidValueError if it is nothing."""
        amount = quantise(amount)
        if amount <= 0:
            raise InvalidValueError(f"reservation of {parent.parent_id}", amount, "an amount above zero")
        self._require(parent.portfolio_id, parent.account, asset, amount)
        self._put(parent.portfolio_id, parent.account, asset, reserved=amount)
        entry = replace(self._store.parents[parent.parent_id], asset=asset, remaining=amount)
        self._undo.put(self._store.parents, parent.parent_id, entry)

    def void(self, entry: ParentEntry) -> None:
        """Let go of what is still set aside for a parent."""
        if entry.remaining:
            order = entry.order
            self._put(order.portfolio_id, order.account, entry.asset, reserved=-entry.remaining)

    def transfer(self, holder: str, account: str, asset: str, amount: Decimal) -> None:
        """Book what came from outside, or went there. Raises InsufficientFundsError if less is available."""
        if not amount:
            raise InvalidValueError(f"transfer of {asset}", amount, "an amount other than zero")
        if amount < 0:
            self._require(holder, account, asset, -amount)
        self._move(_EXTERNAL, holder, account, asset, amount)

    def fill(self, fill: FillRow) -> None:
        """Book a fill: its reservation is consumed, base, quote and fee change hands.

        Raises UncoveredFeeError if nobody has what the fee was paid in, InsufficientFundsError if too little is there.
        """
        us, account = fill.portfolio_id, fill.account
        notional = quantise(CONTEXT.multiply(fill.price, fill.quantity))
        given, got = (fill.quote, notional), (fill.base, fill.quantity)
        if fill.side is Side.SELL:
            given, got = got, given
        asset, spent = given
        entry = self._store.parents[fill.parent_id]
        used = ZERO
        if entry.asset == asset:
            used = min(entry.remaining, spent + (fill.fee if fill.fee_asset == asset else ZERO))
        free = self._store.balance(us, account, asset).available + used
        if free < spent:
            raise InsufficientFundsError(f"{us} has {plain(free)} {asset} in {account} for a fill of {plain(spent)}")
        payer = self._payer(fill, {asset: used - spent, got[0]: got[1]})
        if used:
            self._put(us, account, asset, reserved=-used)
            self._undo.put(self._store.parents, fill.parent_id, replace(entry, remaining=entry.remaining - used))
        self._move(us, _VENUE, account, asset, spent)
        self._move(_VENUE, us, account, *got)
        if fill.fee:
            self._move(payer, _FEES, account, fill.fee_asset, fill.fee)
        key = fill.venue, fill.account, fill.trade_id
        self._undo.put(self._store.fills, key, replace(fill, settled=True))

    def _payer(self, fill: FillRow, changes: dict[str, Decimal]) -> str:
        """Return who pays the fee: the portfolio, or what nobody holds yet in the account."""
        own = self._store.balance(fill.portfolio_id, fill.account, fill.fee_asset).available
        if own + changes.get(fill.fee_asset, ZERO) >= fill.fee:
            return fill.portfolio_id
        if self._store.balance(UNALLOCATED, fill.account, fill.fee_asset).available >= fill.fee:
            return UNALLOCATED
        raise UncoveredFeeError(
            f"trade {fill.trade_id} of {fill.account} paid a fee of {plain(fill.fee)} {fill.fee_asset}: neither"
            f" {fill.portfolio_id} ({plain(own)}) nor the account's unallocated funds cover it"
        )

    def _require(self, holder: str, account: str, asset: str, amount: Decimal) -> None:
        available = self._store.balance(holder, account, asset).available
        if available < amount:
            raise InsufficientFundsError(
                f"{holder} has {plain(available)} {asset} available in {account}, {plain(amount)} is asked for"
            )

    def _move(self, giver: str, taker: str, account: str, asset: str, amount: Decimal) -> None:
        self._put(giver, account, asset, posted=-amount)
        self._put(taker, account, asset, posted=amount)

    def _put(self, holder: str, account: str, asset: str, *, posted: Decimal = ZERO, reserved: Decimal = ZERO) -> None:
        if holder not in self._store.balances:
            self._undo.put(self._store.balances, holder, {})
        before = self._store.balance(holder, account, asset)
        row = Balance(CONTEXT.add(before.posted, posted), CONTEXT.add(before.reserved, reserved))
        self._undo.put(self._store.balances[holder], (account, asset), row)
