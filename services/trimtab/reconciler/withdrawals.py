"""What an account lacks because a person took it out, as that person has said (`trimtab withdrawn`)."""

from collections.abc import Mapping

from trimtab.domain.amounts import plain
from trimtab.domain.ids import derive
from trimtab.messages import Break
from trimtab.reconciler.account import Account


class Withdrawals:
    """Books a difference that is explained out of the portfolio it belongs to. Its halt stays until it is resumed."""

    def __init__(self, account: Account) -> None:
        self._account = account

    async def explained(self) -> Mapping[str, str]:
        """Return, by asset, the portfolio that pays for what is missing."""
        return await self._account.ledger.explanations(self._account.name)

    async def covered(self, known: Break, portfolio_id: str) -> bool:
        """Tell whether a portfolio has what is missing available; how much it has too little is said once."""
        account = self._account
        async with account.ledger.transaction() as book:
            available = await book.available(portfolio_id, account.name, known.asset)
            short = -known.difference - available
            if short <= 0:
                return True
            detail = f"{portfolio_id} has {plain(available)} {known.asset} available, {plain(short)} too little"
            if detail == known.detail or not await book.note_break(account.noted(known, detail)):
                return False
        account.log.error("withdrawal cannot be booked", asset=known.asset, reason=detail)
        return False

    async def book(self, known: Break, portfolio_id: str) -> None:
        """Book what an open break lacks as taken out of a portfolio, and close it.

        Raises:
            InsufficientFundsError: if less is available there by now.

        """
        account, asset, amount = self._account, known.asset, known.difference
        entry_id, now_us = derive("withdrawal", known.event_id), account.clock.now_us()
        async with account.ledger.transaction() as book:
            await book.portfolio(portfolio_id)
            if (await book.explanations(account.name)).get(asset) != portfolio_id:
                return  # a person has just said otherwise
            if not await book.transfer(entry_id, "withdrawal", portfolio_id, account.name, asset, amount, now_us):
                return
            await book.close_break(account.closed(known, f"withdrawal of {portfolio_id}"))
            await book.bump(portfolio_id, "withdrawal", 0)  # wall clock is no event time: keep the last
        account.log.info("withdrawal booked", asset=asset, amount=plain(-amount), portfolio_id=portfolio_id)
