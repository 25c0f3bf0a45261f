"""Plans: funding, filters, caps, several accounts, and cash that never goes below nothing."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal

import pytest
from drift_worlds import (
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
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.domain.amounts import ZERO
from trimtab.domain.market import Market
from trimtab.domain.orders import Side
from trimtab.domain.portfolio import Limits, NoTradeRegion, Policy, Portfolio, Threshold
from trimtab.drift.costs import net
from trimtab.drift.decision import Decision, decide
from trimtab.drift.funding import Purse, capped, funded
from trimtab.drift.policy import Correction
from trimtab.messages import PortfolioState, Position, Signal, Trade

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


def test_what_one_account_cannot_pay_the_next_one_does() -> None:
    held = (
        *positions({"BTC": D("0.5"), "USDT": D(3_000)}, "second"),
        *positions({"USDT": D(27_000)}, "first"),
    )
    found = rebalance({}, {"BTC": "0.99", "USDT": "0.01"}, held=held, accounts=("second", "first"))
    assert isinstance(found, Signal)
    assert [trade.account for trade in found.trades] == ["second", "first"]


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


# --- parts ------------------------------------------------------------------------------------------------------------


def test_a_purse_gives_spare_cash_then_proceeds_then_the_rest() -> None:
    purse = Purse(spare=D(5), kept=D(10), proceeds=[("a", D(3)), ("b", D(4))])
    assert purse.total == 22
    assert purse.draw(D(5)) == ()
    assert purse.draw(D(4)) == ("a", "b")
    assert purse.draw(D(5)) == ("b",)
    assert (purse.spare, purse.proceeds, purse.kept) == (0, [], 8)


def test_capping_is_symmetric() -> None:
    wide = (Correction("A", D("0.3")), Correction("B", D("-0.3")), Correction("C", D("0.05")))
    assert [c.change for c in capped(wide, D("0.1"))] == [D("0.1"), D("-0.1"), D("0.05")]


def test_missing_money_is_raised_in_order_and_never_beyond_room_or_cap() -> None:
    buys = (Correction("A", D("0.30")),)
    room = (Correction("B", D("-0.12")), Correction("C", D("-0.05")), Correction("D", D("-0.2")))
    found = {c.asset: c.change for c in funded(buys, room, D("0.02"), D("0.1"))}
    assert found == {"A": D("0.30"), "B": D("-0.1"), "C": D("-0.05"), "D": D("-0.1")}
    enough = {c.asset: c.change for c in funded(buys, room, D("0.25"), D("0.1"))}
    assert enough == {"A": D("0.30"), "B": D("-0.05")}
    assert funded(buys, room, D("0.3"), D("0.1")) == buys


# --- properties -------------------------------------------------------------------------------------------------------


@st.composite
def cases(draw: st.DrawFn) -> tuple[PortfolioState, Portfolio, Market]:
    """Any mix of two accounts, coarse or fine grids, little or much cash, either policy."""
    names = ("BTC", "ETH", "SOL")
    parts = [draw(st.integers(min_value=0, max_value=100)) for _ in (*names, "USDT")]
    parts[0] += 1
    total = sum(parts)
    targets = tuple(zip((*names, "USDT"), (D(part) / total for part in parts), strict=True))
    amount = st.integers(min_value=0, max_value=10**7)
    held = [
        *positions({n: D(draw(amount)) / 100 / PRICES[n] for n in names} | {"USDT": D(draw(amount)) / 100}, "first"),
        *positions({n: D(draw(amount)) / 100 / PRICES[n] for n in names} | {"USDT": D(draw(amount)) / 100}, "second"),
    ]
    step = draw(st.sampled_from([D("0.00001"), D("0.001"), D("0.1")]))
    fee = draw(st.sampled_from([D(0), D("0.001"), D("0.004")]))
    spread = draw(st.sampled_from([D("0.02"), D("0.06"), D(1)]))
    quotes = [quote(instrument(n, step=step, taker_fee=fee), PRICES[n], spread=spread) for n in names]
    policy = draw(
        st.sampled_from(
            [
                Threshold(absolute=D("0.02")),
                NoTradeRegion(),
                NoTradeRegion(max_deviation=D("0.05")),
                Threshold(relative=D("0.1")),
            ]
        )
    )
    limits = Limits(min_trade=D(draw(st.integers(0, 50))), max_trade_share=D(draw(st.integers(1, 10))) / 10)
    wanted = portfolio(targets=tuple(sorted(targets)), policy=policy, limits=limits, accounts=("first", "second"))
    return state(held), wanted, market(quotes=quotes)


@settings(max_examples=200, deadline=None)
@given(cases())
def test_every_account_can_pay_at_the_worst_prices_and_each_buy_is_funded_by_what_it_names(
    case: tuple[PortfolioState, Portfolio, Market],
) -> None:
    held, wanted, at = case
    found = decide(at, risk(), held, wanted, SETTINGS)
    if not isinstance(found, Signal):
        return
    balance: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
    for position in held.positions:
        balance[position.account, position.asset] += position.posted
    known: dict[str, Trade] = {}
    for trade in found.trades:
        assert not (trade.side is Side.SELL and any(t.side is Side.BUY for t in known.values())), "sells come first"
        fee = at.quotes[f"{trade.venue}:{trade.instrument}"].instrument.taker_fee
        balance[trade.account, trade.base] += trade.side.sign * trade.quantity
        balance[trade.account, trade.quote] -= (
            trade.side.sign * trade.quantity * net(trade.side, trade.limit_price, fee)
        )
        for cause in trade.depends_on:
            assert known[cause].side is Side.SELL
            assert known[cause].account == trade.account
        known[trade.trade_id] = trade
    assert len(known) == len(found.trades)
    assert min(balance.values()) >= 0


@settings(max_examples=200, deadline=None)
@given(cases())
def test_every_trade_keeps_the_rules_of_venue_and_owner(case: tuple[PortfolioState, Portfolio, Market]) -> None:
    held, wanted, at = case
    found = decide(at, risk(), held, wanted, SETTINGS)
    if not isinstance(found, Signal):
        return
    per_asset: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for trade in found.trades:
        rules = at.quotes[f"{trade.venue}:{trade.instrument}"].instrument
        assert trade.quantity > 0
        assert trade.quantity % rules.step == 0
        assert trade.limit_price % rules.tick == 0
        assert trade.quantity >= rules.min_quantity
        assert trade.quantity * min(trade.limit_price, trade.decision_price) >= rules.min_notional
        assert trade.quantity * trade.decision_price >= wanted.limits.min_trade
        per_asset[trade.base] += trade.quantity * trade.decision_price
    cap = wanted.limits.max_trade_share * found.equity
    assert all(notional <= cap * (1 + D("1e-15")) for notional in per_asset.values())
    assert 0 <= found.urgency <= 1


@settings(max_examples=200, deadline=None)
@given(cases())
def test_a_threshold_never_overshoots_its_target(case: tuple[PortfolioState, Portfolio, Market]) -> None:
    held, wanted, at = case
    if not isinstance(wanted.policy, Threshold):
        return
    found = decide(at, risk(), held, wanted, SETTINGS)
    if not isinstance(found, Signal):
        return
    moved: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for trade in found.trades:
        moved[trade.base] += trade.side.sign * trade.quantity * trade.decision_price / found.equity
    for term in found.terms[:-1]:
        assert term.drift * (term.drift + moved[term.asset]) >= -D("1e-20")
        assert term.drift * moved[term.asset] <= 0
