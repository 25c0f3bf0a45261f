"""What a person took out at the venue: the way from a halted account back to books that agree."""

from decimal import Decimal

from trading_floor import Floor

from ledger_worlds import PORTFOLIO
from trimtab.domain.orders import Side
from trimtab.messages import Break


def _resolutions(floor: Floor) -> list[tuple[str, str]]:
    return [(m.resolution, m.detail) for m in floor.world.emitted() if isinstance(m, Break)]


async def _say(floor: Floor, portfolio: str = PORTFOLIO, asset: str = "USDT") -> Break | None:
    async with floor.world.cli.transaction() as book:
        return await book.explain_break(floor.account, asset, portfolio)


async def _resume(floor: Floor, portfolio: str = PORTFOLIO) -> None:
    async with floor.world.cli.transaction() as book:
        await book.resume(portfolio)


def _posted(floor: Floor, holder: str, asset: str = "USDT") -> Decimal:
    return floor.world.balances()[holder, floor.account, asset][0]


async def test_a_withdrawal_that_is_explained_is_booked_and_the_halt_stays(floor: Floor) -> None:
    compare = floor.reconciler().comparing.compare
    await floor.control("withdraw", account=floor.account, asset="USDT", amount="10")
    assert await _say(floor) is None  # nobody has missed it yet
    for _ in range(3):
        await compare()
    reason = floor.halt_reason()
    assert reason == f"{floor.account} lacks 10 USDT"
    assert await _say(floor) is not None
    assert _posted(floor, PORTFOLIO) == 100_000  # saying so books nothing
    asked = len(floor.gateway.times("GET /api/v3/account"))
    await compare()
    assert len(floor.gateway.times("GET /api/v3/account")) == asked + 1
    assert _posted(floor, PORTFOLIO) == 99_990
    assert _resolutions(floor) == [("", ""), (f"withdrawal of {PORTFOLIO}", "")]
    (entry,) = floor.world.ask("SELECT kind FROM ledger.entry WHERE holder = 'core' AND kind <> 'deposit'")
    assert entry["kind"] == "withdrawal"
    state = floor.world.states()[-1]
    assert (state.reason, state.halted, floor.halt_reason()) == ("withdrawal", True, reason)
    assert {position.asset: position.posted for position in state.positions}["USDT"] == 99_990
    for _ in range(3):
        await compare()
    await _resume(floor)
    await floor.holds()
    assert len(_resolutions(floor)) == 2


async def test_the_same_amount_taken_out_again_is_another_withdrawal(floor: Floor) -> None:
    compare = floor.reconciler().comparing.compare
    for _ in range(2):
        await floor.control("withdraw", account=floor.account, asset="USDT", amount="10")
        for _ in range(3):
            await compare()
        assert await _say(floor) is not None
        await compare()
    assert _posted(floor, PORTFOLIO) == 99_980
    await floor.holds()


async def test_own_trades_are_asked_for_before_a_withdrawal_is_booked(floor: Floor) -> None:
    reconciler = floor.reconciler()
    executor = await floor.executor()
    await floor.accepted(executor, await floor.trade(Side.BUY, "0.01"))
    await floor.until(floor.fills, "filled")
    await floor.until(floor.at_rest, "settled")
    await floor.control("withdraw", account=floor.account, asset="USDT", amount="10")
    for _ in range(3):
        await reconciler.comparing.compare()
    await _say(floor)
    before = _posted(floor, PORTFOLIO)
    await floor.fault("error_before", endpoint="GET /api/v3/myTrades")
    await reconciler.comparing.compare()
    assert _posted(floor, PORTFOLIO) == before
    await reconciler.comparing.compare()
    assert _posted(floor, PORTFOLIO) == before - 10


async def test_what_a_portfolio_does_not_have_available_is_not_booked_and_said_once(floor: Floor) -> None:
    await floor.world.add_portfolio("other", account=floor.account)
    await floor.world.deposit("USDT", "4", "other", floor.account)
    await floor.control("deposit", account=floor.account, asset="USDT", amount="4")
    compare = floor.reconciler().comparing.compare
    await floor.control("withdraw", account=floor.account, asset="USDT", amount="10")
    for _ in range(3):
        await compare()
    await _say(floor, "other")
    for _ in range(3):
        await compare()
    short = "other has 4 USDT available, 6 too little"
    assert _resolutions(floor) == [("", ""), ("", short)]
    assert [found.detail for found in await floor.world.cli.open_breaks(floor.account)] == [short]
    said = [e for e in floor.captured.entries if e["event"] == "withdrawal cannot be booked"]
    assert [(e["log_level"], e["reason"]) for e in said] == [("error", short)]
    assert floor.halt_reason("other") == f"{floor.account} lacks 10 USDT"
    assert (_posted(floor, PORTFOLIO), _posted(floor, "other")) == (100_000, 4)
    await _say(floor, PORTFOLIO)  # a slip, mended
    await compare()
    assert (_posted(floor, PORTFOLIO), _posted(floor, "other")) == (99_990, 4)
    assert _resolutions(floor)[2:] == [(f"withdrawal of {PORTFOLIO}", "")]
    await floor.holds()


async def test_what_an_open_order_has_reserved_is_taken_only_once_it_is_released(floor: Floor) -> None:
    await floor.world.add_portfolio("other", account=floor.account)
    await floor.world.deposit("BTC", "1", "other", floor.account)
    await floor.control("deposit", account=floor.account, asset="BTC", amount="1")
    executor = await floor.executor(patient=True)
    await floor.accepted(executor, await floor.trade(Side.SELL, "0.9"))
    await floor.open_order()
    await executor.crash()
    compare = floor.reconciler(busy_confirm_seconds=0.001).comparing.compare
    await floor.control("withdraw", account=floor.account, asset="BTC", amount="0.5")
    for _ in range(2):
        await compare()
    assert await _say(floor, asset="BTC") is not None
    await compare()
    (found,) = await floor.world.cli.open_breaks(floor.account)
    assert found.detail == "core has 0.1 BTC available, 0.4 too little"
    await floor.executor("executor-2", patient=True)
    await floor.until(floor.at_rest, "halted: taken back and released")
    await compare()
    assert (_posted(floor, PORTFOLIO, "BTC"), _posted(floor, "other", "BTC")) == (Decimal("0.5"), 1)
    await floor.holds()


async def test_a_difference_that_has_changed_has_to_be_explained_again(floor: Floor) -> None:
    compare = floor.reconciler().comparing.compare
    await floor.control("withdraw", account=floor.account, asset="USDT", amount="10")
    for _ in range(3):
        await compare()
    await _say(floor)
    await floor.control("withdraw", account=floor.account, asset="USDT", amount="1")
    for _ in range(4):
        await compare()
    assert [resolution for resolution, _ in _resolutions(floor)] == ["", "changed", ""]
    assert _posted(floor, PORTFOLIO) == 100_000
    await _say(floor)
    await compare()
    assert _posted(floor, PORTFOLIO) == 99_989
    await floor.holds()


async def test_what_came_back_needs_no_explanation(floor: Floor) -> None:
    compare = floor.reconciler().comparing.compare
    await floor.control("withdraw", account=floor.account, asset="USDT", amount="10")
    for _ in range(3):
        await compare()
    await _say(floor)
    await floor.control("deposit", account=floor.account, asset="USDT", amount="10")
    for _ in range(3):
        await compare()
    assert [resolution for resolution, _ in _resolutions(floor)] == ["", "gone"]
    assert _posted(floor, PORTFOLIO) == 100_000
    assert await _say(floor) is None
