"""Plans by example: funding, filters, caps, crosses, several accounts and venues."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_FLOOR, Decimal

import pytest
from drift_worlds import (
    NOW_US,
    PRICES,
    SETTINGS,
    D,
    instrument,
    market,
    portfolio,
    positions,
    quote,
    risk,
    state,
    weights_to_positions,
)

from trimtab.domain.market import Market, Quote
from trimtab.domain.orders import Side
from trimtab.domain.portfolio import Limits, NoTradeRegion, Policy, Threshold
from trimtab.drift.decision import Decision, decide
from trimtab.drift.funding import Stand, capped, funded
from trimtab.drift.policy import Correction
from trimtab.drift.purse import Purse
from trimtab.messages import Position, Signal, Trade

ANY = Limits(min_trade=D(0), max_trade_share=D(1))


def rebalance(
    weights: Mapping[str, Decimal],
    targets: Mapping[str, str],
    *,
    policy: Policy | None = None,
    limits: Limits = ANY,
    at: Market | None = None,
    held: Sequence[Position] | None = None,
    accounts: tuple[str, ...] = ("main",),
) -> Decision:
    wanted = portfolio(
        targets=tuple((asset, D(weight)) for asset, weight in sorted(targets.items())),
        policy=policy or Threshold(absolute=D("0.01")),
        limits=limits,
        accounts=accounts,
    )
    return decide(at or market(), risk(), state(held or weights_to_positions(weights)), wanted, SETTINGS)


def trades(decision: Decision) -> dict[tuple[str, Side], Trade]:
    assert isinstance(decision, Signal)
    return {(trade.base, trade.side): trade for trade in decision.trades}


def test_sells_come_first_and_buys_name_the_sells_that_fund_them() -> None:
    found = rebalance({"BTC": D("0.7"), "ETH": D("0.2")}, {"BTC": "0.6", "ETH": "0.3", "USDT": "0.1"})
    assert isinstance(found, Signal)
    sell, buy = found.trades
    assert (sell.base, sell.side, sell.depends_on) == ("BTC", Side.SELL, ())
    assert (buy.base, buy.side, buy.depends_on) == ("ETH", Side.BUY, (sell.trade_id,))
    assert sell.quantity == D("10000") / PRICES["BTC"] // D("0.00001") * D("0.00001")


def test_a_deposit_is_spent_before_anything_is_sold() -> None:
    # All are under but for cash, which just came in.
    found = trades(rebalance({"BTC": D("0.50"), "ETH": D("0.25")}, {"BTC": "0.6", "ETH": "0.3", "USDT": "0.1"}))
    assert {side for _, side in found} == {Side.BUY}
    assert all(trade.depends_on == () for trade in found.values())


def test_spare_cash_pays_before_the_proceeds_of_a_sale() -> None:
    # 10,000 to buy: 7,500 spare cash, 2,500 from the sale of BTC.
    found = trades(rebalance({"BTC": D("0.625"), "ETH": D("0.2")}, {"BTC": "0.6", "ETH": "0.3", "USDT": "0.1"}))
    assert found["ETH", Side.BUY].depends_on == (found["BTC", Side.SELL].trade_id,)
    rich = trades(rebalance({"BTC": D("0.61"), "ETH": D("0.29")}, {"BTC": "0.6", "ETH": "0.3", "USDT": "0.1"}))
    assert rich["ETH", Side.BUY].depends_on == (rich["BTC", Side.SELL].trade_id,)


def test_without_cash_the_asset_that_most_wants_to_go_down_is_sold() -> None:
    # Only ETH is out of its band, and there is nothing to buy it with.
    found = trades(
        rebalance(
            {"BTC": D("0.52"), "ETH": D("0.44"), "SOL": D("0.04")},
            {"BTC": "0.5", "ETH": "0.5"},
            policy=NoTradeRegion(),
            at=market(),
        )
    )
    assert ("SOL", Side.SELL) in found
    assert found["ETH", Side.BUY].depends_on


@pytest.mark.parametrize("step", ["0.01", "0.07", "0.1", "0.2"])
def test_a_coarse_step_takes_nothing_past_its_edge_to_pay_for_a_buy(step: str) -> None:
    coarse = quote(instrument("BTC", step=D(step)), PRICES["BTC"])
    held, wanted = {"BTC": D("0.6"), "ETH": D("0.4")}, {"BTC": "0.5", "ETH": "0.5"}
    fine = trades(rebalance(held, wanted, policy=NoTradeRegion()))
    found = rebalance(held, wanted, policy=NoTradeRegion(), at=market(quotes=[coarse]))
    most = fine["BTC", Side.SELL].quantity // D(step) * D(step)
    if most:
        assert trades(found)["BTC", Side.SELL].quantity == most
        assert isinstance(found, Signal)
        assert found.deferred == (), "what the step keeps back is not to be traded"
    else:
        assert found.reason == "insufficient_funds"


def test_a_trade_larger_than_its_share_is_capped() -> None:
    limits = Limits(min_trade=D(1), max_trade_share=D("0.04"))
    found = trades(
        rebalance({"BTC": D("0.7"), "ETH": D("0.2")}, {"BTC": "0.6", "ETH": "0.3", "USDT": "0.1"}, limits=limits)
    )
    assert set(found) == {("BTC", Side.SELL), ("ETH", Side.BUY)}
    for trade in found.values():
        assert D(3_990) < trade.quantity * trade.decision_price <= D(4_000)


def test_what_the_venue_does_not_take_is_left_out_and_the_rest_goes_on() -> None:
    closed = quote(instrument("ETH", tradable=False), PRICES["ETH"])
    found = trades(
        rebalance(
            {"BTC": D("0.7"), "ETH": D("0.2")},
            {"BTC": "0.6", "ETH": "0.3", "USDT": "0.1"},
            at=market(quotes=[closed]),
        )
    )
    assert set(found) == {("BTC", Side.SELL)}


@pytest.mark.parametrize(
    "rules",
    [{"min_notional": D(10_001)}, {"min_quantity": D("0.2")}, {"step": D(1)}],
    ids=["notional", "quantity", "step"],
)
def test_a_trade_below_the_venues_minimum_is_left_out(rules: dict[str, object]) -> None:
    strict = quote(instrument("BTC", **rules), PRICES["BTC"])
    found = trades(
        rebalance(
            {"BTC": D("0.7"), "ETH": D("0.2")},
            {"BTC": "0.6", "ETH": "0.3", "USDT": "0.1"},
            at=market(quotes=[strict]),
        )
    )
    assert set(found) == {("ETH", Side.BUY)}


def test_each_account_sells_what_it_has_and_buys_with_what_it_has() -> None:
    held = (
        *positions({"BTC": D(1), "USDT": D(0)}, "first"),
        *positions({"ETH": D(10), "USDT": D(20_000)}, "second"),
    )
    found = rebalance({}, {"BTC": "0.4", "ETH": "0.4", "USDT": "0.2"}, held=held, accounts=("first", "second"))
    assert isinstance(found, Signal)
    placed = [(trade.account, trade.base, trade.side, len(trade.depends_on)) for trade in found.trades]
    # The sale's proceeds are in the first account; a buy there waits for them.
    assert placed == [("first", "BTC", Side.SELL, 0), ("first", "ETH", Side.BUY, 1)]


def test_what_one_account_cannot_pay_the_next_one_does_and_the_one_that_pays_most_comes_first() -> None:
    held = (
        *positions({"BTC": D("0.5"), "USDT": D(3_000)}, "second"),
        *positions({"USDT": D(27_000)}, "first"),
    )
    found = rebalance({}, {"BTC": "0.99", "USDT": "0.01"}, held=held, accounts=("second", "first"))
    assert isinstance(found, Signal)
    assert [trade.account for trade in found.trades] == ["first", "second"]


def test_an_account_the_portfolio_does_not_name_comes_last() -> None:
    held = (*positions({"USDT": D(10_000)}, "zeta"), *positions({"USDT": D(10_000)}, "alpha"))
    found = rebalance({}, {"BTC": "0.2", "USDT": "0.8"}, held=held, accounts=("zeta",))
    assert isinstance(found, Signal)
    assert [trade.account for trade in found.trades] == ["zeta"]


def test_reserved_balances_are_not_spent() -> None:
    held = (Position("main", "binance", "BTC", D(1), D("0.99")), Position("main", "binance", "USDT", D(0), D(0)))
    found = trades(rebalance({}, {"BTC": "0.5", "USDT": "0.5"}, held=held))
    assert found["BTC", Side.SELL].quantity == D("0.01")


def test_ids_are_hashes_of_their_causes() -> None:
    weights, targets = {"BTC": D("0.7"), "ETH": D("0.2")}, {"BTC": "0.6", "ETH": "0.3", "USDT": "0.1"}
    first, again = rebalance(weights, targets), rebalance(weights, targets)
    assert first == again
    later = market()
    later = Market(later.offset + 1, later.event_time_us, later.complete, later.instruments, later.quotes)
    other = rebalance(weights, targets, at=later)
    assert isinstance(first, Signal)
    assert isinstance(other, Signal)
    assert first.signal_id != other.signal_id
    assert {t.trade_id for t in first.trades}.isdisjoint(t.trade_id for t in other.trades)


def test_the_signal_cites_its_frontier_and_its_deadline() -> None:
    found = rebalance({"BTC": D("0.7"), "ETH": D("0.2")}, {"BTC": "0.6", "ETH": "0.3", "USDT": "0.1"})
    assert isinstance(found, Signal)
    assert (found.frame_offset, found.risk_offset, found.ledger_version, found.document_version) == (7, 3, 4, 1)
    assert found.deadline_us - found.event_time_us == SETTINGS.signal_lifetime_seconds * 1_000_000
    assert found.trades[0].volatility == D("0.5")


# --- crosses ----------------------------------------------------------------------------------------------------------

OFF = {"BTC": D("0.7"), "ETH": D("0.2")}
BACK = {"BTC": "0.6", "ETH": "0.3", "USDT": "0.1"}


def cross(base: str = "ETH", other: str = "BTC", *, price: str = "0.05", **rules: object) -> Quote:
    """The book of a pair without cash, at what its two assets cost elsewhere."""
    fine: dict[str, object] = {"tick": D("0.00001"), "step": D("0.0001"), "min_notional": D("0.0001")}
    listed = instrument(base, symbol=f"{base}/{other}", quote=other, **fine | rules)
    return quote(listed, D(price), spread=D("0.00002"))


def test_one_order_changes_what_is_over_into_what_is_under_where_the_venue_lists_the_pair() -> None:
    found = rebalance(OFF, BACK, at=market(quotes=[cross()]))
    assert isinstance(found, Signal)
    (trade,) = found.trades
    assert (trade.instrument, trade.base, trade.quote, trade.side) == ("ETH/BTC", "ETH", "BTC", Side.BUY)
    # 10,000 USDT of BTC at 60,000; its fee is in BTC too.
    assert trade.quantity == (D(10_000) / 60_000 / (D("0.05") * D("1.001"))).quantize(D("0.0001"), ROUND_FLOOR)
    assert trade.limit_price == D("0.05003"), "one and a half spreads, in BTC"
    assert trade.volatility == (D("0.49") + D("0.25") - 2 * D("0.175")).sqrt().quantize(D("1e-18"))
    assert (trade.depends_on, found.deferred) == ((), ())


def test_the_pair_may_be_listed_the_other_way_round() -> None:
    found = rebalance(OFF, BACK, at=market(quotes=[cross("BTC", "ETH", price="20")]))
    assert isinstance(found, Signal)
    assert [(trade.instrument, trade.side) for trade in found.trades] == [("BTC/ETH", Side.SELL)]


def test_what_a_cross_leaves_over_is_traded_against_cash() -> None:
    found = trades(rebalance({"BTC": D("0.75"), "ETH": D("0.2")}, BACK, at=market(quotes=[cross()])))
    assert {(trade.instrument, trade.side) for trade in found.values()} == {
        ("BTC/USDT", Side.SELL),
        ("ETH/BTC", Side.BUY),
    }


@pytest.mark.parametrize(
    "book",
    [
        cross(taker_fee=D("0.01")),
        cross(tradable=False),
        cross(min_notional=D(1)),
        cross(step=D(4)),
        replace(cross(), bids=()),
        replace(cross(), event_time_us=NOW_US - 3_600_000_000),
    ],
    ids=["dear", "closed", "notional", "coarse", "empty", "stale"],
)
def test_two_orders_do_what_a_cross_cannot_do_as_well(book: Quote) -> None:
    assert rebalance(OFF, BACK, at=market(quotes=[book])) == rebalance(OFF, BACK)


def test_a_cross_stays_in_the_account_that_has_what_it_spends() -> None:
    held = (*positions({"BTC": D(1), "ETH": D(0)}, "first"), *positions({"ETH": D(10), "USDT": D(10_000)}, "second"))
    found = rebalance(
        {},
        {"BTC": "0.5", "ETH": "0.4", "USDT": "0.1"},
        held=held,
        accounts=("second", "first"),
        at=market(quotes=[cross()]),
    )
    assert isinstance(found, Signal)
    assert [(trade.account, trade.instrument) for trade in found.trades] == [("first", "ETH/BTC")]


# --- what is left undone ----------------------------------------------------------------------------------------------


def test_what_is_not_brought_all_the_way_is_said_with_its_reason() -> None:
    closed = quote(instrument("ETH", tradable=False), PRICES["ETH"])
    coarse = quote(instrument("SOL", min_quantity=D(100)), PRICES["SOL"])
    limits = Limits(min_trade=D(1), max_trade_share=D("0.04"))
    targets = {"BTC": "0.6", "ETH": "0.2", "SOL": "0.2"}
    found = rebalance(
        {"BTC": D("0.7"), "ETH": D("0.15"), "SOL": D("0.1")}, targets, limits=limits, at=market(quotes=[closed, coarse])
    )
    assert isinstance(found, Signal)
    assert [(trade.base, trade.side) for trade in found.trades] == [("BTC", Side.SELL)]
    assert {(d.asset, d.reason) for d in found.deferred} == {("BTC", "max_trade_share"), ("SOL", "below_minimum_trade")}


def test_a_buy_that_nothing_can_pay_for_is_deferred() -> None:
    held = (
        Position("main", "binance", "BTC", D(1), D(0)),
        Position("main", "binance", "USDT", D(60_000), D(60_000)),
    )
    found = rebalance({}, {"BTC": "0.4", "ETH": "0.6"}, held=held)
    assert isinstance(found, Signal)
    assert {(d.asset, d.reason) for d in found.deferred} == {("ETH", "insufficient_funds")}


# --- parts ------------------------------------------------------------------------------------------------------------


def test_a_purse_gives_spare_cash_then_proceeds_then_the_rest() -> None:
    first, second = ("main", "A/USDT", Side.SELL), ("main", "B/USDT", Side.SELL)
    purse = Purse(spare=D(5), kept=D(10), proceeds=[(first, D(3)), (second, D(4))])
    assert purse.cash == 22
    assert purse.draw(D(5)) == ()
    assert purse.draw(D(4)) == (first, second)
    assert purse.draw(D(5)) == (second,)
    assert (purse.spare, purse.proceeds, purse.kept) == (0, [], 8)


def test_capping_is_symmetric() -> None:
    wide = (Correction("A", D("0.3")), Correction("B", D("-0.3")), Correction("C", D("0.05")))
    assert [c.change for c in capped(wide, D("0.1"))] == [D("0.1"), D("-0.1"), D("0.05")]


def stand(asset: str, *, room: str = "0", **changes: object) -> Stand:
    base = Stand(asset, D("0.1"), D("0.1"), D(0), (), D(0), D(0), D(room), D(1), D(1))
    return replace(base, **changes)  # type: ignore[arg-type]  # field names are checked by the dataclass itself


def test_missing_money_is_raised_in_order_by_as_few_as_can_and_never_beyond_room_or_cap() -> None:
    stands = [stand("A"), stand("B", room="0.12"), stand("C", room="0.05"), stand("D", room="0.2")]
    room = [Correction(s.asset, -s.room) for s in stands[1:]]
    buys = (Correction("A", D("0.30")),)

    def extra(cash: str) -> dict[str, Decimal]:
        return {c.asset: c.change for c in funded(buys, room, stands, D(cash)).extra}

    assert extra("0.02") == {"B": D("-0.1"), "D": D("-0.1"), "C": D("-0.05")}
    assert extra("0.22") == {"B": D("-0.08")}
    assert extra("0.26") == {"B": D("-0.04")}, "the first that can"
    assert extra("0.3") == {}


def test_a_sale_that_pays_is_bounded_by_the_band_of_whoever_pays_and_of_those_around() -> None:
    # Selling B drags C, which is not traded, towards its trigger; B itself has its landing edge far away.
    a = stand("A", effective=D("-0.1"), effect=(D(1), D(0), D(0)), landing=D("0.05"), trigger=D("0.08"))
    b = stand("B", effective=D(0), effect=(D(0), D(1), D("0.5")), landing=D("0.05"), trigger=D("0.08"))
    c = stand("C", effective=D(0), effect=(D(0), D("0.9"), D(1)), landing=D("0.01"), trigger=D("0.018"))
    buys, room = (Correction("A", D("0.05")),), (Correction("B", D("-0.05")),)
    assert funded(buys, room, (a, b, c), D(0)).extra == (Correction("B", D("-0.02")),)
    wide = replace(c, trigger=D("0.8"))
    assert funded(buys, room, (a, b, wide), D(0)).extra == (Correction("B", D("-0.05")),)
    past = replace(b, effective=D("-0.06"))  # below its own landing edge already
    assert funded(buys, room, (a, past, wide), D(0)).extra == ()


@pytest.mark.parametrize("pull", ["0.3", "1.29", "1.41", "1.9"])  # three leave a trace of the buy by rounding
def test_a_buy_that_has_shrunk_to_nothing_is_none_any_more_and_its_trigger_counts(pull: str) -> None:
    # Selling F does what L is to be bought for, and more: at first L is bought less, then it nears its other edge.
    a = stand("A", buyable=D(1), effective=D(-1), effect=(D(1), D(0), D(0)), landing=D("0.05"), trigger=D("0.08"))
    b = stand("L", effective=D("-0.05"), effect=(D(0), D(1), -D(pull)), landing=D("0.02"), trigger=D("0.025"))
    c = stand("F", sellable=D(1), effect=(D(0), D(0), D(1)), landing=D(2), trigger=D(3))
    found = funded((Correction("A", D("0.9")), Correction("L", D("0.03"))), (Correction("F", D(-1)),), (a, b, c), D(0))
    most = (D("0.03") + D("0.045")) / D(pull)
    assert found.corrections[1].change == 0
    assert abs(found.extra[0].change + most) < D("1e-17")
