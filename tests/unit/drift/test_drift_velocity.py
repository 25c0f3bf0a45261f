"""Drift velocity: what prices did lately, and that it hurries nothing but what is out of its bounds and on its way."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, localcontext
from fractions import Fraction
from types import SimpleNamespace

import pytest
from drift_worlds import SETTINGS, D, market, portfolio, risk, state, weights_to_positions
from hypothesis import given
from hypothesis import strategies as st

from trimtab.domain.amounts import CONTEXT
from trimtab.domain.portfolio import CostAdjusted, NoTradeRegion, Policy, Threshold
from trimtab.drift.decision import decide
from trimtab.drift.holdings import Holdings, View, appraise
from trimtab.drift.velocity import ahead, recent_returns, velocities
from trimtab.messages import Risk, Signal
from trimtab.ports.topics import Record

WEIGHTS = {"BTC": D("0.7"), "ETH": D("0.25")}
POLICIES = (NoTradeRegion(), Threshold(absolute=D("0.01")), CostAdjusted(absolute=D("0.01")))
returns = st.decimals("-0.1", "0.1", places=9)


def moving(**changes: str) -> Record[Risk]:
    """An estimate with these recent returns."""
    found = risk()
    return replace(
        found,
        message=replace(found.message, recent_returns=tuple(D(changes.get(a, "0")) for a in found.message.assets)),
    )


def speeds(estimate: Risk | None, weights: Mapping[str, Decimal] = WEIGHTS) -> dict[str, Decimal]:
    holdings = Holdings.of(state(weights_to_positions(weights)), portfolio())
    with localcontext(CONTEXT):
        view = appraise(holdings, market(), SETTINGS)
        assert isinstance(view, View)
        return dict(zip((*view.names, "USDT"), velocities(view, recent_returns(holdings, estimate)), strict=True))


def signal(policy: Policy, estimate: Record[Risk]) -> Signal:
    found = decide(market(), estimate, state(weights_to_positions(WEIGHTS)), portfolio(policy=policy), SETTINGS)
    assert isinstance(found, Signal)
    return found


def test_what_outgrows_the_others_gains_weight() -> None:
    # The portfolio gains 0.7 x 2 % - 0.25 x 1 % = 1.15 %.
    assert speeds(moving(BTC="0.02", ETH="-0.01").message) == {
        "BTC": D("0.7") * D("0.0085"),
        "ETH": D("0.25") * D("-0.0215"),
        "USDT": D("0.05") * D("-0.0115"),
    }


@pytest.mark.parametrize("estimate", [None, risk().message])
def test_nothing_moves_as_far_as_nobody_knows(estimate: Risk | None) -> None:
    assert set(speeds(estimate).values()) == {D(0)}


@given(btc=returns, eth=returns)
def test_weights_that_are_gained_are_lost_elsewhere(btc: Decimal, eth: Decimal) -> None:
    assert abs(sum(speeds(moving(BTC=str(btc), ETH=str(eth)).message).values())) <= D("2e-18")


@given(btc=st.decimals("-0.001", "0.001", places=9), eth=st.decimals("-0.001", "0.001", places=9))
def test_it_is_the_change_of_the_weight(btc: Decimal, eth: Decimal) -> None:
    values = {"BTC": 0.7 / float(btc.exp()), "ETH": 0.25 / float(eth.exp()), "USDT": 0.05}
    before = {asset: value / sum(values.values()) for asset, value in values.items()}
    now = {"BTC": 0.7, "ETH": 0.25, "USDT": 0.05}
    for asset, speed in speeds(moving(BTC=str(btc), ETH=str(eth)).message).items():
        assert float(speed) == pytest.approx(now[asset] - before[asset], abs=2e-6)


@pytest.mark.parametrize(
    ("drift", "velocity", "expected"),
    [
        ("0.1", "0.02", "0.12"),
        ("0.1", "-0.02", "0.1"),
        ("-0.1", "-0.02", "0.12"),
        ("-0.1", "0.02", "0.1"),
        ("0", "1", "0"),
    ],
)
def test_only_what_is_on_its_way_out_goes_further(drift: str, velocity: str, expected: str) -> None:
    assert ahead(D(drift), D(velocity)) == D(expected)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: type(policy).__name__)
def test_it_hurries_what_is_on_its_way_out_and_changes_no_trade(policy: Policy) -> None:
    still = signal(policy, risk())
    outward, inward = signal(policy, moving(BTC="0.03")), signal(policy, moving(BTC="-0.03"))
    assert 0 < still.urgency < outward.urgency < 1
    assert inward.urgency == still.urgency
    assert still.trades == outward.trades == inward.trades
    btc = next(term for term in outward.terms if term.asset == "BTC")
    assert btc.velocity == D("0.7") * (D("0.03") - D("0.7") * D("0.03"))


def test_weights_of_next_to_no_equity_are_exact_to_the_last_decimal() -> None:
    """The products have more digits than the context of decisions, and rounding twice is not rounding once."""
    weights = (D("-3993437104588668319962874818729.498429137724275654"), D("9" * 38 + ".123456789012345678"))
    changes = (D("0.035700000000000001"), D("-0.099999999999999999"))
    cash = 1 - sum(weights)
    view = SimpleNamespace(weights=weights, cash_weight=cash)
    with localcontext(CONTEXT):
        found = velocities(view, changes)  # type: ignore[arg-type]  # the part of a view that counts
    exact = [Fraction(weight) for weight in weights]
    whole = sum(weight * Fraction(change) for weight, change in zip(exact, changes, strict=True))
    expected = [weight * (Fraction(change) - whole) for weight, change in zip(exact, changes, strict=True)]
    for velocity, value in zip(found, [*expected, -Fraction(cash) * whole], strict=True):
        assert abs(Fraction(velocity) - value) <= Fraction(1, 2 * 10**18)
