"""Orders whose market closes, empties or goes away under them: they end, what they held is free again."""

import asyncio
from decimal import Decimal

from trading_floor import Floor

from trimtab.domain.orders import Side
from trimtab.messages import Break


async def _over(floor: Floor) -> None:
    await floor.http.delete(f"{floor.exchange.http}/sim/faults")


async def test_an_order_on_a_closed_market_is_refused_and_closes_its_parent(floor: Floor) -> None:
    executor = await floor.executor()
    floor.reconciler()
    await floor.fault("halt", symbol="BTCUSDT", duration_ms=None)
    await floor.accepted(executor, await floor.trade(Side.BUY, "0.01"))
    await floor.until(floor.closings, "closed")
    await floor.holds()
    assert list(floor.closings().values()) == ["refused: market_closed"]
    await _over(floor)
    assert floor.halt_reason() == ""


async def test_an_order_that_rests_when_its_market_closes_fills_once_it_opens(floor: Floor) -> None:
    executor = await floor.executor(patient=True)
    await executor.following.wait()
    floor.reconciler()
    await floor.accepted(executor, await floor.trade(Side.BUY, "0.01"))
    order = await floor.open_order()
    await floor.fault("halt", symbol="BTCUSDT", duration_ms=None)
    await _over(floor)
    await floor.hit(order, "0.01")
    await floor.holds()
    assert [child["state"] for child in floor.children()] == ["filled"]


async def test_an_order_into_an_empty_book_fills_nothing_and_another_does_once_it_is_full_again(floor: Floor) -> None:
    executor = await floor.executor()
    floor.reconciler()
    trade = await floor.trade(Side.BUY, "0.01")
    floor.market_runs = False  # the frames still show the book as it was
    await floor.fault("empty_book", symbol="BTCUSDT", duration_ms=None)
    await floor.accepted(executor, trade)
    placed = {"accepted", "canceled", "expired"}  # at rest first, or across at once: as old as its frame happens to be
    await floor.until(lambda: placed & {child["state"] for child in floor.children()}, "the venue has answered")
    assert floor.fills() == []
    await _over(floor)
    floor.market_runs = True
    await floor.holds()
    assert sum(fill.quantity for fill in floor.fills()) == Decimal("0.01")


async def test_a_delisting_takes_the_order_and_nothing_stays_reserved(floor: Floor) -> None:
    executor = await floor.executor(patient=True)
    await executor.following.wait()
    reconciler = floor.reconciler()
    await floor.accepted(executor, await floor.trade(Side.BUY, "0.01"))
    order = await floor.open_order()
    await floor.hit(order, "0.004")
    await floor.until(floor.fills, "partially filled")
    floor.market_runs = False
    await floor.fault("delisting", symbol="BTCUSDT", duration_ms=None)
    await floor.until(lambda: floor.children()[0]["state"] == "canceled", "canceled")
    await floor.until(floor.closings, "closed")
    await floor.until(floor.at_rest, "settled")
    assert floor.reserved() == 0
    await reconciler.comparing.compare()  # it cannot be asked for its trades any more: that is no reason to stop
    await floor.control("deposit", account=floor.account, asset="USDT", amount="5")
    for _ in range(2):
        await reconciler.comparing.compare()
    await floor.holds()
    assert floor.halt_reason() == ""
    await _over(floor)


async def test_an_order_that_went_with_its_market_unheard_is_reported_and_holds_up_nothing_else(floor: Floor) -> None:
    executor = await floor.executor(patient=True)
    await executor.following.wait()
    reconciler = floor.reconciler(busy_confirm_seconds=0.001)
    await floor.accepted(executor, await floor.trade(Side.BUY, "0.01"))
    order = await floor.open_order()
    await floor.hit(order, "0.004")
    await floor.until(floor.fills, "partially filled")
    await asyncio.sleep(0.3)
    await reconciler.comparing.compare()  # it looks the order up, and has the rules of its instrument from then on
    floor.market_runs = False
    await floor.fault("stream_silence", f"{floor.account}@", streams="user", duration_ms=None)
    await floor.fault("delisting", symbol="BTCUSDT", duration_ms=None)

    async def reported() -> bool:
        await reconciler.comparing.compare()
        return floor.halt_reason() != ""

    await floor.until(reported, "the order is reported")
    assert "does not know order" in floor.halt_reason()
    assert floor.reserved() > 0  # a person finds out what became of it
    await floor.control("deposit", account=floor.account, asset="ETH", amount="5")
    for _ in range(2):
        await reconciler.comparing.compare()
    breaks = [message.kind for message in floor.world.emitted() if isinstance(message, Break)]
    assert breaks == ["unknown_order", "external_transfer"]
    await _over(floor)
    for _ in range(2):  # listed again, the venue tells of it: it was cancelled
        await reconciler.comparing.compare()
    await floor.until(lambda: floor.children()[0]["state"] == "canceled", "it is known how it ended")
