"""A venue under maintenance: what was sent meanwhile is settled afterwards, and what rested still rests."""

from decimal import Decimal

from trading_floor import Floor

from trimtab.domain.orders import Side


async def test_an_order_sent_into_maintenance_is_not_there_and_a_resting_one_fills_afterwards(floor: Floor) -> None:
    executor = await floor.executor(patient=True)
    await executor.following.wait()
    reconciler = floor.reconciler()
    await floor.accepted(executor, await floor.trade(Side.BUY, "0.01"))
    resting = await floor.open_order()
    other = await floor.trade(Side.SELL, "0.02", base="ETH")
    floor.market_runs = False
    executor.following.clear()
    await floor.fault("maintenance", duration_ms=None)
    await floor.until(lambda: floor.journal().faults[-1]["struck"] == "exchange: closed", "the doors are closed")
    await floor.accepted(executor, other)
    await floor.until(lambda: "unknown" in {child["state"] for child in floor.children()}, "its outcome is unknown")
    await reconciler.comparing.compare()  # the venue tells nothing: nothing follows from that
    assert floor.halt_reason() == ""
    await floor.http.delete(f"{floor.exchange.http}/sim/faults")
    await executor.following.wait()
    floor.market_runs = True
    await floor.hit(resting, "0.01")

    async def sent_again() -> bool:
        return any(o.symbol == "ETHUSDT" and o.account == floor.account for o in floor.journal().orders.values())

    await floor.until(sent_again, "the order arrives once its absence is proven")
    placed = next(o for o in floor.journal().orders.values() if o.symbol == "ETHUSDT" and o.account == floor.account)
    await floor.until(lambda: "accepted" in {child["state"] for child in floor.children()}, "known")
    await floor.hit(placed, "0.02")
    await floor.holds()
    bought = sum((e.quantity for e in floor.journal().executions_of(floor.account) if e.side == "BUY"), Decimal(0))
    assert bought == Decimal("0.01")
