"""The no-trade region: known numbers and properties."""

from dataclasses import replace
from decimal import Decimal, localcontext

import pytest
from drift_worlds import (
    SETTINGS,
    WIDE_LIMITS,
    D,
    instrument,
    market,
    portfolio,
    quote,
    risk,
    state,
    weights_to_positions,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from trimtab.domain.amounts import CONTEXT, ONE, ZERO
from trimtab.domain.market import Market
from trimtab.domain.orders import Side
from trimtab.domain.portfolio import NoTradeRegion, Portfolio
from trimtab.drift.decision import Decision, Hold, Subject, decide, judge, prepare
from trimtab.drift.holdings import View, appraise
from trimtab.drift.policy import Assessment
from trimtab.drift.reasons import Reason
from trimtab.drift.region import RegionRule
from trimtab.messages import PortfolioState, Position, Signal, Term

NAMES = ("ADA", "BTC", "ETH", "SOL")
PRICES = {"ADA": D(50), "BTC": D(60_000), "ETH": D(3_000), "SOL": D(150)}
SIGMAS = {"ADA": D("1.0"), "BTC": D("0.5"), "ETH": D("0.7"), "SOL": D("0.9")}


def term(decision: Decision, asset: str) -> Term:
    return next(found for found in decision.terms if found.asset == asset)


def single(weight: str, target: str = "0.5") -> Decision:
    targets = (("BTC", D(target)), ("USDT", 1 - D(target)))
    held = state(weights_to_positions({"BTC": D(weight)}))
    return decide(market(), risk({"BTC": D("0.5")}), held, portfolio(targets=targets), SETTINGS)


@pytest.mark.parametrize("target", ["0.1", "0.5", "0.8"])
def test_one_asset_has_the_known_band(target: str) -> None:
    found = term(single(target, target), "BTC")
    cost, w = float(found.cost), float(target)
    expected = (3 * cost / (2 * 3) * w**2 * (1 - w) ** 2) ** (1 / 3)
    assert float(found.half_band) == pytest.approx(expected, rel=1e-12)
    assert found.effective_drift == found.drift


def test_the_band_of_ten_basis_points_in_numbers() -> None:
    # e = 10 bp and half a spread of 0.02 on 60,000; w = 1/2, g = 3: (e/32)^(1/3).
    assert term(single("0.5"), "BTC").half_band == D("0.031499776040511775")


def test_it_waits_for_the_trigger_and_lands_on_the_edge() -> None:
    half = term(single("0.5"), "BTC").half_band
    assert isinstance(single(str(D("0.5") + half * D("1.249"))), Hold)
    found = single(str(D("0.5") + half * D("1.26")))
    assert isinstance(found, Signal)
    (trade,) = found.trades
    drift = D("0.5") + half * D("1.26") - trade.quantity * trade.decision_price / 100_000 - D("0.5")
    assert half * D("0.75") <= drift < half * D("0.75") + D("0.00001") * 60_000 / 100_000


def test_a_drift_that_another_asset_hedges_is_no_drift() -> None:
    # Nearly the same asset twice: over in one, under in the other.
    estimate = risk({"BTC": D("0.6"), "ETH": D("0.6")}, D("0.999"))
    targets = (("BTC", D("0.4")), ("ETH", D("0.4")), ("USDT", D("0.2")))
    held = state(weights_to_positions({"BTC": D("0.48"), "ETH": D("0.32")}))
    found = decide(market(), estimate, held, portfolio(targets=targets), SETTINGS)
    assert isinstance(found, Hold)
    assert found.reason is Reason.WITHIN_BAND
    alone = decide(market(), risk({"BTC": D("0.6"), "ETH": D("0.6")}, D(0)), held, portfolio(targets=targets), SETTINGS)
    assert isinstance(alone, Signal)


def test_the_hard_bound_trades_what_the_region_would_leave() -> None:
    estimate = risk({"BTC": D("0.6"), "ETH": D("0.6")}, D("0.999"))
    targets = (("BTC", D("0.4")), ("ETH", D("0.4")), ("USDT", D("0.2")))
    held = state(weights_to_positions({"BTC": D("0.48"), "ETH": D("0.32")}))
    bounded = portfolio(targets=targets, policy=NoTradeRegion(max_deviation=D("0.05")))
    found = decide(market(), estimate, held, bounded, SETTINGS)
    assert isinstance(found, Signal)
    assert (found.reason, found.urgency) == (Reason.MAX_DEVIATION, ONE)
    assert {(trade.base, trade.side) for trade in found.trades} == {("BTC", Side.SELL), ("ETH", Side.BUY)}


def test_the_volatility_level_alone_changes_no_band() -> None:
    held = state(weights_to_positions({"BTC": D("0.6"), "ETH": D("0.3")}))
    calm = decide(market(), risk({"BTC": D("0.2"), "ETH": D("0.3")}), held, portfolio(), SETTINGS)
    wild = decide(market(), risk({"BTC": D("1.2"), "ETH": D("1.8")}), held, portfolio(), SETTINGS)
    for asset in ("BTC", "ETH"):
        assert abs(term(calm, asset).half_band - term(wild, asset).half_band) < D("1e-15")


def test_a_dearer_market_has_a_wider_band() -> None:
    held = state(weights_to_positions({"BTC": D("0.6"), "ETH": D("0.3")}))
    dear = market(quotes=[quote(instrument("BTC", taker_fee=D("0.008")), PRICES["BTC"])])
    cheap, wide = (decide(m, risk(), held, portfolio(), SETTINGS) for m in (market(), dear))
    assert float(term(wide, "BTC").half_band / term(cheap, "BTC").half_band) == pytest.approx(2, rel=1e-3)


def test_the_safety_factor_asks_for_more_benefit() -> None:
    held = state(weights_to_positions({"BTC": D("0.65"), "ETH": D("0.3")}))
    careful = SETTINGS.model_copy(update={"safety_factor": D(10)})
    assert isinstance(decide(market(), risk(), held, portfolio(), SETTINGS), Signal)
    found = decide(market(), risk(), held, portfolio(), careful)
    assert isinstance(found, Hold)
    assert found.reason is Reason.COST_ABOVE_BENEFIT


def test_an_asset_that_never_moves_is_left_alone_until_the_hard_bound() -> None:
    estimate = risk({"BTC": D("0.5"), "ETH": D(0)})
    held = state(weights_to_positions({"BTC": D("0.6"), "ETH": D("0.2")}))
    found = decide(market(), estimate, held, portfolio(), SETTINGS)
    assert isinstance(found, Hold)
    assert found.reason is Reason.WITHIN_BAND
    bounded = portfolio(policy=NoTradeRegion(max_deviation=D("0.05")))
    assert isinstance(decide(market(), estimate, held, bounded, SETTINGS), Signal)


def test_what_nobody_wants_is_sold_out_first_of_all() -> None:
    held = state(weights_to_positions({"BTC": D("0.6"), "ETH": D("0.2"), "SOL": D("0.1")}))
    found = decide(market(), risk(correlation=D(0)), held, portfolio(), SETTINGS)
    assert isinstance(found, Signal)
    assert ("SOL", Side.SELL) in {(trade.base, trade.side) for trade in found.trades}


def test_identical_assets_give_a_decision() -> None:
    estimate = risk({"BTC": D("0.6"), "ETH": D("0.6")}, D(1))
    held = state(weights_to_positions({"BTC": D("0.75"), "ETH": D("0.2")}))
    assert isinstance(decide(market(), estimate, held, portfolio(), SETTINGS), Signal)


# --- properties -------------------------------------------------------------------------------------------------------

WEIGHT = st.integers(min_value=0, max_value=1_000)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Market, PortfolioState, Portfolio, Decimal]:
    """Four assets with plenty of cash and deep books, so that nothing but the region decides."""
    targets = [draw(st.integers(min_value=5, max_value=20)) for _ in NAMES]
    drifts = [draw(st.integers(min_value=-4_000, max_value=4_000)) for _ in NAMES]
    wanted = tuple((name, D(t) / 100) for name, t in zip(NAMES, targets, strict=True))
    cash = ("USDT", 1 - sum((weight for _, weight in wanted), ZERO))
    weights = {name: max(w + D(x) / 100_000, ZERO) for (name, w), x in zip(wanted, drifts, strict=True)}
    held = state(weights_to_positions(weights, D(10**6), PRICES))
    correlation = D(draw(st.integers(min_value=0, max_value=90))) / 100
    deep = market(quotes=[quote(instrument(name), price, depth=D(10**9)) for name, price in PRICES.items()])
    return deep, held, portfolio(targets=tuple(sorted((*wanted, cash)))), correlation


def subject_of(held: PortfolioState, wanted: Portfolio, correlation: Decimal) -> Subject:
    return prepare(risk(SIGMAS, correlation), held, wanted, SETTINGS)


def assessed(subject: Subject, at: Market) -> tuple[View, Assessment]:
    view = appraise(subject.holdings, at, subject.settings)
    assert isinstance(view, View)
    assert subject.rule is not None
    return view, subject.rule.assess(view)


def traded(held: PortfolioState, signal: Signal) -> PortfolioState:
    """The state after every trade at its decision price, without fees."""
    amounts = {position.asset: position.posted for position in held.positions}
    for trade in signal.trades:
        amounts[trade.base] = amounts.get(trade.base, ZERO) + trade.side.sign * trade.quantity
        amounts["USDT"] -= trade.side.sign * trade.quantity * trade.decision_price
    return replace(held, positions=tuple(Position("main", "binance", a, n, ZERO) for a, n in amounts.items()))


@settings(max_examples=80)
@given(worlds())
def test_inside_every_band_it_never_trades_and_outside_it_says_why(
    world: tuple[Market, PortfolioState, Portfolio, Decimal],
) -> None:
    at, held, wanted, correlation = world
    found = judge(at, subject_of(held, wanted, correlation), explain=True)
    outside = [
        t for t in found.terms if t.asset != "USDT" and abs(t.effective_drift) > t.half_band * D("1.25") + D("1e-17")
    ]
    if isinstance(found, Signal):
        assert outside
    else:
        assert not outside or found.reason in {Reason.COST_ABOVE_BENEFIT, Reason.BELOW_MINIMUM_TRADE}


@settings(max_examples=80)
@given(worlds())
def test_a_traded_asset_lands_on_its_edge_and_never_beyond(
    world: tuple[Market, PortfolioState, Portfolio, Decimal],
) -> None:
    at, held, wanted, correlation = world
    subject = subject_of(held, wanted, correlation)
    found = judge(at, subject, explain=True)
    assume(isinstance(found, Signal))
    assert isinstance(found, Signal)
    with localcontext(CONTEXT):
        _, before = assessed(subject, at)
        after_state = traded(held, found)
        _, after = assessed(subject_of(after_state, wanted, correlation), at)
        # One step of each traded instrument, seen through the correlations.
        slack = sum((D("0.00001") * PRICES[t.base] / found.equity for t in found.trades), ZERO) * 3 + D("1e-9")
        sides = {trade.base: trade.side.sign for trade in found.trades}
        for old, new in zip(before.terms[:-1], after.terms[:-1], strict=True):
            edge = old.half_band * D("0.75")
            if old.asset in sides and new.weight > D("1e-6"):
                assert edge - slack <= -sides[old.asset] * new.effective_drift <= edge + slack
            elif old.asset not in sides:
                assert abs(new.effective_drift) <= old.half_band * D("1.25") + slack


@settings(max_examples=50)
@given(worlds())
def test_after_its_trades_it_rests(world: tuple[Market, PortfolioState, Portfolio, Decimal]) -> None:
    at, held, wanted, correlation = world
    found = judge(at, subject_of(held, wanted, correlation), explain=True)
    assume(isinstance(found, Signal))
    assert isinstance(found, Signal)
    again = judge(at, subject_of(traded(held, found), wanted, correlation), explain=True)
    assert isinstance(again, Hold)


@settings(max_examples=50)
@given(worlds(), st.sampled_from([D("0.25"), D(4), D(100)]))
def test_the_size_of_the_portfolio_changes_no_weight(
    world: tuple[Market, PortfolioState, Portfolio, Decimal], factor: Decimal
) -> None:
    at, held, wanted, correlation = world
    scaled = replace(
        held, positions=tuple(replace(position, posted=position.posted * factor) for position in held.positions)
    )
    (_, small), (_, large) = (assessed(subject_of(s, wanted, correlation), at) for s in (held, scaled))
    assert [c.asset for c in small.corrections] == [c.asset for c in large.corrections]
    for one, other in zip(small.corrections, large.corrections, strict=True):
        assert abs(one.change - other.change) < D("1e-9")


@settings(max_examples=50)
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_the_inputs_changes_nothing(
    world: tuple[Market, PortfolioState, Portfolio, Decimal], random: object
) -> None:
    at, held, wanted, correlation = world
    shuffled = list(held.positions)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives random.Random without saying so
    quotes = dict(reversed(list(at.quotes.items())))
    first = judge(at, subject_of(held, wanted, correlation), explain=True)
    second = judge(
        replace(at, quotes=quotes),
        subject_of(replace(held, positions=tuple(shuffled)), wanted, correlation),
        explain=True,
    )
    assert first == second


@settings(max_examples=50)
@given(worlds())
def test_the_quick_look_agrees_with_the_full_one(world: tuple[Market, PortfolioState, Portfolio, Decimal]) -> None:
    at, held, wanted, correlation = world
    subject = subject_of(held, wanted, correlation)
    quick, full = judge(at, subject, explain=False), judge(at, subject, explain=True)
    if isinstance(full, Signal):
        assert quick == full
    else:
        assert isinstance(quick, Hold)
        assert quick.reason is full.reason


@settings(max_examples=30)
@given(worlds())
def test_two_runs_give_the_same_bytes(world: tuple[Market, PortfolioState, Portfolio, Decimal]) -> None:
    at, held, wanted, correlation = world
    estimate = risk(SIGMAS, correlation)
    assert repr(decide(at, estimate, held, wanted, SETTINGS)) == repr(decide(at, estimate, held, wanted, SETTINGS))


def test_a_region_needs_every_target_but_not_what_nobody_wants() -> None:
    held = state(weights_to_positions({"BTC": D("0.6"), "SOL": D("0.1")}))
    subject = prepare(risk({"BTC": D("0.5"), "ETH": D("0.7")}), held, portfolio(limits=WIDE_LIMITS), SETTINGS)
    assert isinstance(subject.rule, RegionRule)
    assert prepare(risk({"BTC": D("0.5")}), held, portfolio(), SETTINGS).rule is None
