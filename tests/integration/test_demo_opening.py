"""The opening of a demo on a real ledger: nobody trades before everybody has their money."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from ledger_worlds import LedgerWorld
from trimtab.demo.cast import Cast
from trimtab.demo.money import deposits
from trimtab.demo.opening import apply_all, hand_out
from trimtab.documents import load_document

pytestmark = pytest.mark.integration

EQUITY, PRICES = Decimal(1_000), {"BTC": Decimal(100)}


def cast_of(folder: Path, **accounts: str) -> Cast:
    documents = {}
    for name, account in accounts.items():
        file = folder / f"{name}.yaml"
        file.write_text(f"portfolio: {name}\nquote: USDT\naccounts: [{account}]\ntargets: {{BTC: 0.5, USDT: 0.5}}\n")
        documents[file] = load_document(file)
    return Cast.of(documents, frozenset(PRICES), EQUITY)


async def test_nobody_trades_before_the_last_account_is_booked(ledger_world: LedgerWorld, tmp_path: Path) -> None:
    cast = cast_of(tmp_path, early="first", late="second", later="second")
    await apply_all(ledger_world.cli, cast)

    async def book(account: str) -> None:
        for asset, amount in deposits(cast.sharing(account), PRICES, EQUITY)[account].items():
            await ledger_world.deposit(asset, str(amount), account=account)

    async def halted() -> set[bool]:
        async with ledger_world.cli.transaction() as ledger:
            rows = [await ledger.portfolio(portfolio.portfolio_id) for portfolio in cast.portfolios]
        return {row.halted for row in rows if row is not None}

    paused = asyncio.Event()

    async def pause() -> None:
        paused.set()
        await asyncio.sleep(0.01)

    handing = asyncio.create_task(hand_out(ledger_world.cli, cast, PRICES, pause))
    await book("first")
    paused.clear()
    await paused.wait()
    assert await halted() == {True}

    await book("second")
    await asyncio.wait_for(handing, 20)
    assert await halted() == {False}
    held = {
        holder
        for (holder, account, _), (posted, _) in ledger_world.balances().items()
        if account == "second" and posted
    }
    assert {"late", "later"} <= held
