"""Orders between two assets without cash, ETH/BTC: reserved, filled, charged and settled in what they move."""

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from trading_floor import PAIRS, START, Floor, open_floor, standing_still

from ledger_worlds import PORTFOLIO, LedgerWorld
from trimtab.domain.orders import Side
from trimtab.domain.portfolio import Limits, Portfolio, Threshold
from trimtab.drift.decision import decide
from trimtab.frames import Feed
from trimtab.messages import Signal, Trade
from trimtab.settings import DriftSettings


@pytest.fixture
async def floor(tmp_path: Path, ledger_world: LedgerWorld) -> AsyncIterator[Floor]:
    """A floor that lists ETH/BTC too; "core" has 1 BTC, 10 ETH and 100,000 USDT."""
    with standing_still(tmp_path, "BTCUSDT", "ETHUSDT", "ETHBTC") as exchange:
        async with open_floor(exchange, ledger_world, pairs=(*PAIRS, ("ETH", "BTC"))) as opened:
            yield opened


def held(floor: Floor) -> dict[str, tuple[Decimal, Decimal]]:
    """Return what the portfolio has of each asset: posted, reserved."""
    balances = floor.world.balances()
    return {asset: balances[PORTFOLIO, floor.account, asset] for asset in START}


def moved(floor: Floor) -> dict[str, Decimal]:
    """Return what the fills changed, fees included."""
    changed = {asset: Decimal(0) for asset in START}
    for fill in floor.fills():
        changed[fill.base] += fill.quantity * fill.side.sign
        changed[fill.quote] -= fill.notional * fill.side.sign
        changed[fill.fee_asset] -= fill.fee
    return changed


async def resting(floor: Floor, side: Side, quantity: str) -> Trade:
    """Return a trade in ETH/BTC that a patient executor rests: where nothing moves, waiting costs nothing."""
    trade = await floor.trade(side, quantity, "cross", base="ETH", quote="BTC")
    return replace(trade, volatility=Decimal(0))


async def placed(floor: Floor) -> Any:
    """Wait for the order, and let the counterparty take what is before it in the queue; return it."""
    order = await floor.open_order("ETH", "BTC")
    bids, asks = await floor.book("ETH", "BTC")
    price, size = (bids if order.side == "BUY" else asks)[0]
    if Decimal(price) == order.price:
        await floor.hit(order, size)
    return order


async def settled(floor: Floor) -> dict[str, Decimal]:
    """Wait until ledger and venue are at rest and equal; return what the portfolio gained of each asset."""
    await floor.holds()
    changes = {asset: held(floor)[asset][0] - Decimal(amount) for asset, amount in START.items()}
    assert changes == moved(floor)
    assert changes["USDT"] == 0
    return changes


async def test_a_cross_that_buys_reserves_its_quote_and_pays_its_fee_in_what_it_gets(floor: Floor) -> None:
    executor = await floor.executor(patient=True)
    trade = await resting(floor, Side.BUY, "5")
    await floor.accepted(executor, trade, lifetime_seconds=100)
    order = await placed(floor)
    assert order.symbol == "ETHBTC"
    assert held(floor)["BTC"] == (Decimal(1), 5 * trade.limit_price)
    assert (held(floor)["ETH"][1], held(floor)["USDT"][1]) == (0, 0)
    await floor.hit(order, "2")
    floor.reconciler()
    await floor.until(lambda: held(floor)["ETH"][0] > 10, "a part is booked")
    assert held(floor)["BTC"][1] == 5 * trade.limit_price - 2 * order.price
    await floor.hit(order, "3")
    changes = await settled(floor)
    assert {fill.fee_asset for fill in floor.fills()} == {"ETH"}
    assert changes["ETH"] == 5 - sum(fill.fee for fill in floor.fills()) < 5
    assert changes["BTC"] == -5 * order.price
    assert floor.closings() == {trade.trade_id: "filled"}


async def test_a_cross_that_sells_reserves_its_base_and_what_is_unfilled_at_its_deadline_is_free_again(
    floor: Floor,
) -> None:
    executor = await floor.executor(patient=True)
    trade = await resting(floor, Side.SELL, "4")
    await floor.accepted(executor, trade, lifetime_seconds=100)
    order = await placed(floor)
    assert held(floor)["ETH"] == (Decimal(10), Decimal(4))
    assert (held(floor)["BTC"][1], held(floor)["USDT"][1]) == (0, 0)
    await floor.hit(order, "1.5")
    floor.reconciler()
    await floor.until(lambda: held(floor)["ETH"][0] < 10, "a part is booked")
    assert held(floor)["ETH"] == (Decimal("8.5"), Decimal("2.5"))
    floor.event_offset_us += 101_000_000
    changes = await settled(floor)
    assert {fill.fee_asset for fill in floor.fills()} == {"BTC"}
    assert changes["ETH"] == Decimal("-1.5")
    assert changes["BTC"] == Decimal("1.5") * order.price - sum(fill.fee for fill in floor.fills())
    assert floor.closings() == {trade.trade_id: "deadline"}


async def test_a_cross_shrinks_to_the_quote_that_is_there(floor: Floor) -> None:
    executor = await floor.executor()
    floor.reconciler()
    sale = await floor.trade(Side.SELL, "0.9", "sale")
    cross = await floor.trade(Side.BUY, "5", "cross", base="ETH", quote="BTC")
    await floor.accepted(executor, sale, cross)
    rows = {row["parent_id"]: row for row in floor.parents()}
    wanted = rows[cross.trade_id]["quantity"]
    assert 0 <= Decimal("0.1") - wanted * cross.limit_price < Decimal("0.0001") * cross.limit_price
    await floor.holds()
    assert floor.closings() == {sale.trade_id: "filled", cross.trade_id: "filled"}


async def test_what_drift_plans_across_is_one_order_and_comes_out_as_planned(floor: Floor) -> None:
    executor = await floor.executor()
    floor.reconciler()
    signal = await _decided(floor)
    (trade,) = signal.trades
    assert (trade.instrument, trade.side, signal.deferred) == ("ETH/BTC", Side.BUY, ())
    await executor.take(signal)
    changes = await settled(floor)
    assert trade.quantity * trade.limit_price >= -changes["BTC"] > 0
    assert trade.quantity >= changes["ETH"] >= trade.quantity * Decimal("0.999")


async def _decided(floor: Floor) -> Signal:
    """Let drift decide on the floor's market and the ledger's newest state, with a tenth too much in BTC for ETH."""
    async with floor.world.cli.transaction() as book:
        await book.bump(PORTFOLIO, "deposit", 0)
    market = Feed().advance(await floor.frame(), 1).market
    values = {a: Decimal(n) * (market.quotes[f"binance:{a}/USDT"].mid if a != "USDT" else 1) for a, n in START.items()}
    weights = {asset: (value / sum(values.values())).quantize(Decimal("1e-18")) for asset, value in values.items()}
    weights["BTC"] -= Decimal("0.1")
    weights["ETH"] = 1 - weights["BTC"] - weights["USDT"]
    owned = Portfolio(
        PORTFOLIO,
        "USDT",
        tuple(sorted(weights.items())),
        accounts=(floor.account,),
        policy=Threshold(absolute=Decimal("0.01")),
        limits=Limits(max_trade_share=Decimal(1)),
    )
    decision = decide(market, None, floor.world.states()[-1], owned, DriftSettings())
    assert isinstance(decision, Signal), decision
    return decision
