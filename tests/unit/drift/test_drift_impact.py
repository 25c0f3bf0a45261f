"""The impact coefficient refit from own orders: what is learnt, from whom, and what can never come of it."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal, localcontext
from fractions import Fraction
from random import Random

import pytest
from drift_fills import COEFFICIENT, recorded, signalled, stretch
from drift_trades import AFTER_US, LIFETIME_US, MID, SECOND_US, START, SWING, at, learn, signal_of, taken, trade
from drift_worlds import NOW_US, D
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.adapters.avro import Codec
from trimtab.domain.amounts import CONTEXT
from trimtab.domain.orders import Liquidity, Side
from trimtab.drift.impact import HALF_LIFE_US, PENDING_MAX, impact_bounds
from trimtab.drift.pending import SETTLING_US
from trimtab.drift.refit import refit
from trimtab.messages import Costs, Fill, Signal, Trade
from trimtab.topics import TOPICS

CODEC = Codec({topic.name: number for number, topic in enumerate(TOPICS)})
AGE_US = AFTER_US - LIFETIME_US
NOISE = 1 + Fraction(AGE_US, LIFETIME_US)  # the variance that an order has by the time it settles
X0 = Fraction(8, 5)  # of the order in drift_trades: four fifths of it are past the depth, four times as much as that


def expected(z: Fraction, x1: Fraction = X0, x0: Fraction = X0, prior: Fraction = Fraction(7, 10)) -> Fraction:
    """One order's Y, from the formula."""
    part = x1 / x0
    return (part * x0 * z / NOISE + 16 * prior) / (part * x0 * x1 / NOISE + 16)


def near(found: Decimal, wanted: Fraction) -> bool:
    aged = Fraction(2 * AGE_US, HALF_LIFE_US)  # what a few seconds take off the weights
    return abs(Fraction(found) - wanted) < aged


def test_without_any_trade_past_the_depth_it_is_the_setting_exactly() -> None:
    small, older = trade(depth=D(0), depth_vwap=D(0), depth_worst=D(0)), trade("b", depth=D(3))
    found = learn(at(), [signal_of(small, older)], [taken(small, D(3)), taken(older, D(3), number=2)])
    assert (found.impact_coefficient, found.impact_prior, found.pending) == (COEFFICIENT, COEFFICIENT, ())
    assert (found.impact_trades, found.impact_squares, found.impact_products) == (0, 0, 0)
    assert len(found.fees) == 1


def test_fills_within_the_depth_teach_nothing() -> None:
    order = trade()
    found = learn(at(off=D(2)), [signal_of(order)], [taken(order, D(2), D("0.2"))])
    assert (found.impact_coefficient, found.impact_taken) == (COEFFICIENT, 0)


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("z", ["0.2", "1.12", "2.5", "-1"])
def test_one_order_moves_it_as_the_formula_says(z: str, side: Side) -> None:
    order = trade(side=side)
    found = learn(at(), [signal_of(order)], [taken(order, D(z))])
    assert near(found.impact_coefficient, expected(Fraction(z)))
    assert found.pending == ()


def test_what_the_book_shows_is_no_impact() -> None:
    order = trade(depth_vwap=MID * (1 + SWING), depth_worst=MID * (1 + 2 * SWING))
    found = learn(at(), [signal_of(order)], [taken(order, D("2.5"))])
    assert near(found.impact_coefficient, expected(Fraction("2.5") - Fraction(1, 5) - Fraction(8, 5)))


def test_what_is_left_counts_at_the_price_of_the_time_and_what_was_made_at_its_own() -> None:
    order, made = trade(), {"liquidity": Liquidity.MAKER}
    fills = [taken(order, D("0.5"), D("0.4")), taken(order, D("-0.1"), D("0.1"), 2, **made)]
    found = learn(at(off=D(2)), [signal_of(order)], fills)
    z = Fraction(2, 5) / 2 - Fraction(1, 100) + Fraction(1, 2) * 2
    x1 = Fraction(9, 10) * Fraction(1, 2)  # 0.4 taken of which 0.2 are past a depth of 0.2
    assert near(found.impact_coefficient, expected(z, x1))


def test_an_order_never_filled_takes_from_what_the_others_say_and_says_nothing() -> None:
    first, second = trade("a"), trade("b", base="ETH")
    alone = learn(at(), [signal_of(first)], [taken(first, D(2))])
    both = learn(at(), [signal_of(first, second)], [taken(first, D(2))])
    assert COEFFICIENT < both.impact_coefficient < alone.impact_coefficient
    assert learn(at(off=D(5)), [signal_of(second)], []).impact_coefficient == COEFFICIENT


def test_orders_on_one_symbol_that_settle_together_count_as_one() -> None:
    orders = [trade(str(number)) for number in range(50)]
    fills = [taken(order, D(2), number=number) for number, order in enumerate(orders, 1)]
    many, one = learn(at(), [signal_of(*orders)], fills), learn(at(), [signal_of(orders[0])], fills[:1])
    assert many.impact_coefficient == pytest.approx(one.impact_coefficient, abs=D("1e-15"))


def test_no_order_counts_for_more_than_the_prior_and_no_price_for_more_than_three_volatilities() -> None:
    vast = trade(shown=D("0.000001"))
    found = learn(at(), [signal_of(vast)], [taken(vast, D(1_000) * D("0.5"))])
    assert found.impact_squares <= 16
    assert near(found.impact_coefficient, expected(Fraction(2), Fraction(4), Fraction(4)))
    wild = trade()
    found = learn(at(), [signal_of(wild)], [taken(wild, D(100))])
    assert near(found.impact_coefficient, expected(X0 * Fraction(7, 10) + 3))


@pytest.mark.parametrize(
    "odd",
    [
        {"dry_run": True},
        {"event_time_us": NOW_US + LIFETIME_US + 1},
        {"side": Side.SELL},
        {"parent_id": "another"},
    ],
    ids=["dry run", "after the deadline", "the other side", "another order's"],
)
def test_what_is_no_fill_of_the_order_does_not_count(odd: dict[str, object]) -> None:
    order = trade()
    found = learn(at(), [signal_of(order)], [replace(taken(order, D(3)), **odd)])
    assert found.impact_coefficient == COEFFICIENT


def test_a_trade_is_pending_until_its_fills_have_been_read() -> None:
    order = trade()
    first = learn(at(LIFETIME_US + SETTLING_US - 1), [signal_of(order)], [taken(order, D(2), D("0.5"))])
    (row,) = first.pending
    assert (row.taken, row.slippage, first.impact_trades) == (D("0.5"), D("0.001"), 0)
    rest = taken(order, D(2), D("0.5"), 2)
    second = learn(at(offset=9), [], [rest], recorded(first), ends=(2, 1))
    assert second.pending == ()
    assert second.impact_coefficient == learn(at(), [signal_of(order)], [taken(order, D(2))]).impact_coefficient
    assert refit(at(offset=10), stretch([], 2), signalled([], 1), recorded(second), COEFFICIENT) is None


def test_a_signal_or_a_fill_that_comes_again_counts_once() -> None:
    order, sent = trade(), signal_of(trade())
    fills = [taken(order, D(2), D("0.5"), n) for n in (1, 2)]
    once = learn(at(), [sent], fills)
    assert learn(at(), [sent, sent], [*fills, *fills]).impact_coefficient == once.impact_coefficient
    first = recorded(learn(at(SECOND_US), [sent], fills))
    again = recorded(learn(at(2 * SECOND_US, 9), [sent], fills, first, ends=(4, 2)), 1)
    assert again.message.pending == first.message.pending
    third = recorded(learn(at(offset=10), [sent], fills, again, ends=(6, 3)), 2)
    assert third.message.impact_products == once.impact_products
    fourth = learn(at(AFTER_US + SECOND_US, 11), [sent], fills, third, ends=(8, 4))
    assert fourth.pending == ()
    assert fourth.impact_trades <= third.message.impact_trades


def test_more_is_not_taken_than_was_ordered() -> None:
    order = trade()
    fills = [taken(order, D(2), D("0.9"), 1), taken(order, D(2), D(50), 2)]
    assert (
        learn(at(), [signal_of(order)], fills).impact_products
        == learn(at(), [signal_of(order)], [taken(order, D(2))]).impact_products
    )


def test_an_order_of_long_ago_is_not_followed_and_one_without_a_price_is_forgotten() -> None:
    order = trade()
    assert learn(at(), [signal_of(order)], [taken(order, D(2))], None).impact_trades == 0
    begun = recorded(learn(at(), [], [taken(order, D(2))]))
    late = learn(at(AFTER_US + SECOND_US, 9), [signal_of(order)], [taken(order, D(2), number=2)], begun, ends=(2, 1))
    assert late.impact_trades == 0
    gone = replace(at(), quotes={})
    assert learn(gone, [signal_of(order)], [taken(order, D(2))]).impact_trades == 0


def test_pending_trades_are_bounded_and_sorted() -> None:
    orders = [trade(f"{number:03}") for number in range(PENDING_MAX + 50)]
    found = learn(at(0), [signal_of(*orders[::-1])], [])
    assert [row.trade_id for row in found.pending] == [order.trade_id for order in orders[:PENDING_MAX]]


def test_another_setting_is_another_prior_at_once_and_what_was_learnt_stays() -> None:
    order = trade()
    known = recorded(learn(at(), [signal_of(order)], [taken(order, D("1.52"))]))
    found = learn(at(offset=9), [], [], known, D("0.9"), ends=(1, 1))
    assert found.impact_prior == D("0.9")
    sums = (found.impact_squares, found.impact_taken, found.impact_products)
    before = known.message
    assert sums == (before.impact_squares, before.impact_taken, before.impact_products)
    assert D("0.9") < found.impact_coefficient < D("0.95")


def test_it_fades_by_half_in_a_half_life() -> None:
    known = recorded(learn(at(), [signal_of(trade())], [taken(trade(), D(3))]))
    found = learn(at(AFTER_US + HALF_LIFE_US, 9), [], [], known, D("0.6"), ends=(1, 1))
    assert found.impact_squares == pytest.approx(known.message.impact_squares / 2, abs=D("1e-17"))


@pytest.mark.parametrize("prior", ["0.7", "0.2", "3"])
def test_bounds_are_those_published_widened_to_the_setting(prior: str) -> None:
    low, high = impact_bounds(D(prior))
    assert (low, high) == {"0.7": (D("0.5"), 1), "0.2": (D("0.2"), 1), "3": (D("0.5"), 3)}[prior]


# Orders, noise and limits drawn at random: what is found has to be what was put in.


ORDERED, LIMIT = 900, 0.5


def market_of(dice: Random, y: float, limit: float | None) -> Iterator[tuple[Trade, list[Fill], float]]:
    """Yield orders, their fills, and how far the price is off afterwards, in volatilities.

    An order is worked in thirty equal parts while the price wanders; a part waits while it would cost more than the
    limit. What was taken has moved the price by what the law says, and afterwards it stays where that was on average.
    """
    for number in range(ORDERED):
        shown = 1 / (1 + dice.expovariate(0.5))
        order = trade(str(number), shown=D(str(round(shown, 6))), side=dice.choice(list(Side)))
        wandered, done, paid, fills = 0.0, 0.0, 0.0, []
        for part in range(1, 31):
            wandered += dice.gauss(0, 1) / 30**0.5
            more = part / 30 - done
            moved = y * ((done + more) * _x(done + more, shown) - done * _x(done, shown)) / more
            if limit is None or wandered + moved <= limit:
                z, share = D(str(round(wandered + moved, 9))), D(str(round(more, 9)))
                fills.append(taken(order, z, share, part, event_id=f"{number}/{part}"))
                done, paid = done + more, paid + more * (wandered + moved)
        yield order, fills, wandered + dice.gauss(0, 0.5) + y * _x(done, shown)


def _x(taken: float, shown: float) -> float:
    return (taken - shown) / taken * ((taken - shown) / shown) ** 0.5 if taken > shown else 0.0


def chained(dice: Random, y: float, limit: float | None, prior: Decimal) -> Costs:
    """Refit from one order a record, one after another."""
    known = START
    for number, (order, fills, off) in enumerate(market_of(dice, y, limit)):
        begin_us = number * AFTER_US
        sent = signal_of(order, at_us=NOW_US + begin_us)
        now = [replace(made, event_time_us=NOW_US + begin_us) for made in fills]
        later = at(begin_us + AFTER_US, 8 + number, order.side.sign * D(str(round(off, 9))))
        known = recorded(learn(later, [sent], now, known, prior, ends=(number + 1, number + 1)), number)
    return known.message


@pytest.mark.parametrize(("y", "prior"), [(0.9, "0.55"), (0.55, "0.95"), (0.7, "0.7")])
def test_the_true_coefficient_is_found_through_noise(y: float, prior: str) -> None:
    found = chained(Random(11), y, None, D(prior))
    assert found.impact_coefficient == pytest.approx(D(str(y)), abs=D("0.08"))


@pytest.mark.parametrize(("y", "prior"), [(0.9, "0.55"), (0.6, "0.95")])
def test_a_limit_that_leaves_orders_unfilled_does_not_hide_it_as_it_does_from_the_fills_alone(
    y: float, prior: str
) -> None:
    found = chained(Random(5), y, LIMIT, D(prior))
    assert found.impact_taken < D("0.5") * found.impact_squares
    assert found.impact_coefficient == pytest.approx(D(str(y)), abs=D("0.12"))
    assert by_fills_alone(Random(5), y) < y - 0.4


def by_fills_alone(dice: Random, y: float) -> float:
    """Regress what the fills paid on what the law says of as much as was taken."""
    products = squares = 0.0
    for order, fills, _ in market_of(dice, y, LIMIT):
        done = sum(float(made.quantity / order.quantity) for made in fills)
        paid = sum(
            float((made.price / MID - 1) / SWING * made.quantity / order.quantity) * order.side.sign for made in fills
        )
        x = _x(done, float(order.depth / order.quantity))
        products, squares = products + x * paid / (done or 1), squares + x * x
    return products / squares


# Whatever comes, and in whatever order.

AMOUNTS = st.decimals("1e-18", D(10) ** 20 - 1, places=18)
ORDERS = st.builds(
    lambda name, quantity, price, depth, vwap, worst, volatility, side, base: trade(
        str(name),
        quantity=quantity,
        decision_price=price,
        depth=depth,
        depth_vwap=vwap,
        depth_worst=worst,
        volatility=volatility,
        side=side,
        base=base,
    ),
    st.integers(0, 3),
    *[AMOUNTS] * 5,
    st.decimals(0, D(10) ** 20 - 1, places=18),
    st.sampled_from(Side),
    st.sampled_from(["BTC", "ETH", "NONE"]),
)
FILLS = st.builds(
    lambda number, parent, price, quantity, side, liquidity, age: taken(
        trade(str(parent), side=side),
        D(0),
        number=number,
        event_id=f"{number}",
        price=price,
        quantity=quantity,
        liquidity=liquidity,
        event_time_us=NOW_US + age,
    ),
    st.integers(0, 10**6),
    st.integers(0, 3),
    AMOUNTS,
    AMOUNTS,
    st.sampled_from(Side),
    st.sampled_from(Liquidity),
    st.integers(-(10**9), 10**8),
)
PASSES = st.lists(
    st.tuples(
        st.lists(ORDERS, max_size=4),
        st.lists(FILLS, max_size=8),
        st.sampled_from([0, SECOND_US, AFTER_US, HALF_LIFE_US]),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=200)
@given(PASSES, st.decimals("0.001", 1_000, places=3))
def test_nothing_whatever_brings_it_out_of_its_bounds_and_every_record_can_be_written_and_gone_on_from(
    passes: list[tuple[list[Trade], list[Fill], int]], prior: Decimal
) -> None:
    known, now_us, low_high = None, 0, impact_bounds(prior)
    for number, (orders, fills, later_us) in enumerate(passes):
        sent = [signal_of(order, at_us=NOW_US + now_us) for order in orders]
        now_us += later_us
        free = [replace(made, fee=D(0), notional=D(1)) for made in fills]  # of fees test_drift_fees.py knows more
        found = refit(at(now_us, 8 + number), stretch(free, number + 1), signalled(sent, number + 1), known, prior)
        if found is None:
            continue
        assert low_high[0] <= found.impact_coefficient <= low_high[1]
        read = CODEC.decode("market.costs", CODEC.encode(found))
        assert read == found
        assert isinstance(read, Costs)
        known = recorded(read, number)


@settings(max_examples=60)
@given(st.lists(ORDERS, min_size=1, max_size=4), st.lists(FILLS, max_size=8), st.integers())
def test_the_order_of_fills_and_signals_does_not_matter(orders: list[Trade], fills: list[Fill], seed: int) -> None:
    dice = Random(seed)
    orders = list({order.trade_id: order for order in orders}.values())
    fills = [replace(made, ledger_sequence=n, event_id=str(n), fee=D(0), notional=D(1)) for n, made in enumerate(fills)]
    sent: list[Signal] = [signal_of(order) for order in orders]
    shuffled = learn(at(), dice.sample(sent, len(sent)), dice.sample(fills, len(fills)), ends=(9, 9))
    assert shuffled == learn(at(), sent, fills, ends=(9, 9))


def test_the_decimal_context_of_the_caller_does_not_matter() -> None:
    of, sent, fills = at(), [signal_of(trade())], [taken(trade(), D("1.5"))]
    found = learn(of, sent, fills)
    with localcontext(CONTEXT, prec=9):
        assert learn(of, sent, fills) == found
