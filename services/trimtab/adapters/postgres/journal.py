"""The journal inside a transaction: entries whose postings sum to zero, and reservations against balances."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from trimtab.adapters.postgres.balances import Balances
from trimtab.adapters.postgres.portfolios import Portfolios
from trimtab.adapters.postgres.statements import Statements
from trimtab.domain.amounts import CONTEXT, ZERO, plain, quantise
from trimtab.domain.errors import InsufficientFundsError, InvalidValueError, UncoveredFeeError
from trimtab.domain.ids import derive
from trimtab.domain.orders import ParentOrder, Side
from trimtab.ports.ledger import UNALLOCATED, FillRow

_VENUE, _FEES, _EXTERNAL = "~venue", "~fees", "~external"


@dataclass(frozen=True, slots=True)
class _Move:
    """From one holder to another, in one account: two postings."""

    giver: str
    taker: str
    account: str
    asset: str
    amount: Decimal  # positive


class Journal:
    """Books of the holders that this transaction has locked."""

    def __init__(self, statements: Statements, balances: Balances, portfolios: Portfolios) -> None:
        self._statements = statements
        self._balances = balances
        self._portfolios = portfolios
        self._accounts: set[str] = set()

    async def available(self, portfolio_id: str, account: str, asset: str) -> Decimal:
        await self._portfolios.require(portfolio_id)
        return self._balances.available(portfolio_id, account, asset)

    async def reserve(self, parent: ParentOrder, asset: str, amount: Decimal) -> None:
        amount = quantise(amount)
        if amount <= 0:
            raise InvalidValueError(f"reservation of {parent.parent_id}", amount, "an amount above zero")
        holder, account = parent.portfolio_id, parent.account
        await self._portfolios.require(holder)
        self._require_available(holder, account, asset, amount)
        self._balances.reserve(holder, account, asset, amount)
        values = {
            "parent_id": parent.parent_id,
            "holder": holder,
            "account": account,
            "asset": asset,
            "amount": amount,
        }
        await self._statements.send("add_reservation", values)

    async def release(self, parent_id: str) -> None:
        """Void what is left of a reservation (expire it, if its order's time ran out) and mark the parent released."""
        item = await self._statements.row("work_item", {"parent_id": parent_id})
        if item is None:
            raise InvalidValueError("parent_id", parent_id, "a parent order of the ledger")
        await self._portfolios.require(item["portfolio_id"])
        row = await self._statements.row("reservation", {"parent_id": parent_id})
        if row is not None and row["state"] == "pending":
            self._balances.reserve(row["holder"], row["account"], row["asset"], row["remaining"].copy_negate())
            state = "expired" if item["reason"] == "deadline" else "voided"
            await self._statements.send(
                "change_reservation", {"parent_id": parent_id, "remaining": ZERO, "state": state}
            )
        await self._statements.send(
            "change_parent", {"parent_id": parent_id, "state": "released", "quantity": None, "reason": item["reason"]}
        )

    async def post_fill(self, fill: FillRow) -> None:
        """Book a fill: its reservation is consumed, base, quote and fee change hands, the fill names its entry.

        Raises:
            UncoveredFeeError: if nobody has the asset its fee was paid in; nothing is written.
            InsufficientFundsError: if the portfolio has too little for the trade itself; nothing is written.

        """
        await self._portfolios.require(fill.portfolio_id)
        spent_asset, spent, moves = _trade(fill)
        own_fee = fill.fee if fill.fee_asset == spent_asset else ZERO
        reservation = await self._statements.row("reservation", {"parent_id": fill.parent_id})
        used = ZERO
        if reservation is not None and reservation["asset"] == spent_asset:
            used = min(reservation["remaining"], max(CONTEXT.add(spent, own_fee), ZERO))
        free = CONTEXT.add(self._balances.available(fill.portfolio_id, fill.account, spent_asset), used)
        if free < spent:
            raise InsufficientFundsError(
                f"{fill.portfolio_id} has {plain(free)} {spent_asset} in {fill.account} for a fill of {plain(spent)}"
            )
        payer = await self._fee_payer(fill, moves, used if fill.fee_asset == spent_asset else ZERO)
        if fill.fee:
            giver, taker = (payer, _FEES) if fill.fee > 0 else (_FEES, payer)
            moves = [*moves, _Move(giver, taker, fill.account, fill.fee_asset, fill.fee.copy_abs())]
        if reservation is not None and used:
            await self._consume(fill.parent_id, CONTEXT.subtract(reservation["remaining"], used))
            self._balances.reserve(fill.portfolio_id, fill.account, spent_asset, used.copy_negate())
        entry_id = derive("entry", "fill", fill.venue, fill.account, fill.trade_id)
        await self._open_entry(entry_id, "fill", fill.portfolio_id, fill.event_time_us)
        await self._post(entry_id, moves)
        values = {
            "entry_id": entry_id,
            "venue": fill.venue,
            "account": fill.account,
            "trade_id": fill.trade_id,
        }
        await self._statements.send("mark_fill_settled", values)

    async def _consume(self, parent_id: str, remaining: Decimal) -> None:
        state = "pending" if remaining else "posted"
        values = {"parent_id": parent_id, "remaining": remaining, "state": state}
        await self._statements.send("change_reservation", values)

    async def _fee_payer(self, fill: FillRow, moves: Sequence[_Move], freed: Decimal) -> str:
        """Return who pays the fee: the portfolio, or what nobody holds yet in the account."""
        if fill.fee <= 0:
            return fill.portfolio_id
        own = CONTEXT.add(self._balances.available(fill.portfolio_id, fill.account, fill.fee_asset), freed)
        for move in moves:
            if move.asset == fill.fee_asset:
                own = (CONTEXT.add if move.taker == fill.portfolio_id else CONTEXT.subtract)(own, move.amount)
        if own >= fill.fee:
            return fill.portfolio_id
        await self._lock_account(fill.account)
        if self._balances.available(UNALLOCATED, fill.account, fill.fee_asset) >= fill.fee:
            return UNALLOCATED
        raise UncoveredFeeError(
            f"trade {fill.trade_id} of {fill.account} paid a fee of {plain(fill.fee)} {fill.fee_asset}: neither"
            f" {fill.portfolio_id} ({plain(own)}) nor the account's unallocated funds cover it"
        )

    async def transfer(
        self, entry_id: str, kind: str, holder: str, account: str, asset: str, amount: Decimal, event_time_us: int
    ) -> bool:
        """Book what came from outside (positive) or went there, once per entry_id.

        Raises:
            InsufficientFundsError: if less is available than goes out.

        """
        await self._lock_holder(holder, account)
        giver, taker = (_EXTERNAL, holder) if amount > 0 else (holder, _EXTERNAL)
        return await self._move_once(
            entry_id, kind, holder, _Move(giver, taker, account, asset, quantise(amount).copy_abs()), event_time_us
        )

    async def allocate(
        self, entry_id: str, portfolio_id: str, account: str, asset: str, amount: Decimal, event_time_us: int
    ) -> bool:
        """Give a portfolio what nobody holds yet in an account (negative: take it back), once per entry_id.

        Raises:
            InsufficientFundsError: if the giver has less available.

        """
        await self._portfolios.require(portfolio_id)
        await self._lock_account(account)
        giver, taker = (UNALLOCATED, portfolio_id) if amount > 0 else (portfolio_id, UNALLOCATED)
        move = _Move(giver, taker, account, asset, quantise(amount).copy_abs())
        return await self._move_once(entry_id, "allocation", portfolio_id, move, event_time_us)

    async def _move_once(self, entry_id: str, kind: str, holder: str, move: _Move, event_time_us: int) -> bool:
        if not move.amount:
            raise InvalidValueError(f"entry {entry_id}", move.amount, "an amount other than zero")
        if not await self._open_entry(entry_id, kind, holder, event_time_us):
            return False
        if not move.giver.startswith("~") or move.giver == UNALLOCATED:
            self._require_available(move.giver, move.account, move.asset, move.amount)
        await self._post(entry_id, [move])
        return True

    async def _lock_holder(self, holder: str, account: str) -> None:
        if holder == UNALLOCATED:
            await self._lock_account(account)
        else:
            await self._portfolios.require(holder)

    async def _lock_account(self, account: str) -> None:
        if account in self._accounts:
            return
        locking = await self._statements.send("lock_account", {"account": account})
        self._balances.load(await self._statements.rows("unallocated_of", {"account": account}))
        if await locking.fetchone() is None:
            raise InvalidValueError("account", account, "a registered venue account")
        self._accounts.add(account)

    def _require_available(self, holder: str, account: str, asset: str, amount: Decimal) -> None:
        available = self._balances.available(holder, account, asset)
        if available < amount:
            raise InsufficientFundsError(
                f"{holder} has {plain(available)} {asset} available in {account}, {plain(amount)} is asked for"
            )

    async def _open_entry(self, entry_id: str, kind: str, holder: str, event_time_us: int) -> bool:
        values = {"entry_id": entry_id, "kind": kind, "holder": holder, "event_time_us": event_time_us}
        return await self._statements.row("add_entry", values) is not None

    async def _post(self, entry_id: str, moves: Sequence[_Move]) -> None:
        lines = [
            line
            for move in moves
            for line in (
                (move.giver, move.account, move.asset, move.amount.copy_negate()),
                (move.taker, move.account, move.asset, move.amount),
            )
        ]
        for line in lines:
            self._balances.post(*line)
        holders, accounts, assets, amounts = (list(column) for column in zip(*lines, strict=True))
        values = {
            "entry_id": entry_id,
            "holders": holders,
            "accounts": accounts,
            "assets": assets,
            "amounts": amounts,
        }
        await self._statements.send("add_postings", values)


def _trade(fill: FillRow) -> tuple[str, Decimal, list[_Move]]:
    """Return the asset that is given, how much of it, and the moves; the notional is on the ledger's scale."""
    notional = quantise(CONTEXT.multiply(fill.price, fill.quantity))
    us, account = fill.portfolio_id, fill.account
    if fill.side is Side.BUY:
        given, got = (fill.quote, notional), (fill.base, fill.quantity)
    else:
        given, got = (fill.base, fill.quantity), (fill.quote, notional)
    moves = [_Move(_VENUE, us, account, *got), _Move(us, _VENUE, account, *given)]
    return *given, moves
