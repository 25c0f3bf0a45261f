from decimal import Decimal

import pytest
from drift_worlds import SETTINGS, UNIT, D, instrument, quote
from hypothesis import given
from hypothesis import strategies as st

from trimtab.domain.market import Level, Market, Quote
from trimtab.domain.orders import Side
from trimtab.drift.costs import (
    Shown,
    impact_coefficient,
    lifetime_volatility,
    limit_price,
    net,
    shown,
    touch_cost,
    trade_cost,
)

BTC = instrument("BTC", tick=D("0.01"), taker_fee=D("0.001"))


def ladder(depth: Decimal = UNIT) -> Quote:
    """Bid 99, ask 101, one unit a level, a level a unit of price."""
    bids = tuple(Level(D(99 - n), depth) for n in range(3))
    asks = tuple(Level(D(101 + n), depth) for n in range(3))
    return Quote(BTC, 0, bids, asks)


def test_the_touch_costs_the_fee_and_half_the_spread() -> None:
    assert touch_cost(ladder()) == D("0.011")


def test_a_trade_at_the_touch_costs_the_touch() -> None:
    assert trade_cost(ladder(), Side.BUY, D(100), D(0)) == D("0.011")
    assert trade_cost(ladder(), Side.SELL, D(100), D(0)) == D("0.011")
    assert trade_cost(ladder(), Side.BUY, D(0), D(0)) == D("0.011")


def test_a_larger_trade_walks_the_ladder() -> None:
    # Three units: 101 + 102 + 103 = 306 against 300.
    assert trade_cost(ladder(), Side.BUY, D(300), D(0)) == D("0.021")


def test_beyond_the_visible_depth_the_square_root_law_is_added() -> None:
    # Six units: three visible (306), three at 103 plus the law: sqrt(3/3) of 4 % of the mid.
    assert trade_cost(ladder(), Side.BUY, D(600), D("0.04")) == D("0.001") + (D(306) + 3 * D(107) - 600) / 600


def test_impact_is_taken_over_one_lifetime() -> None:
    assert lifetime_volatility(D("0.25"), 365 * 24 * 3_600) == D("0.5")
    assert lifetime_volatility(D(0), 60) == 0


@pytest.mark.parametrize(("side", "vwap", "worst"), [(Side.BUY, 102, 103), (Side.SELL, 98, 97)])
def test_an_order_past_the_depth_says_what_was_shown_and_another_does_not(side: Side, vwap: int, worst: int) -> None:
    assert shown(ladder(), side, D("3.00001")) == Shown(D(3), D(vwap), D(worst))
    assert shown(ladder(), side, D(3)) == Shown(D(0), D(0), D(0))


def test_the_coefficient_of_the_market_goes_before_the_setting() -> None:
    assert impact_coefficient(Market(), SETTINGS) == SETTINGS.impact_coefficient
    assert impact_coefficient(Market(impact_coefficient=D("0.6")), SETTINGS) == D("0.6")


@given(
    st.lists(st.decimals(min_value=1, max_value=10**6, places=2), min_size=2, max_size=2),
    st.sampled_from(list(Side)),
)
def test_more_never_costs_less_per_unit(notionals: list[Decimal], side: Side) -> None:
    small, large = sorted(notionals)
    cheap, dear = (trade_cost(ladder(), side, n, D("0.01")) for n in (small, large))
    assert dear >= cheap - D("1e-20")


@given(
    st.integers(min_value=500, max_value=10**7),
    st.integers(min_value=1, max_value=400),
    st.decimals(min_value=0, max_value=10, places=3),
)
def test_the_limit_stays_within_the_budget_but_crosses_the_touch(bid: int, spread: int, budget: Decimal) -> None:
    tick = BTC.tick
    shown = Quote(BTC, 0, (Level(bid * tick, D(1)),), (Level((bid + spread) * tick, D(1)),))
    buy, sell = (limit_price(shown, side, budget) for side in (Side.BUY, Side.SELL))
    assert buy % tick == sell % tick == 0
    assert buy <= max(shown.mid + budget * shown.spread, shown.ask + tick)
    assert buy >= shown.ask + tick
    assert sell >= min(shown.mid - budget * shown.spread, max(shown.bid - tick, tick))
    assert tick <= sell <= max(shown.bid - tick, tick)
    # No tick nearer to the budget would still be inside it.
    assert buy + tick > shown.mid + budget * shown.spread


def test_the_default_budget_on_a_one_tick_spread_is_one_tick_through() -> None:
    shown = quote(BTC, D("100.005"), spread=D("0.01"))
    assert limit_price(shown, Side.BUY, D("1.5")) == shown.ask + BTC.tick
    assert limit_price(shown, Side.SELL, D("1.5")) == shown.bid - BTC.tick


@pytest.mark.parametrize(("side", "cash"), [(Side.BUY, "100.1"), (Side.SELL, "99.9")])
def test_cash_moved_by_a_unit_counts_the_fee_against_us(side: Side, cash: str) -> None:
    assert net(side, D(100), D("0.001")) == D(cash)
