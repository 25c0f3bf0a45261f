"""What happens to an account behind our back: orders by hand, dust, redenominations. Ledger and venue agree again."""

from decimal import Decimal

from trading_floor import Floor

from trimtab.domain.orders import Side
from trimtab.messages import Break


def _breaks(floor: Floor) -> dict[str, tuple[str, Decimal]]:
    """By asset: kind and size of the last break of it."""
    found = [message for message in floor.world.emitted() if isinstance(message, Break)]
    return {each.asset: (each.kind, each.difference) for each in found}


async def test_an_order_of_ours_that_somebody_cancels_by_hand_is_placed_anew(floor: Floor) -> None:
    executor = await floor.executor(patient=True)
    await executor.following.wait()
    floor.reconciler()
    await floor.accepted(executor, await floor.trade(Side.BUY, "0.01"))
    first = await floor.open_order()
    async with floor.http.delete(
        f"{floor.exchange.http}/sim/orders",
        json={"account": floor.account, "symbol": "BTCUSDT", "order_id": first.order_id},
    ) as answer:
        assert answer.status == 200, await answer.text()
    await floor.until(lambda: floor.children()[0]["state"] == "canceled", "its end is known")
    second = await floor.open_order()
    assert second.order_id != first.order_id
    await floor.hit(second, "0.01")
    await floor.holds()


async def test_an_order_by_hand_is_nobodys_fill_and_shows_in_the_balances(floor: Floor) -> None:
    executor = await floor.executor()
    await executor.following.wait()
    reconciler = floor.reconciler()
    await floor.control("orders", account=floor.account, symbol="BTCUSDT", side="BUY", quantity="0.02")
    for _ in range(2):
        await reconciler.comparing.compare()
    kinds = {asset: kind for asset, (kind, _) in _breaks(floor).items()}
    assert kinds == {"BTC": "external_transfer", "USDT": "unexplained"}
    assert "lacks" in floor.halt_reason()
    verdict = await floor.verdict()
    assert (verdict.lost_fills, verdict.invented_fills) == (0, 0)
    assert [line.split(":")[0] for line in verdict.differences] == [f"{floor.account} USDT"]


async def test_dust_that_somebody_converts_is_missing_where_it_was_and_a_deposit_where_it_went(floor: Floor) -> None:
    reconciler = floor.reconciler()
    await floor.control("dust", account=floor.account, assets=["ETH"], into="BTC")
    for _ in range(2):
        await reconciler.comparing.compare()
    found = _breaks(floor)
    assert found["ETH"] == ("unexplained", Decimal(-10))
    assert found["BTC"][0] == "external_transfer"
    assert floor.halt_reason() != ""


async def test_more_units_of_an_asset_are_a_deposit_and_fewer_are_for_a_person(floor: Floor) -> None:
    executor = await floor.executor(patient=True)
    await executor.following.wait()
    reconciler = floor.reconciler()
    await floor.accepted(executor, await floor.trade(Side.SELL, "1", base="ETH"))
    await floor.open_order("ETH")
    floor.market_runs = False
    await floor.control("redenominate", asset="ETH", ratio="1000")
    try:
        await floor.until(lambda: floor.children()[0]["state"] == "canceled", "the exchange cancelled its order")
        for _ in range(2):
            await reconciler.comparing.compare()
        assert _breaks(floor)["ETH"] == ("external_transfer", Decimal(9990))
        assert floor.halt_reason() == ""
    finally:  # the exchange is shared with other tests
        await floor.control("redenominate", asset="ETH", ratio="0.001")
    for _ in range(2):
        await reconciler.comparing.compare()
    assert _breaks(floor)["ETH"] == ("unexplained", Decimal(-9990))
    assert "lacks 9990 ETH" in floor.halt_reason()
