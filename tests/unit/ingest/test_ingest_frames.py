"""Frames: conflation loses no change, sequences have no holes, time never goes back."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.domain.errors import InvalidValueError
from trimtab.domain.instruments import Instrument
from trimtab.frames import Feed
from trimtab.ingest.frames import FrameBuilder
from trimtab.ingest.ladder import flatten, units

FULL_US = 1_000_000


def instrument(symbol: str = "BTC/USDT") -> Instrument:
    base, quote = symbol.split("/")
    return Instrument(
        venue="binance",
        symbol=symbol,
        base=base,
        quote=quote,
        tick=Decimal("0.01"),
        step=Decimal("0.00001"),
        min_quantity=Decimal("0.00001"),
        min_notional=Decimal(5),
        maker_fee=Decimal("0.001"),
        taker_fee=Decimal("0.001"),
    )


BTC, ETH, SOL = instrument(), instrument("ETH/USDT"), instrument("SOL/USDT")
ALL = (BTC, ETH, SOL)


def builder() -> FrameBuilder:
    made = FrameBuilder("session", FULL_US)
    made.know(ALL)
    return made


def test_the_first_frame_is_full_and_names_every_instrument() -> None:
    made = builder()
    made.update(ETH, 7, 5_000, 100, (1, 2), (3, 4))
    frame = made.build(100).frame
    assert (frame.full, frame.sequence, frame.event_time_us) == (True, 1, 5_000)
    assert [quote.instrument for quote in frame.quotes] == ["BTC/USDT", "ETH/USDT", "SOL/USDT"]
    assert [rule.instrument for rule in frame.rules] == ["BTC/USDT", "ETH/USDT", "SOL/USDT"]
    assert frame.quotes[0].bids == ()
    assert frame.quotes[1].bids == (1, 2)


def test_a_frame_names_only_what_changed_and_only_its_newest_state() -> None:
    made = builder()
    made.build(0)
    made.update(BTC, 1, 1_000, 10, (1, 1), (2, 1))
    made.update(BTC, 2, 2_000, 20, (3, 1), (4, 1))
    built = made.build(30)
    assert not built.frame.full
    assert built.frame.rules == ()
    assert [(quote.update_id, quote.bids) for quote in built.frame.quotes] == [(2, (3, 1))]
    assert built.oldest_us == 10
    assert not made.changed


def test_a_full_frame_comes_when_it_is_due() -> None:
    made = builder()
    assert made.build(0).frame.full
    assert not made.build(FULL_US - 1).frame.full
    assert made.build(FULL_US).frame.full


def test_a_frame_that_was_not_sent_is_made_up_for() -> None:
    made = builder()
    made.build(0)
    made.update(BTC, 1, 1_000, 10, (1, 1), (2, 1))
    made.build(20)
    made.lost()
    frame = made.build(30).frame
    assert frame.full
    assert frame.quotes[0].bids == (1, 1)


def test_new_rules_bring_a_full_frame() -> None:
    made = builder()
    made.build(0)
    made.know(ALL)
    assert not made.build(1).frame.full
    made.know([instrument("XRP/USDT")])
    frame = made.build(2).frame
    assert frame.full
    assert len(frame.rules) == 4


def test_a_stale_instrument_is_published_without_a_book() -> None:
    made = builder()
    made.update(BTC, 1, 1_000, 10, (1, 1), (2, 1))
    made.build(10)
    made.empty(BTC, 20)
    (quote,) = made.build(20).frame.quotes
    assert (quote.bids, quote.asks, quote.update_id) == ((), (), 1)


updates = st.lists(
    st.tuples(st.sampled_from(ALL), st.integers(1, 10**9), st.integers(1, 50), st.booleans()), max_size=60
)


@given(updates)
def test_a_reader_of_the_frames_sees_every_instruments_newest_book(
    steps: list[tuple[Instrument, int, int, bool]],
) -> None:
    """Whatever comes and whenever frames are cut, the reader's market equals the builder's, without a hole."""
    made, feed, newest = builder(), Feed(), {}
    now_us = 1
    for number, (item, event_time_us, size, publish) in enumerate(steps, 1):
        now_us += 10_000
        made.update(item, number, event_time_us, now_us, (number, size), (number + 1, size))
        newest[item.key] = number
        if publish or number == len(steps):
            before = feed.market.event_time_us
            frame = made.build(now_us).frame
            feed = feed.advance(frame, frame.sequence)
            assert feed.market.complete
            assert feed.market.event_time_us >= before
    for key, number in newest.items():
        assert feed.market.quotes[key].bid == Decimal(number) * BTC.tick


def test_ladders_count_ticks_and_steps() -> None:
    levels = [(Decimal("61700.01"), Decimal("0.00017")), (Decimal("61700.00"), Decimal("1.5"))]
    assert flatten(BTC, levels) == (6_170_001, 17, 6_170_000, 150_000)


@pytest.mark.parametrize("value", ["0.015", "0", "-0.01", "1E-9"])
def test_what_is_off_the_grid_is_refused(value: str) -> None:
    with pytest.raises(InvalidValueError, match=r"a positive multiple of 0\.01"):
        units(Decimal(value), Decimal("0.01"), "price")


@given(st.integers(1, 10**12), st.sampled_from(["0.01", "0.00000001", "0.12", "10", "0.5"]))
def test_counts_are_exact(count: int, unit: str) -> None:
    assert units(count * Decimal(unit), Decimal(unit), "price") == count
