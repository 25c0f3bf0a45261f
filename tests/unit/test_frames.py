"""Frames into a market: exact counts, only what changed, and doubt after a gap."""

from dataclasses import replace
from decimal import Decimal

import pytest

from trimtab.domain.errors import InvalidValueError
from trimtab.frames import Feed, touched
from trimtab.messages import Frame, FrameQuote, InstrumentRules


def rules(base: str) -> InstrumentRules:
    return InstrumentRules(
        "binance",
        f"{base}/USDT",
        base,
        "USDT",
        Decimal("0.01"),
        Decimal("0.001"),
        Decimal("0.001"),
        Decimal(5),
        Decimal(0),
        Decimal("0.001"),
        tradable=True,
    )


def changed(base: str, bid: int = 99, ask: int = 101) -> FrameQuote:
    return FrameQuote("binance", f"{base}/USDT", 1_000, 5, (bid, 2_000), (ask, 3_000))


def full(sequence: int = 1, session: str = "a") -> Frame:
    return Frame(
        session, sequence, 1_000, full=True, rules=(rules("BTC"), rules("ETH")), quotes=(changed("BTC"), changed("ETH"))
    )


def part(sequence: int, session: str = "a", *quotes: FrameQuote) -> Frame:
    return Frame(session, sequence, 2_000, full=False, rules=(), quotes=quotes)


def test_counts_become_exact_prices_and_quantities() -> None:
    market = Feed().advance(full(), 4).market
    quote = market.quotes["binance:BTC/USDT"]
    assert (quote.bid, quote.ask, quote.mid) == (Decimal("0.99"), Decimal("1.01"), Decimal(1))
    assert (quote.bids[0].quantity, quote.asks[0].quantity) == (Decimal(2), Decimal(3))
    assert (market.offset, market.event_time_us, market.complete) == (4, 1_000, True)


def test_only_what_a_frame_names_is_touched() -> None:
    before = Feed().advance(full(), 4)
    after = before.advance(part(2, "a", changed("ETH", 199, 201)), 5)
    assert after.market.quotes["binance:BTC/USDT"] is before.market.quotes["binance:BTC/USDT"]
    assert after.market.quotes["binance:ETH/USDT"].mid == Decimal(2)
    assert after.market.complete
    assert touched(part(2, "a", changed("ETH"))) == {"binance:ETH/USDT"}


@pytest.mark.parametrize("frame", [part(3), part(2, "b"), part(1)], ids=["gap", "other session", "repeated"])
def test_a_frame_that_does_not_follow_makes_the_market_incomplete_until_a_full_one(frame: Frame) -> None:
    feed = Feed().advance(full(), 4).advance(frame, 5)
    assert not feed.market.complete
    following = feed.advance(replace(frame, sequence=frame.sequence + 1), 6)
    assert not following.market.complete
    assert following.advance(full(frame.sequence + 2, frame.session), 7).market.complete


def test_frames_before_the_first_full_one_leave_the_market_incomplete() -> None:
    feed = Feed().advance(part(8, "a", changed("BTC")), 3)
    assert not feed.market.complete
    assert not feed.market.quotes


def test_a_full_frame_forgets_what_it_does_not_name() -> None:
    feed = Feed().advance(full(), 4)
    only = Frame("a", 2, 3_000, full=True, rules=(rules("ETH"),), quotes=(changed("ETH"),))
    assert set(feed.advance(only, 5).market.quotes) == {"binance:ETH/USDT"}


def test_an_unreadable_frame_is_doubted_until_the_next_full_one() -> None:
    feed = Feed().advance(full(), 4).doubt(part(2))
    assert not feed.market.complete
    assert not feed.advance(part(2, "a", changed("BTC")), 6).market.complete
    assert feed.advance(full(3), 6).market.complete


@pytest.mark.parametrize("ladder", [(99,), (0, 5), (99, 0), (-1, 5)])
def test_a_ladder_that_is_no_ladder_is_one_clear_error(ladder: tuple[int, ...]) -> None:
    broken = part(2, "a", replace(changed("BTC"), bids=ladder))
    with pytest.raises(InvalidValueError, match=r"frame\.binance:BTC/USDT\.bids"):
        Feed().advance(full(), 4).advance(broken, 5)


def test_an_empty_side_is_kept_as_such() -> None:
    empty = part(2, "a", replace(changed("BTC"), asks=()))
    assert Feed().advance(full(), 4).advance(empty, 5).market.quotes["binance:BTC/USDT"].fault() == "empty_book"


def test_counts_are_exact_far_beyond_floats() -> None:
    huge = part(2, "a", FrameQuote("binance", "BTC/USDT", 1, 1, (10**17 + 1, 10**17 + 3), (10**17 + 2, 1)))
    level = Feed().advance(full(), 4).advance(huge, 5).market.quotes["binance:BTC/USDT"].bids[0]
    assert (level.price, level.quantity) == (Decimal("1000000000000000.01"), Decimal("100000000000000.003"))


DAY_US = 86_400_000_000


def later(frame: Frame, by_us: int) -> Frame:
    return replace(frame, event_time_us=frame.event_time_us + by_us)


@pytest.mark.parametrize("session", ["a", "b"])
def test_one_frame_from_far_ahead_moves_no_time_and_is_doubted(session: str) -> None:
    before = Feed().advance(full(), 4)
    absurd = later(full(2, session), 2 * DAY_US)
    with pytest.raises(InvalidValueError, match=r"^frame\.event_time_us: found .*; allowed: at most a day after"):
        before.advance(absurd, 5)
    doubted = before.doubt(absurd)
    assert (doubted.market.event_time_us, doubted.market.complete) == (before.market.event_time_us, False)
    following = doubted.advance(part(2, "a", changed("BTC")), 6)
    assert (following.market.event_time_us, following.market.complete) == (2_000, False)
    assert following.advance(full(3), 7).market.complete
    with pytest.raises(InvalidValueError):  # what was doubted then says nothing for it now
        following.advance(absurd, 8)


def test_time_that_really_leapt_is_believed_with_the_second_frame() -> None:
    market = Feed().advance(full(), 4).doubt(later(full(2), DAY_US + 1)).advance(later(full(3), DAY_US + 5), 6).market
    assert (market.event_time_us, market.complete) == (1_000 + DAY_US + 5, True)


def test_a_day_ahead_is_no_leap_and_the_first_frame_sets_the_time() -> None:
    assert Feed().advance(later(full(), 50 * DAY_US), 4).advance(later(full(2), 51 * DAY_US), 5).market.complete
