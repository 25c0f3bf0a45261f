"""Own trades since the watermark: fills that neither the stream nor an order's look-up brought."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from exchange_process import Running
from trading_floor import Floor, open_floor

from ledger_worlds import PORTFOLIO, LedgerWorld
from trimtab.domain.errors import LedgerRefusedError
from trimtab.domain.orders import Side
from trimtab.messages import Break
from trimtab.reconciler.comparing import Comparing
from trimtab.reconciler.trades import OwnTrades

TRADES = "GET /api/v3/myTrades"


@pytest.fixture
async def floor(still_exchange: Running, ledger_world: LedgerWorld) -> AsyncIterator[Floor]:
    """A floor whose decisions are older than the trades that follow them, though its market stands still."""
    async with open_floor(still_exchange, ledger_world) as opened:
        opened.event_offset_us -= 30_000_000
        yield opened


def _breaks(floor: Floor) -> list[Break]:
    return [message for message in floor.world.emitted() if isinstance(message, Break)]


def _watermarks(floor: Floor) -> dict[str, int]:
    rows = floor.world.ask("SELECT instrument, since_us FROM ledger.watermark")
    return {str(row["instrument"]): int(str(row["since_us"])) for row in rows}


async def _bought(floor: Floor, quantity: str = "0.01", **more: Any) -> None:
    """Buy at once, recorded and settled."""
    executor = await floor.executor(f"buyer-{len(floor.children())}")
    await floor.accepted(executor, await floor.trade(Side.BUY, quantity, **more))
    await floor.until(floor.fills, "filled")
    await floor.until(floor.at_rest, "settled")
    await executor.crash()


async def _filled_unheard(floor: Floor, recorded: str, state: str) -> str:
    """Let an order of 0.01 fill while the executor is gone; make the ledger believe that it ended with less.

    Return the trade's id.
    """
    executor = await floor.executor(patient=True)
    await floor.accepted(executor, await floor.trade(Side.BUY, "0.01"))
    order = await floor.open_order()
    if Decimal(recorded):
        await floor.hit(order, recorded)
        await floor.until(floor.fills, "recorded")
    await executor.crash()
    rest = Decimal("0.01") - Decimal(recorded)
    await floor.hit(order, str(rest))
    _believe(floor, state)
    return f"BTCUSDT:{floor.journal().executions[-1].trade_id}"


def _believe(floor: Floor, state: str) -> None:
    """Make the ledger believe that its order ended like this, and that nothing more is to be done for it."""
    floor.world.ask(
        "ALTER TABLE ledger.child_order DISABLE TRIGGER child_takes_legal_step;"
        f"UPDATE ledger.child_order SET state = '{state}' WHERE state IN ('accepted', 'partially_filled');"
        "ALTER TABLE ledger.child_order ENABLE TRIGGER child_takes_legal_step;"
        "UPDATE ledger.parent_order SET state = 'closed' WHERE state = 'working'"
    )


async def test_a_fill_of_an_order_that_counts_as_cancelled_is_found_at_the_start(floor: Floor) -> None:
    trade_id = await _filled_unheard(floor, "0.004", "canceled")
    reconciler = floor.reconciler()
    await floor.until(floor.at_rest, "released: nobody knows of the fill")
    assert await reconciler.comparing.compare() == ()
    assert floor.fills()[-1].trade_id == trade_id
    assert [fill.quantity for fill in floor.fills()] == [Decimal("0.004"), Decimal("0.006")]
    (found,) = _breaks(floor)
    assert (found.kind, found.asset, found.ledger, found.at_venue, found.resolution) == (
        "missed_fill",
        "BTC",
        Decimal("0.004"),
        Decimal("0.01"),
        "booked",
    )
    assert "canceled cannot become filled" in floor.halt_reason()  # all of it: somebody has to look at that
    await floor.holds()
    assert _watermarks(floor) == {"BTC/USDT": floor.fills()[-1].event_time_us}


async def test_a_contradiction_is_told_once_however_often_trades_are_asked_for(floor: Floor) -> None:
    executor = await floor.executor(patient=True)
    await floor.accepted(executor, await floor.trade(Side.BUY, "0.01"))
    order = await floor.open_order()
    await executor.crash()
    await floor.hit(order, "0.004")
    _believe(floor, "rejected")
    reconciler = floor.reconciler()
    await reconciler.comparing.compare()
    assert [fill.quantity for fill in floor.fills()] == [Decimal("0.004")]
    assert "rejected cannot become partially_filled" in floor.halt_reason()
    assert floor.children()[0]["state"] == "rejected"
    async with floor.world.cli.transaction() as book:
        await book.resume(PORTFOLIO)
    states = len(floor.world.states())
    for _ in range(3):
        reconciler.comparing._trades.ask()
        await reconciler.comparing.compare()
    assert (floor.halt_reason(), len(_breaks(floor))) == ("", 1)
    await floor.holds()
    assert len(floor.world.states()) <= states + 2  # settled, released; nothing is told again


async def test_a_partial_fill_of_an_expired_order_changes_nothing_but_the_books(floor: Floor) -> None:
    executor = await floor.executor(patient=True)
    await floor.accepted(executor, await floor.trade(Side.BUY, "0.01"))
    order = await floor.open_order()
    await executor.crash()
    for _ in range(2):
        await floor.hit(order, "0.002")
    _believe(floor, "expired")
    reconciler = floor.reconciler()
    await reconciler.comparing.compare()
    assert [fill.quantity for fill in floor.fills()] == [Decimal("0.002")] * 2
    (found,) = _breaks(floor)  # one order, one report
    assert (found.ledger, found.at_venue) == (Decimal(0), Decimal("0.004"))
    assert (floor.halt_reason(), floor.children()[0]["state"]) == ("", "expired")
    await floor.until(floor.at_rest, "settled and released")
    assert (await floor.world.reconciler.sums(floor.account))["BTC"] == Decimal("1.004") - sum(
        fill.fee for fill in floor.fills()
    )


async def test_trades_are_fetched_before_a_difference_is_resolved_and_then_it_starts_over(floor: Floor) -> None:
    reconciler = floor.reconciler()
    await _bought(floor)
    await reconciler.comparing.compare()
    asked = len(floor.gateway.times(TRADES))
    await reconciler.comparing.compare()
    assert len(floor.gateway.times(TRADES)) == asked  # nothing differs: nobody asks
    trade_id = await _filled_unheard(floor, "0", "canceled")
    await floor.until(floor.at_rest, "released")
    assert await reconciler.comparing.compare() == ()  # seen once
    assert floor.fills()[-1].trade_id != trade_id
    await reconciler.comparing.compare()
    assert floor.fills()[-1].trade_id == trade_id
    assert [found.kind for found in _breaks(floor)] == ["missed_fill"]
    for _ in range(3):
        await reconciler.comparing.compare()
    await floor.holds()
    assert [found.kind for found in _breaks(floor)] == ["missed_fill"]  # no transfer, nothing missing


@pytest.mark.parametrize("endpoint", [TRADES, "GET /api/v3/account"])
async def test_nothing_is_resolved_while_the_venue_does_not_tell(floor: Floor, endpoint: str) -> None:
    reconciler = floor.reconciler()
    await _bought(floor)
    await reconciler.comparing.compare()
    await floor.control("withdraw", account=floor.account, asset="USDT", amount="10")
    await floor.control("deposit", account=floor.account, asset="ETH", amount="1")
    await floor.fault("error_before", endpoint=endpoint, count=100)
    for _ in range(4):
        await reconciler.comparing.compare()
    assert (_breaks(floor), floor.halt_reason()) == ([], "")
    async with floor.http.delete(f"{floor.exchange.http}/sim/faults"):
        pass
    for _ in range(2):
        await reconciler.comparing.compare()
    assert [found.kind for found in _breaks(floor)] == ["unexplained", "external_transfer"]


async def test_an_instrument_that_is_no_longer_traded_holds_up_nothing(floor: Floor) -> None:
    reconciler = floor.reconciler()
    await _bought(floor)
    floor.world.ask(
        "ALTER TABLE ledger.parent_order DISABLE TRIGGER USER;"
        "UPDATE ledger.parent_order SET instrument = 'LUNA/USDT', base = 'LUNA'"
    )
    await floor.control("withdraw", account=floor.account, asset="USDT", amount="10")
    for _ in range(2):
        await reconciler.comparing.compare()
    assert floor.halt_reason() == f"{floor.account} lacks 10 USDT"
    assert [e["instrument"] for e in floor.captured.entries if "no such instrument" in e["event"]] == ["LUNA/USDT"] * 2


async def test_trades_made_by_hand_are_left_to_the_comparison_of_balances(floor: Floor) -> None:
    reconciler = floor.reconciler()
    await _bought(floor)
    await reconciler.comparing.compare()
    by_hand = await floor.by_hand(Side.SELL, "0.02")
    for _ in range(4):
        await reconciler.comparing.compare()
    assert len(floor.fills()) == len({fill.client_order_id for fill in floor.fills()}) == 1
    assert sorted((found.kind, found.asset) for found in _breaks(floor)) == [
        ("external_transfer", "USDT"),
        ("unexplained", "BTC"),
    ]
    assert _watermarks(floor) == {"BTC/USDT": by_hand}


async def test_every_instrument_is_asked_from_its_watermark_on(floor: Floor) -> None:
    reconciler = floor.reconciler()
    await _bought(floor)
    await _bought(floor, "0.1", base="ETH")
    asked: list[tuple[str, int]] = []
    tell = reconciler.venue.trades

    async def listening(instrument: str, since_us: int) -> Any:
        asked.append((instrument, since_us))
        return await tell(instrument, since_us)

    reconciler.venue.trades = listening  # type: ignore[method-assign]  # to know what it is asked
    await reconciler.comparing.compare()
    assert {instrument for instrument, _ in asked} == {"BTC/USDT", "ETH/USDT"}
    newest = {fill.instrument: fill.event_time_us for fill in floor.fills()}
    assert _watermarks(floor) == newest
    asked.clear()
    reconciler.comparing._trades.ask()
    await reconciler.comparing.compare()
    assert dict(asked) == {name: newest_us - 60_000_000 for name, newest_us in newest.items()}  # reads may lag


async def test_watermark_and_fills_are_one_transaction(floor: Floor) -> None:
    await _filled_unheard(floor, "0", "canceled")
    comparing: Comparing = floor.reconciler().comparing
    floor.world.ask("ALTER TABLE ledger.watermark ADD CONSTRAINT never CHECK (since_us = 0)")
    with pytest.raises(LedgerRefusedError, match="never"):
        await comparing.compare()
    assert (floor.fills(), _breaks(floor), comparing._trades.due) == ([], [], True)
    floor.world.ask("ALTER TABLE ledger.watermark DROP CONSTRAINT never")
    await comparing.compare()
    assert len(floor.fills()) == 1
    await floor.holds()


async def test_a_reconnect_makes_trades_due(floor: Floor) -> None:
    comparing = floor.reconciler(compare_interval_seconds=3600).comparing
    await _bought(floor)
    loops = [asyncio.create_task(comparing.watch_reconnects()), asyncio.create_task(comparing.follow())]
    try:
        await floor.until(lambda: not comparing._trades.due, "fetched at the start")
        asked = len(floor.gateway.times(TRADES))
        await floor.control("faults", kind="websocket_drop", streams="user")
        await floor.until(lambda: len(floor.gateway.times(TRADES)) > asked, "fetched after the reconnect")
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.wait(loops)


async def test_fills_of_several_portfolios_are_recorded_under_every_lock(floor: Floor) -> None:
    await floor.world.add_portfolio("another", account=floor.account)
    await floor.world.deposit("USDT", "5000", "another", floor.account)
    await floor.control("deposit", account=floor.account, asset="USDT", amount="5000")
    executor = await floor.executor(patient=True)
    for portfolio in (PORTFOLIO, "another"):
        await floor.accepted(executor, await floor.trade(Side.BUY, "0.01"), portfolio=portfolio)
    await floor.until(lambda: [c["state"] for c in floor.children()] == ["accepted"] * 2, "accepted")
    await executor.crash()
    orders = [o for o in floor.journal().orders.values() if o.account == floor.account and o.is_open]
    for order, quantity in zip(orders, ("0.01", "0.005"), strict=True):  # the older one has to be out of the way
        await floor.hit(order, quantity)
    _believe(floor, "canceled")
    trades: OwnTrades = floor.reconciler().comparing._trades
    assert await trades.fetch() == 2
    assert await trades.fetch() == 0
    assert {fill.portfolio_id for fill in floor.fills()} == {PORTFOLIO, "another"}
    assert {found.portfolio_id for found in _breaks(floor)} == {PORTFOLIO, "another"}


async def test_a_fill_the_executor_is_about_to_record_is_not_called_missed(floor: Floor) -> None:
    reconciler = floor.reconciler()
    await _bought(floor)
    trades: OwnTrades = reconciler.comparing._trades
    told = await reconciler.venue.trades("BTC/USDT", 0)
    assert isinstance(told, list)
    floor.world.ask("CREATE TABLE later AS SELECT * FROM ledger.fill; ALTER TABLE ledger.fill DISABLE TRIGGER USER")
    floor.world.ask("DELETE FROM ledger.fill")
    fetching = asyncio.create_task(trades.fetch())
    await asyncio.sleep(0.25)
    floor.world.ask("INSERT INTO ledger.fill SELECT * FROM later; ALTER TABLE ledger.fill ENABLE TRIGGER USER")
    assert await fetching == 0
    assert _breaks(floor) == []
    assert _watermarks(floor) == {"BTC/USDT": told[-1].execution.event_time_us}
