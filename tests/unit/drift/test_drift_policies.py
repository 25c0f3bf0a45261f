"""The policies beside the no-trade region: their formulas, what they have in common, and where they must agree."""

from dataclasses import replace
from decimal import Decimal

import pytest
from drift_worlds import (
    NOW_US,
    PRICES,
    SETTINGS,
    WIDE_LIMITS,
    D,
    instrument,
    market,
    portfolio,
    quote,
    risk,
    state,
    unusual,
    weights_to_positions,
)
from hypothesis import given
from hypothesis import strategies as st

from trimtab.domain.market import Market
from trimtab.domain.portfolio import (
    Calendar,
    CostAdjusted,
    Hybrid,
    NoTradeRegion,
    Policy,
    Threshold,
    VolatilityThreshold,
)
from trimtab.drift.decision import Decision, Hold, decide, policy_name
from trimtab.drift.reasons import Reason
from trimtab.messages import Risk, Signal
from trimtab.ports.topics import Record

EVERY_MINUTE = "* * * * *"
HALF_AND_HALF = (("BTC", D("0.5")), ("USDT", D("0.5")))
ALL: tuple[Policy, ...] = (
    NoTradeRegion(),
    Calendar(EVERY_MINUTE),
    Threshold(absolute=D("0.05")),
    Hybrid(EVERY_MINUTE, relative=D("0.1")),
    VolatilityThreshold(absolute=D("0.03"), relative=D("0.2")),
    CostAdjusted(absolute=D("0.02")),
)
weights = st.fixed_dictionaries(
    {
        "BTC": st.integers(450, 700).map(lambda n: D(n) / 1_000),
        "ETH": st.integers(200, 300).map(lambda n: D(n) / 1_000),
    }
)
bounds = st.one_of(st.none(), st.integers(1, 200).map(lambda n: D(n) / 1_000))
pairs = st.tuples(bounds, bounds).filter(any)


def judged(
    policy: Policy,
    held: dict[str, Decimal],
    estimate: Record[Risk] | None = None,
    *,
    found: Market | None = None,
    targets: tuple[tuple[str, Decimal], ...] | None = None,
) -> Decision:
    owned = portfolio(policy=policy, limits=WIDE_LIMITS)
    owned = replace(owned, targets=targets or owned.targets)
    known = state(weights_to_positions(held), recent_signals_us=(NOW_US - 60_000_000,))
    return decide(found or market(), estimate, known, owned, SETTINGS)


def alike(one: Decision, other: Decision) -> bool:
    return one == replace(other, policy=one.policy)  # type: ignore[type-var]  # either is a dataclass with a policy


@pytest.mark.parametrize("policy", ALL, ids=policy_name)
@given(weights)
def test_no_policy_trades_inside_its_band(policy: Policy, held: dict[str, Decimal]) -> None:
    found = judged(policy, held, risk())
    trigger = SETTINGS.trigger if isinstance(policy, NoTradeRegion) else 1
    reached = any(abs(t.effective_drift) >= t.half_band * trigger for t in found.terms if t.half_band)
    off = any(t.drift for t in found.terms)
    if isinstance(found, Signal):
        assert off if isinstance(policy, Calendar) else reached
    elif found.reason is Reason.WITHIN_BAND:
        assert not (off if isinstance(policy, Calendar) else reached)
    else:
        assert found.reason in {Reason.COST_ABOVE_BENEFIT, Reason.BELOW_MINIMUM_TRADE}


@given(weights, pairs)
def test_a_hybrid_is_a_threshold_when_it_is_due(
    held: dict[str, Decimal], bound: tuple[Decimal | None, Decimal | None]
) -> None:
    assert alike(judged(Hybrid(EVERY_MINUTE, *bound), held), judged(Threshold(*bound), held))


@given(weights, pairs)
def test_at_its_usual_volatility_a_scaled_threshold_is_a_plain_one(
    held: dict[str, Decimal], bound: tuple[Decimal | None, Decimal | None]
) -> None:
    assert alike(judged(VolatilityThreshold(*bound), held, risk()), judged(Threshold(*bound), held, risk()))


def free_market() -> Market:
    """Books without a fee and with next to no spread."""
    rules = {asset: instrument(asset, taker_fee=D(0), tick=D("1e-10")) for asset in PRICES}
    return market({}, quotes=[quote(rules[a], price, spread=D("2e-10"), depth=D(10**6)) for a, price in PRICES.items()])


@given(weights, pairs)
def test_without_costs_and_factor_a_cost_adjusted_threshold_is_a_plain_one(
    held: dict[str, Decimal], bound: tuple[Decimal | None, Decimal | None]
) -> None:
    plain = judged(Threshold(*bound), held, risk(), found=free_market())
    adjusted = judged(CostAdjusted(*bound, volatility_factor=D(0)), held, risk(), found=free_market())
    careless = CostAdjusted(*bound, volatility_factor=D(0), safety_factor=D(0))
    for found, reference in (
        (adjusted, plain),
        (judged(careless, held, risk()), judged(Threshold(*bound), held, risk())),
    ):
        assert type(found) is type(reference)
        if isinstance(found, Signal) and isinstance(reference, Signal):
            assert found.trades == reference.trades
            assert found.urgency == reference.urgency
        assert [t.half_band for t in found.terms] == [t.half_band for t in reference.terms]


@given(weights)
def test_a_calendar_is_a_threshold_that_everything_reaches(held: dict[str, Decimal]) -> None:
    due, touchy = judged(Calendar(EVERY_MINUTE), held), judged(Threshold(absolute=D("1e-18")), held)
    assert type(due) is type(touchy)
    if isinstance(due, Signal) and isinstance(touchy, Signal):
        assert due.trades == touchy.trades


@pytest.mark.parametrize(
    ("usual", "btc"),
    [("0.5", "0.05"), ("0.4", "0.0625"), ("1", "0.025"), ("5", "0.025"), ("0.1", "0.1"), ("0", "0.05")],
)
def test_a_bound_follows_the_assets_own_volatility_within_limits(usual: str, btc: str) -> None:
    found = judged(
        VolatilityThreshold(absolute=D("0.05")), {"BTC": D("0.6"), "ETH": D("0.3")}, unusual(risk(), BTC=D(usual))
    )
    halves = {term.asset: term.half_band for term in found.terms}
    assert halves["BTC"] == D(btc)
    assert halves["ETH"] == D("0.05")
    assert abs(halves["USDT"] - (2 * D(btc) + D("0.05")) / 3) < D("1e-18")  # two thirds of what drifts is BTC


@pytest.mark.parametrize(
    ("factor", "btc", "eth"), [("0", "0.05", "0.05"), ("1", "0.075", "0.085"), ("2", "0.1", "0.12")]
)
def test_a_cost_adjusted_bound_widens_with_volatility(factor: str, btc: str, eth: str) -> None:
    policy = CostAdjusted(absolute=D("0.05"), volatility_factor=D(factor))
    found = judged(policy, {"BTC": D("0.6"), "ETH": D("0.3")}, risk())
    halves = {term.asset: term.half_band for term in found.terms}
    assert (halves["BTC"], halves["ETH"]) == (D(btc), D(eth))
    assert abs(halves["USDT"] - (2 * D(btc) + D(eth)) / 3) < D("1e-18")


@pytest.mark.parametrize("safety", [D(1), D(8)])
@pytest.mark.parametrize("side", [1, -1])
def test_a_drift_is_worth_its_cost_from_the_best_threshold_for_it_on(safety: Decimal, side: int) -> None:
    """(6 e w^2 (1 - w)^2 / g)^(1/3) for one asset; eight times the safety is twice as far."""
    policy = CostAdjusted(absolute=D("0.001"), volatility_factor=D(0), safety_factor=safety)
    cost = 0.001 + 0.01 / 60_000
    best = (6 * float(safety) * cost * 0.5**4 / 3) ** (1 / 3)
    for share, reason in ((0.99, Reason.COST_ABOVE_BENEFIT), (1.01, Reason.BENEFIT_ABOVE_COST)):
        held = {"BTC": D("0.5") + side * D(str(round(best * share, 6)))}
        found = judged(policy, held, risk({"BTC": D("0.5")}), targets=HALF_AND_HALF)
        assert found.reason == reason
        assert isinstance(found, Signal) is (share > 1)


def test_its_terms_are_the_two_sides_of_the_comparison() -> None:
    policy = CostAdjusted(absolute=D("0.2"), risk_aversion=D(2))
    found = judged(policy, {"BTC": D("0.6")}, risk({"BTC": D("0.5")}), targets=HALF_AND_HALF)
    btc = found.terms[0]
    horizon = D("0.01") / (3 * D("0.25") * D("0.0625"))
    assert abs(btc.horizon_years - horizon) < D("1e-17")
    assert abs(btc.benefit - 2 * D("0.25") * D("0.1") * horizon / 2) < D("1e-17")
    assert D("0.001") < btc.cost < D("0.0011")


def test_only_what_is_worth_it_is_traded() -> None:
    """ETH is far off, BTC a little: the one is past its bound, the other not worth its way."""
    policy = CostAdjusted(absolute=D("0.05"), volatility_factor=D(0))
    found = judged(policy, {"BTC": D("0.605"), "ETH": D("0.21")}, risk())
    assert isinstance(found, Signal)
    assert [trade.base for trade in found.trades] == ["ETH"]


def test_a_bound_alone_is_not_enough() -> None:
    found = judged(
        CostAdjusted(absolute=D("0.001"), volatility_factor=D(0)), {"BTC": D("0.602"), "ETH": D("0.3")}, risk()
    )
    assert isinstance(found, Hold)
    assert found.reason is Reason.COST_ABOVE_BENEFIT


def test_an_asset_that_cannot_be_traded_is_said_to_be_so() -> None:
    shut = market(quotes=[quote(instrument(base, tradable=False), PRICES[base]) for base in ("BTC", "ETH")])
    for policy in ALL[1:]:
        found = judged(policy, {"BTC": D("0.75"), "ETH": D("0.2")}, risk(), found=shut)
        assert found.reason == Reason.INSTRUMENT_NOT_TRADABLE, policy


@pytest.mark.parametrize("policy", ALL, ids=policy_name)
@pytest.mark.parametrize(
    "estimate", [None, risk({"BTC": D("0.5")}), risk(observations=2)], ids=["none", "part", "young"]
)
def test_who_needs_an_estimate_waits_for_it(policy: Policy, estimate: Record[Risk] | None) -> None:
    found = judged(policy, {"BTC": D("0.75"), "ETH": D("0.2")}, estimate)
    needs = isinstance(policy, NoTradeRegion | VolatilityThreshold | CostAdjusted)
    assert (found.reason == Reason.RISK_MISSING) is needs
    assert isinstance(found, Signal) is not needs


def test_an_unwanted_asset_without_an_estimate_keeps_its_plain_bound() -> None:
    held = {"BTC": D("0.6"), "ETH": D("0.3"), "SOL": D("0.04")}
    wild = unusual(risk({"BTC": D("0.5"), "ETH": D("0.7")}), BTC=D("0.25"), ETH=D("0.35"))
    found = judged(VolatilityThreshold(absolute=D("0.04")), held, wild)
    assert isinstance(found, Signal)
    assert "SOL" in {trade.base for trade in found.trades}
    assert {term.asset: term.half_band for term in found.terms}["SOL"] == D("0.04")
