"""Ledger against venue: transfers nobody told of, fills nobody heard of, and money that is missing."""

import asyncio
import time
from decimal import Decimal

from trading_floor import Floor

from ledger_worlds import NOW_US, PORTFOLIO
from trimtab.domain.orders import Side
from trimtab.messages import Break
from trimtab.ports.ledger import UNALLOCATED
from trimtab.ports.venue import ExecutionReport, Reconnected


def _breaks(floor: Floor, kind: str = "") -> list[Break]:
    return [m for m in floor.world.emitted() if isinstance(m, Break) and kind in {"", m.kind}]


async def test_a_deposit_on_an_account_of_its_own_is_booked_to_its_portfolio(floor: Floor) -> None:
    compare = floor.reconciler().comparing.compare
    assert await compare() == ()
    await floor.control("deposit", account=floor.account, asset="USDT", amount="250.5")
    assert await compare() == ()  # one look is not enough
    for _ in range(3):
        await compare()
    await floor.holds()
    assert floor.world.balances()[PORTFOLIO, floor.account, "USDT"][0] == Decimal("100250.5")
    (found,) = _breaks(floor)
    assert (found.kind, found.difference, found.resolution, found.portfolio_id) == (
        "external_transfer",
        Decimal("250.5"),
        "booked",
        PORTFOLIO,
    )
    state = floor.world.states()[-1]
    assert state.reason == "external_transfer"
    # The wall clock that dates a deposit is no event time: a portfolio on a recorded market must not move to today.
    assert state.event_time_us == NOW_US < time.time_ns() // 1_000 - 10**12


async def test_two_deposits_of_the_same_size_are_two(floor: Floor) -> None:
    compare = floor.reconciler().comparing.compare
    for _ in range(2):
        await floor.control("deposit", account=floor.account, asset="ETH", amount="1")
        await compare()
        await compare()
    await compare()
    await floor.holds()
    assert [found.difference for found in _breaks(floor)] == [1, 1]


async def test_a_deposit_on_a_shared_account_belongs_to_nobody_yet(floor: Floor) -> None:
    await floor.world.add_portfolio("other", account=floor.account)
    compare = floor.reconciler().comparing.compare
    await floor.control("deposit", account=floor.account, asset="USDT", amount="7")
    for _ in range(3):
        await compare()
    await floor.holds()
    assert floor.world.balances()[UNALLOCATED, floor.account, "USDT"][0] == 7
    assert [found.portfolio_id for found in _breaks(floor)] == [""]


async def test_missing_money_is_told_once_and_halts_everyone_on_the_account(floor: Floor) -> None:
    await floor.world.add_portfolio("other", account=floor.account)
    await floor.world.add_portfolio("elsewhere", account="another")
    compare = floor.reconciler().comparing.compare
    await floor.control("withdraw", account=floor.account, asset="USDT", amount="10")
    for _ in range(5):
        await compare()
    (found,) = _breaks(floor)
    assert (found.kind, found.difference, found.resolution) == ("unexplained", -10, "")
    assert floor.halt_reason() == f"{floor.account} lacks 10 USDT"
    assert floor.halt_reason("other") == floor.halt_reason()
    assert floor.halt_reason("elsewhere") == ""
    assert (await floor.world.reconciler.sums(floor.account))["USDT"] == 100_000


async def test_more_missing_money_is_told_again_and_halts_again(floor: Floor) -> None:
    compare = floor.reconciler().comparing.compare
    await floor.control("withdraw", account=floor.account, asset="USDT", amount="10")
    for _ in range(3):
        await compare()
    async with floor.world.cli.transaction() as book:
        await book.resume(PORTFOLIO)
    for _ in range(3):
        await compare()
    assert floor.halt_reason() == ""  # a person has seen this one
    await floor.control("withdraw", account=floor.account, asset="USDT", amount="1")
    for _ in range(3):
        await compare()
    assert floor.halt_reason() == f"{floor.account} lacks 11 USDT"
    assert [(b.difference, b.resolution) for b in _breaks(floor)] == [(-10, ""), (-10, "changed"), (-11, "")]


async def test_a_break_that_goes_away_is_closed_and_the_halt_stays(floor: Floor) -> None:
    reconciler = floor.reconciler()
    await floor.control("withdraw", account=floor.account, asset="BTC", amount="0.1")
    for _ in range(3):
        await reconciler.comparing.compare()
    await reconciler.settling.sweep_once()
    assert reconciler.meter.registry.get_sample_value("open_breaks", {"kind": "unexplained"}) == 1
    await floor.control("deposit", account=floor.account, asset="BTC", amount="0.1")
    await reconciler.comparing.compare()
    assert [(found.kind, found.resolution) for found in _breaks(floor)] == [
        ("unexplained", ""),
        ("unexplained", "gone"),
    ]
    assert floor.halt_reason() != ""
    await reconciler.settling.sweep_once()
    assert reconciler.meter.registry.get_sample_value("open_breaks", {"kind": "unexplained"}) == 0
    await floor.holds()


async def test_an_account_whose_order_stays_out_is_compared_too_with_more_patience(floor: Floor) -> None:
    executor = await floor.executor(patient=True)
    hasty, patient = floor.reconciler(busy_confirm_seconds=0.5).comparing, floor.reconciler().comparing
    await floor.accepted(executor, await floor.trade(Side.BUY, "0.01"))
    order = await floor.open_order()
    await floor.control("deposit", account=floor.account, asset="USDT", amount="5")
    for _ in range(3):
        await hasty.compare()
        await patient.compare()
    assert _breaks(floor) == []  # unchanged since the look before, but not for long enough
    await floor.hit(order, "0.004")  # both sides move together: it is still the same difference
    await floor.until(lambda: [fill.quantity for fill in floor.fills()] == [Decimal("0.004")], "recorded")
    await asyncio.sleep(0.5)
    await hasty.compare()
    assert [(found.kind, found.difference) for found in _breaks(floor)] == [("external_transfer", 5)]
    assert floor.children()[0]["state"] == "partially_filled"
    await patient.compare()
    assert len(_breaks(floor)) == 1
    await floor.hit(order, "0.006")
    await floor.holds()


async def test_money_that_goes_while_an_order_is_out_is_missed_and_halts(floor: Floor) -> None:
    executor = await floor.executor(patient=True)
    compare = floor.reconciler(busy_confirm_seconds=0.2).comparing.compare
    await floor.accepted(executor, await floor.trade(Side.BUY, "0.01"))
    await floor.open_order()
    await floor.control("withdraw", account=floor.account, asset="BTC", amount="0.5")
    await compare()
    await asyncio.sleep(0.2)
    await floor.fault("error_before", endpoint="GET /api/v3/order", count=1)
    await compare()
    assert floor.halt_reason() == ""  # what the venue does not say of the order may explain it
    await compare()
    assert floor.halt_reason() == f"{floor.account} lacks 0.5 BTC"


async def test_a_break_is_gone_only_when_no_fill_on_its_way_may_hide_it(floor: Floor) -> None:
    executor = await floor.executor(patient=True)
    await floor.accepted(executor, await floor.trade(Side.BUY, "0.01"))
    await floor.open_order()
    await executor.crash()
    compare = floor.reconciler(busy_confirm_seconds=0.001).comparing.compare

    async def move(way: str) -> None:
        await floor.control(way, account=floor.account, asset="ETH", amount="1")

    await move("withdraw")
    for _ in range(2):
        await compare()
    await move("deposit")
    await compare()  # as a fill would hide it for a moment
    await move("withdraw")
    for _ in range(2):
        await compare()
    assert [found.resolution for found in _breaks(floor)] == [""]
    await move("deposit")
    for _ in range(2):
        await compare()
    assert [found.resolution for found in _breaks(floor)] == ["", "gone"]


async def test_an_order_without_an_answer_may_explain_whatever_differs(floor: Floor) -> None:
    executor = await floor.executor(patient=True, deaf=True, lookup_after_ms=86_400_000)
    compare = floor.reconciler(busy_confirm_seconds=0.2).comparing.compare
    await floor.fault("lost_answer")
    await floor.accepted(executor, await floor.trade(Side.BUY, "0.01"))
    await floor.until(lambda: [c["state"] for c in floor.children()] == ["unknown"], "unknown")
    await floor.control("deposit", account=floor.account, asset="USDT", amount="5")
    for _ in range(3):
        await compare()
        await asyncio.sleep(0.15)
    assert (_breaks(floor), floor.halt_reason()) == ([], "")


async def test_what_is_missing_halts_though_what_arrived_cannot_be_booked(floor: Floor) -> None:
    compare = floor.reconciler().comparing.compare
    floor.world.ask("ALTER TABLE ledger.entry ADD CONSTRAINT no_gifts CHECK (kind <> 'external_transfer')")
    await floor.control("deposit", account=floor.account, asset="BTC", amount="1")
    await floor.control("withdraw", account=floor.account, asset="USDT", amount="10")
    for _ in range(3):
        await compare()
    assert floor.halt_reason() == f"{floor.account} lacks 10 USDT"
    refused = [e for e in floor.captured.entries if e["event"] == "difference not resolved"]
    assert {e["asset"] for e in refused} == {"BTC"}
    floor.world.ask("ALTER TABLE ledger.entry DROP CONSTRAINT no_gifts")
    await compare()
    assert [(found.kind, found.asset) for found in _breaks(floor)] == [
        ("unexplained", "USDT"),
        ("external_transfer", "BTC"),
    ]


async def test_a_deposit_that_is_refused_hides_no_other(floor: Floor) -> None:
    compare = floor.reconciler().comparing.compare
    floor.world.ask("ALTER TABLE ledger.posting ADD CONSTRAINT no_bitcoin CHECK (asset <> 'BTC') NOT VALID")
    for asset in ("BTC", "ETH"):
        await floor.control("deposit", account=floor.account, asset=asset, amount="1")
    for _ in range(3):
        await compare()
    assert [(found.kind, found.asset) for found in _breaks(floor)] == [("external_transfer", "ETH")]


async def test_a_fill_that_nobody_heard_of_is_found_and_settled(floor: Floor) -> None:
    executor = await floor.executor(patient=True)
    reconciler = floor.reconciler()
    trade = await floor.trade(Side.BUY, "0.01")
    await floor.accepted(executor, trade, lifetime_seconds=100)
    order = await floor.open_order()
    await executor.crash()
    await floor.hit(order, "0.004")
    await asyncio.sleep(0.3)
    await asyncio.gather(reconciler.comparing.compare(), reconciler.comparing.compare())
    await floor.until(lambda: [f.quantity for f in floor.fills()] == [Decimal("0.004")], "found")
    (found,) = _breaks(floor)
    assert (found.kind, found.asset, found.difference) == ("missed_fill", "BTC", Decimal("0.004"))
    await floor.hit(order, "0.006")
    await reconciler.comparing.compare()
    assert len(_breaks(floor, "missed_fill")) == 2
    await floor.executor("executor-2", patient=True)
    await floor.holds()
    assert floor.closings() == {trade.trade_id: "filled"}


async def test_a_fill_the_executor_is_about_to_record_is_not_called_missed(floor: Floor) -> None:
    executor = await floor.executor(patient=True)
    reconciler = floor.reconciler()
    await floor.accepted(executor, await floor.trade(Side.BUY, "0.01"))
    order = await floor.open_order()
    await asyncio.sleep(0.3)
    take = executor.watches[0]._take

    async def slowly(event: ExecutionReport | Reconnected) -> None:
        await asyncio.sleep(0.2)
        await take(event)

    executor.watches[0]._take = slowly  # type: ignore[method-assign]  # a busy executor
    await floor.hit(order, "0.01")
    await reconciler.comparing.compare()
    await floor.holds()
    assert _breaks(floor) == []


async def test_a_venue_that_does_not_answer_is_no_difference(floor: Floor) -> None:
    compare = floor.reconciler().comparing.compare
    await compare()
    await floor.fault("error_before", endpoint="GET /api/v3/account", count=2)
    for _ in range(2):
        assert await compare() == ()
    assert (_breaks(floor), floor.halt_reason()) == ([], "")


async def test_one_fill_that_cannot_be_booked_does_not_keep_the_others(floor: Floor) -> None:
    executor = await floor.executor()
    await floor.accepted(executor, await floor.trade(Side.BUY, "0.01"))
    await floor.until(floor.fills, "filled")
    fill = floor.fills()[0]
    floor.world.ask(
        "INSERT INTO ledger.fill SELECT venue, account, 'A:0', client_order_id, parent_id, portfolio_id, instrument,"
        " base, quote, side, price, 1, 0, 'USDT', liquidity, event_time_us - 1 FROM ledger.fill WHERE trade_id = %s"
        " ON CONFLICT DO NOTHING",
        fill.trade_id,
    )
    floor.world.ask("UPDATE ledger.balance SET posted = 1000 WHERE asset = 'USDT'")
    await floor.reconciler().settling.sweep_once()
    booked = {f.trade_id for f in floor.fills()} - {f.trade_id for f in await floor.world.reconciler.unsettled_fills()}
    assert fill.trade_id in booked
    assert "cannot be booked" in floor.halt_reason()
