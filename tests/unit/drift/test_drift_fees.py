"""Fees refit from own fills: what is learnt, how fast, and what can never come of it."""

from dataclasses import replace
from decimal import Decimal
from random import Random

import pytest
from drift_fills import fee, fill, recorded, refit_fees, stretch
from drift_worlds import NOW_US, PRICES, D, instrument, market, quote
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.domain.market import Market
from trimtab.domain.orders import Liquidity
from trimtab.drift.fees import HALF_LIFE_US, PRIOR_FILLS, VALUED_US_MAX, fee_bounds
from trimtab.drift.refit import counts
from trimtab.messages import Costs, Fill

MARKET = market(quotes=[quote(instrument("BNB"), D(600))])
STATED = D("0.001")


def later(us: int, of: Market = MARKET, offset: int = 8) -> Market:
    return replace(of, event_time_us=NOW_US + us, offset=offset)


def stating(taker: str, maker: str = "0.001") -> Market:
    return market(quotes=[quote(instrument("BTC", taker_fee=D(taker), maker_fee=D(maker)), PRICES["BTC"])])


def taught(fills: list[Fill], of: Market = MARKET) -> Costs:
    found = refit_fees(of, stretch(fills), None)
    assert found is not None
    return found


def test_without_fills_there_is_no_record_and_without_news_no_further_one() -> None:
    assert refit_fees(MARKET, stretch([]), None) is None
    known = recorded(taught([fill(1)]))
    assert refit_fees(later(HALF_LIFE_US), stretch([], end=1), known) is None


def test_a_fee_is_drawn_from_the_stated_to_the_paid_one_as_fills_come_in() -> None:
    found = [fee(taught([fill(n) for n in range(count)])) for count in (1, 20, 2_000)]
    assert found[0] == pytest.approx((D("0.0015") + PRIOR_FILLS * STATED) / (1 + PRIOR_FILLS), abs=D("1e-18"))
    assert found[1] == D("0.00125")
    assert D("0.00149") < found[2] < D("0.0015")


def test_a_large_fill_says_more_than_a_small_one() -> None:
    large = fill(1, notional=D(60_000), fee=D(120))
    found = fee(taught([large, *(fill(n, "0.001") for n in range(2, 21))]))
    rate = (D(120) + 19 * D(6)) / (D(60_000) + 19 * D(6_000))
    assert found == pytest.approx((rate * 20 + PRIOR_FILLS * STATED) / 40, abs=D("1e-17"))


@pytest.mark.parametrize(
    ("asset", "amount"), [("USDT", D(9)), ("BTC", D(9) / 60_000), ("BNB", D(9) / 600)], ids=["quote", "base", "third"]
)
def test_a_fee_counts_the_same_in_whatever_asset_it_is_paid(asset: str, amount: Decimal) -> None:
    assert fee(taught([fill(n, fee=amount, fee_asset=asset) for n in range(20)])) == D("0.00125")


@pytest.mark.parametrize(
    "odd",
    [
        fill(1, fee_asset="KCS"),
        fill(1, fee_asset="BNB", event_time_us=NOW_US - VALUED_US_MAX - 1),
        fill(1, dry_run=True),
        fill(1, instrument="XYZ/USDT", base="XYZ"),
    ],
    ids=["no price", "long ago", "dry run", "not in the frame"],
)
def test_what_cannot_be_valued_or_is_none_changes_nothing_but_is_passed(odd: Fill) -> None:
    found = taught([odd])
    assert found.fees == ()
    assert found.fills_offsets == (1,)


def test_makers_and_takers_are_told_apart() -> None:
    found = taught([fill(n, "0.0005", liquidity=Liquidity.MAKER) for n in range(20)])
    assert fee(found, "maker") == D("0.00075")
    assert [row.liquidity for row in found.fees] == [Liquidity.MAKER]


def test_a_fill_of_one_half_life_ago_says_half_as_much() -> None:
    (row,) = taught([fill(1, event_time_us=NOW_US - HALF_LIFE_US)]).fees
    assert row.fills == pytest.approx(D("0.5"), abs=D("1e-18"))
    assert row.notional == pytest.approx(D(3_000), abs=D("1e-14"))


def test_a_record_goes_on_from_the_one_before() -> None:
    first = recorded(taught([fill(n) for n in range(10)]), offset=3)
    second = refit_fees(
        later(HALF_LIFE_US), stretch([fill(n, event_time_us=NOW_US + HALF_LIFE_US) for n in (11, 12)]), first
    )
    assert second is not None
    assert (second.sequence, second.previous_offset) == (1, 3)
    (row,) = second.fees
    assert row.fills == pytest.approx(D(7), abs=D("1e-17"))
    assert row.paid / row.notional == pytest.approx(D("0.0015"), abs=D("1e-17"))


def test_another_stated_fee_begins_anew() -> None:
    known = recorded(taught([fill(n) for n in range(100)]))
    found = refit_fees(replace(stating("0.0008"), offset=9), stretch([], end=100), known)
    assert found is not None
    assert found.fees == ()
    found = refit_fees(replace(stating("0.0008"), offset=9), stretch([fill(101)], end=101), known)
    assert D("0.0008") < fee(found) < D("0.00084")


def test_what_was_learnt_outlives_a_venue_that_is_away() -> None:
    known = recorded(taught([fill(n) for n in range(100)]))
    away = replace(later(1), quotes={}, instruments={})
    found = refit_fees(away, stretch([fill(101)], end=101), known)
    assert found is not None
    (row,) = found.fees
    assert (row.stated, row.fee) == (STATED, pytest.approx(known.message.fees[0].fee, abs=D("1e-12")))


def test_the_first_of_two_records_with_a_number_counts() -> None:
    first = taught([fill(1)])
    rival, follower = replace(first, event_id="rival"), replace(first, sequence=1)
    assert counts(first, None)
    assert not counts(rival, first)
    assert counts(follower, first)
    assert not counts(first, follower)


def test_a_record_that_came_twice_in_one_stretch_counts_once() -> None:
    once, twice = taught([fill(1), fill(2)]), taught([fill(1), fill(2), fill(1)])
    assert twice.fees == once.fees


FILLS = st.lists(
    st.builds(
        lambda number, share, asset, liquidity, age: fill(
            number, str(share), fee_asset=asset, liquidity=liquidity, event_time_us=NOW_US - age
        ),
        st.integers(0, 10**6),
        st.decimals(-100, 100, places=6),
        st.sampled_from(["USDT", "BTC", "BNB"]),
        st.sampled_from(Liquidity),
        st.integers(-(10**9), 4 * HALF_LIFE_US),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda made: made.event_id,
)


@settings(max_examples=150)
@given(st.lists(FILLS, min_size=1, max_size=3), st.decimals("-0.001", "0.01", places=5))
def test_no_fills_whatever_bring_a_fee_out_of_its_bounds(passes: list[list[Fill]], stated: Decimal) -> None:
    of, known = stating(str(stated), str(stated)), None
    for number, fills in enumerate(passes):
        found = refit_fees(later(number * HALF_LIFE_US, of, 8 + number), stretch(fills, end=number + 1), known)
        known = recorded(found, number)
        for row in known.message.fees:
            low, high = fee_bounds(row.stated)
            assert low <= row.fee <= high
            assert row.stated == stated


@settings(max_examples=100)
@given(FILLS, st.integers())
def test_the_order_of_fills_does_not_matter(fills: list[Fill], seed: int) -> None:
    shuffled = Random(seed).sample(fills, len(fills))
    assert taught(shuffled) == taught(fills)


@pytest.mark.parametrize("charged", ["0", "0.0004", "0.0017", "0.003"])
def test_a_venue_that_charges_other_than_it_states_is_found_out(charged: str) -> None:
    dice, known = Random(7), None
    for day in range(30):
        now_us = NOW_US + day * 86_400_000_000
        fills = [
            fill(100 * day + n, charged, event_time_us=now_us, notional=D(dice.randrange(10, 10_000)))
            for n in range(20)
        ]
        fills = [replace(made, fee=made.notional * D(charged)) for made in fills]
        known = recorded(
            refit_fees(later(day * 86_400_000_000, offset=8 + day), stretch(fills, end=day + 1), known), day
        )
    assert abs(fee(known.message if known else None) - D(charged)) < abs(D(charged) - STATED) / 8


def test_a_free_venue_may_turn_out_to_charge_and_three_times_the_stated_is_the_most() -> None:
    assert fee_bounds(D(0)) == (0, D("0.001"))
    assert fee_bounds(D("0.001")) == (0, D("0.003"))
    assert fee_bounds(D("-0.0001")) == (D("-0.0001"), D("0.001"))
    assert fee(taught([fill(n, "5") for n in range(10_000)])) < D("0.003")
