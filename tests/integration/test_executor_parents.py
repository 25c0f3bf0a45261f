"""Parents: funded by what their sells brought, closed in time, released once; and fees in whatever they are paid."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from exchange_process import Running
from trading_floor import Floor, open_floor

from ledger_worlds import PORTFOLIO, LedgerWorld
from trimtab.domain.orders import ChildOrder, Side
from trimtab.exchange.orders import Order


def _reservations(floor: Floor) -> dict[str, str]:
    rows = floor.world.ask("SELECT parent_id, state FROM ledger.reservation")
    return {str(row["parent_id"]): str(row["state"]) for row in rows}


async def test_a_buy_waits_for_the_settled_fills_of_its_sell_and_shrinks_with_them(floor: Floor) -> None:
    async with floor.world.reconciler.transaction() as book:  # as good as no cash
        await book.transfer("gone", "withdrawal", PORTFOLIO, floor.account, "USDT", Decimal(-99990), 0)
    await floor.control("withdraw", account=floor.account, asset="USDT", amount="99990")
    executor = await floor.executor(patient=True)
    sell = await floor.trade(Side.SELL, "0.02", "sell", base="BTC")
    buy = await floor.trade(Side.BUY, "1", "buy", base="ETH", depends_on=(sell.trade_id,))
    await floor.accepted(executor, sell, buy, lifetime_seconds=100)
    order = await floor.open_order("BTC")
    await floor.hit(order, "0.005")
    await floor.until(lambda: len(floor.fills()) == 1, "a part is sold")
    assert {row["parent_id"]: row["state"] for row in floor.parents()}[buy.trade_id] == "waiting"
    floor.reconciler()
    await asyncio.sleep(0.5)
    assert {row["parent_id"]: row["state"] for row in floor.parents()}[buy.trade_id] == "waiting"  # still working
    await executor.venues[floor.account].cancel(floor.parent_for(Side.SELL), await _child(floor, order))
    await floor.until(lambda: len(floor.children()) > 1, "the rest of the sell is placed anew")
    again = await floor.open_order("BTC")
    await floor.hit(again, "0.015")
    eth = await floor.open_order("ETH")
    bought = {row["parent_id"]: row for row in floor.parents()}[buy.trade_id]
    earned = sum((fill.notional - fill.fee for fill in floor.fills()), Decimal(0))
    assert bought["quantity"] < 1
    assert 0 <= earned + 10 - bought["quantity"] * buy.limit_price < buy.limit_price * Decimal("0.0001")
    assert floor.reserved() == bought["quantity"] * buy.limit_price
    floor.event_offset_us += 101_000_000
    await floor.holds()
    assert floor.closings() == {sell.trade_id: "filled", buy.trade_id: "deadline"}
    assert eth.symbol == "ETHUSDT"


async def _child(floor: Floor, order: Order) -> ChildOrder:
    async with floor.world.executor.transaction() as book:
        located = await book.child(order.client_order_id)
    assert located is not None
    return located[1]


async def test_without_cash_a_buy_closes_for_want_of_funds_when_its_turn_comes(floor: Floor) -> None:
    async with floor.world.reconciler.transaction() as book:
        await book.transfer("gone", "withdrawal", PORTFOLIO, floor.account, "USDT", Decimal(-100000), 0)
    await floor.control("withdraw", account=floor.account, asset="USDT", amount="100000")
    executor = await floor.executor()
    floor.reconciler()
    sell = await floor.trade(Side.SELL, "0.01", "sell", slippage="-0.5")  # nobody pays that
    none = await floor.trade(Side.BUY, "1", "none", base="ETH")
    buy = await floor.trade(Side.BUY, "1", "buy", base="ETH", depends_on=(none.trade_id,))
    await floor.accepted(executor, sell, none, buy, lifetime_seconds=100)
    await floor.until(lambda: len(floor.closings()) == 2, "both buys are closed")
    assert floor.closings() == {none.trade_id: "no_funds", buy.trade_id: "no_funds"}
    floor.event_offset_us += 101_000_000
    await floor.holds()
    assert floor.closings()[sell.trade_id] == "deadline"


async def test_at_its_deadline_an_order_is_taken_back_and_the_rest_is_released_once(floor: Floor) -> None:
    executor = await floor.executor(patient=True)
    floor.reconciler()
    trade = await floor.trade(Side.BUY, "0.01")
    await floor.accepted(executor, trade, lifetime_seconds=100)
    order = await floor.open_order()
    await floor.hit(order, "0.004")
    await floor.until(lambda: len(floor.fills()) == 1, "a part is bought")
    assert floor.reserved() > 0
    floor.event_offset_us += 101_000_000
    await floor.holds()
    assert floor.closings() == {trade.trade_id: "deadline"}
    assert _reservations(floor) == {trade.trade_id: "expired"}
    assert [s.reason for s in floor.world.states()].count("released") == 1
    assert [child["state"] for child in floor.children()] == ["canceled"]
    assert executor.measured("order_fill_ratio_sum", venue="binance") == 0.4


async def test_a_cancel_that_fails_is_tried_until_the_venue_confirms_it(floor: Floor) -> None:
    executor = await floor.executor(patient=True, deaf=True)
    floor.reconciler()
    await floor.accepted(executor, await floor.trade(Side.BUY, "0.01"), lifetime_seconds=100)
    await floor.open_order()
    await floor.fault("error_before", endpoint="DELETE /api/v3/order", count=3)
    floor.event_offset_us += 101_000_000
    await floor.holds()
    assert [child["state"] for child in floor.children()] == ["canceled"]
    assert len(floor.gateway.times("DELETE /api/v3/order")) == 4


async def test_a_cancel_that_comes_too_late_finds_the_fill(floor: Floor) -> None:
    executor = await floor.executor(patient=True, deaf=True)
    floor.reconciler()
    trade = await floor.trade(Side.BUY, "0.01")
    await floor.accepted(executor, trade, lifetime_seconds=100)
    await floor.hit(await floor.open_order(), "0.01")
    floor.event_offset_us += 101_000_000
    await floor.holds()
    assert floor.closings() == {trade.trade_id: "filled"}
    assert len(floor.fills()) == 1


async def test_an_instrument_that_vanishes_leaves_nothing_open(floor: Floor) -> None:
    executor = await floor.executor(patient=True)
    floor.reconciler()
    await floor.accepted(executor, await floor.trade(Side.SELL, "1", base="ETH"), lifetime_seconds=100)
    await floor.open_order("ETH")
    floor.pairs = (("BTC", "USDT"),)
    await asyncio.sleep(0.3)
    floor.event_offset_us += 101_000_000
    await floor.holds()
    assert list(floor.closings().values()) == ["deadline"]


async def test_without_a_market_nothing_stays_at_the_venue(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trimtab.executor.work._SILENCE_US", 700_000)
    executor = await floor.executor(patient=True)
    floor.reconciler()
    trade = await floor.trade(Side.BUY, "0.01")
    await floor.accepted(executor, trade, lifetime_seconds=100)
    await floor.open_order()
    floor.market_runs = False
    await floor.until(lambda: floor.children()[0]["state"] == "canceled", "taken back")
    await asyncio.sleep(0.5)
    assert len(floor.children()) == 1
    floor.market_runs = True
    await floor.until(lambda: len(floor.children()) == 2, "placed again with the market")
    floor.event_offset_us += 101_000_000
    await floor.holds()


@pytest.fixture
async def bnb(still_exchange: Running, ledger_world: LedgerWorld) -> AsyncIterator[Floor]:
    """A floor whose account pays its fees in BNB, of which it has none yet."""
    async with open_floor(still_exchange, ledger_world, fee_asset="BNB") as opened:
        yield opened


async def test_fees_in_a_third_asset_are_paid_by_who_has_it(bnb: Floor) -> None:
    await bnb.control("deposit", account=bnb.account, asset="BNB", amount="1")
    await bnb.world.deposit("BNB", "1", PORTFOLIO, bnb.account)
    executor = await bnb.executor()
    bnb.reconciler()
    await bnb.accepted(executor, await bnb.trade(Side.BUY, "0.01"))
    await bnb.holds()
    assert {fill.fee_asset for fill in bnb.fills()} == {"BNB"}
    paid = sum((fill.fee for fill in bnb.fills()), Decimal(0))
    assert bnb.world.balances()[PORTFOLIO, bnb.account, "BNB"][0] == 1 - paid


async def test_a_fee_nobody_can_cover_halts_and_is_settled_once_the_deposit_is_found(bnb: Floor) -> None:
    await bnb.control("deposit", account=bnb.account, asset="BNB", amount="1")  # the ledger has not heard of it
    executor = await bnb.executor()
    reconciler = bnb.reconciler(busy_confirm_seconds=0.1)
    await bnb.accepted(executor, await bnb.trade(Side.BUY, "0.01"))
    await bnb.until(bnb.halt_reason, "halted")
    assert "cannot be booked" in bnb.halt_reason()
    assert "BNB" in bnb.halt_reason()
    assert not bnb.at_rest()
    for _ in range(2):
        await reconciler.comparing.compare()
        await asyncio.sleep(0.1)  # a fill is not booked: the difference has to stand for a while
    await bnb.holds()
    (booked,) = bnb.world.ask("SELECT amount FROM ledger.posting WHERE holder = '~external' AND asset = 'BNB'")
    assert booked["amount"] == -1  # the deposit itself, not what the fee had left of it
