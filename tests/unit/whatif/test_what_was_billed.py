"""What really was filled, billed on the recorded books: by hand, to the last digit."""

from decimal import Decimal

import pytest
from recorded_lives import Life, ask, document

from frame_tapes import Writer
from recorded_topics import Topics
from trimtab.backtest.outcome import Outcome
from trimtab.domain.orders import Side
from trimtab.topics import EXECUTION_FILLS, EXECUTION_ORDERS, EXECUTION_PARENTS, REBALANCE_SIGNALS
from trimtab.whatif.differences import sent
from trimtab.whatif.result import bill

D = Decimal


@pytest.fixture
def topics() -> Topics:
    return Topics()


@pytest.fixture
def life(topics: Topics) -> Life:
    """A hundred BTC at 1,000 and as much in dollars, for two frames."""
    writer = Writer(topics.keep, "BTC")
    found = Life(writer)
    found.has(BTC="100", USDT="100000")
    for _ in range(2):
        writer.wait(10)
        writer.prices(BTC=100_000)
    return found


def bill_of(side: Outcome) -> tuple[object, ...]:
    return side.bill.traded, side.bill.fees, side.bill.paid, side.bill.opportunity, side.score, side.holdings


def pass_by(life: Life, mid: int = 100_000) -> None:
    life.writer.wait(10)
    life.writer.prices(BTC=mid)


def test_a_taker_pays_delay_spread_impact_and_fee(topics: Topics, life: Life) -> None:
    made = life.signal("2", "1000")
    pass_by(life, 100_100)
    life.writer.wait(1)
    # Mid 1001.00, ask 1001.01; two levels further is 1001.03.
    life.fill(made, "2", "1001.03", fee="2")
    life.close(made, "2")
    pass_by(life, 100_100)

    found = ask(topics, document())

    was = found.recorded.bill
    assert (was.signals, was.orders, was.placed, was.fills) == (1, 1, 1, 1)
    assert (was.delay, was.spread, was.impact, was.fees) == (D("2.00"), D("0.02"), D("0.04"), D(2))
    assert (was.traded, was.opportunity) == (D("2002.06"), 0)
    assert found.recorded.holdings == {"BTC": D(102), "USDT": D("97995.94")}
    assert bill(found, found.recorded)["final_equity"] == pytest.approx(102 * 1001 + 97995.94)
    (was_sent,) = sent(found.recorded.diary)
    assert was_sent.filled == {("BTC/USDT", Side.BUY): D(2)}
    assert found.engine.bill.signals == 0


def test_a_maker_earns_the_spread_and_what_stays_unfilled_is_missed(topics: Topics, life: Life) -> None:
    made = life.signal("3", "1000", Side.SELL)
    life.writer.wait(1)
    life.fill(made, "1", "1000.01", fee="0.5", maker=True)
    pass_by(life, 99_000)
    life.close(made, "1")
    pass_by(life, 99_000)

    was = ask(topics, document()).recorded.bill

    assert (was.delay, was.spread, was.impact, was.fees) == (0, D("-0.01"), 0, D("0.5"))
    assert was.opportunity == 20  # two that were to be sold at 1,000 and stand at 990


def test_a_fee_in_what_has_no_price_is_told_and_in_no_sum(topics: Topics, life: Life) -> None:
    made = life.signal("1", "1000")
    life.writer.wait(1)
    life.fill(made, "1", "1000.01", fee="0.002", fee_asset="BNB")
    pass_by(life)

    found = ask(topics, document())

    assert (found.recorded.bill.fees, found.unpriced) == (0, {"BNB": D("0.002")})


def test_only_what_was_accepted_and_decided_in_the_span_counts(topics: Topics, life: Life) -> None:
    early = life.signal("1", "1000")
    life.writer.wait(1)
    pass_by(life)
    life.fill(early, "1", "1000.01", fee="1")
    life.close(early, "1")
    pass_by(life)
    life.signal("7", "1000", accepted=False)
    late = life.signal("2", "1000")
    life.writer.wait(1)
    life.fill(late, "2", "1000.01", fee="2")
    pass_by(life)

    found = ask(topics, document(), begin=(3, None))

    assert (found.recorded.bill.signals, found.recorded.bill.fees) == (1, 2)
    assert found.engine.score.start_equity == found.recorded.score.start_equity


def test_it_begins_with_what_worlds_begin_with(topics: Topics) -> None:
    writer = Writer(topics.keep, "BTC")
    Life(writer).has(BTC="100", USDT="100000")
    writer.wait(10)
    writer.prices(BTC=100_000)
    for mid in (100_100, 100_200):
        writer.prices(full=False, BTC=mid)  # at the same time
    writer.wait(10)
    writer.prices(BTC=100_200)

    found = ask(topics, document())

    assert [side.score.start_equity for side in (found.recorded, found.engine)] == [200_000, 200_000]
    assert [side.score.final_equity for side in (found.recorded, found.engine)] == [200_200, 200_200]


def test_a_fill_finds_all_books_of_its_time(topics: Topics, life: Life) -> None:
    made = life.signal("1", "1000")
    life.writer.wait(10)
    life.writer.prices(full=False, BTC=100_050)
    life.writer.prices(full=False, BTC=100_100)
    life.fill(made, "1", "1001.01", fee="0")
    pass_by(life, 100_500)

    was = ask(topics, document()).recorded.bill

    assert (was.delay, was.spread, was.impact) == (1, D("0.01"), 0)


def test_what_a_topic_has_twice_counts_once(topics: Topics, life: Life) -> None:
    made = life.signal("2", "1000")
    life.writer.wait(1)
    life.fill(made, "2", "1000.01", fee="2")
    life.close(made, "2")
    pass_by(life)
    once = ask(topics, document()).recorded
    for topic in (REBALANCE_SIGNALS, EXECUTION_PARENTS, EXECUTION_ORDERS, EXECUTION_FILLS):
        for each in list(topics.whole(topic)):
            topics.keep(each.message, each.recorded_ms)

    twice = ask(topics, document()).recorded

    assert (twice.bill.fees, twice.bill.fills, twice.bill.placed) == (2, 1, 1)
    assert bill_of(twice) == bill_of(once)


def test_a_fill_counts_after_its_signal_whatever_the_venues_clock_says(topics: Topics, life: Life) -> None:
    made = life.signal("2", "1000")
    life.writer.now_us -= 500
    life.fill(made, "2", "1000.01", fee="2")
    life.close(made, "2")
    pass_by(life)

    was = ask(topics, document()).recorded.bill

    assert (was.signals, was.fills, was.delay, was.spread, was.fees) == (1, 1, 0, D("0.02"), 2)
