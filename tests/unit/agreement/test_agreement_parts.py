"""What a comparison stands on: pairs, places on the tape, orders priced again and told to the engine again."""

from dataclasses import replace
from typing import Any

import pytest
from agreed_courses import NOW_US, RULES, D, a_fill, an_order, given, inputs, market

from trimtab.agreement.pairing import paired
from trimtab.agreement.pipeline import Sight
from trimtab.agreement.places import Places
from trimtab.agreement.pricing import priced
from trimtab.agreement.retold import Question, Retelling, Retold
from trimtab.backtest.fees import Fees
from trimtab.domain.orders import Side
from trimtab.exchange.instruments import Instrument
from trimtab.exchange.market import DepthUpdate, Level, MarketEvent, Snapshot
from trimtab.messages import Frame, FrameQuote
from trimtab.settings import ExecutorSettings

LISTED = {"BTCUSDT": Instrument("BTCUSDT", "BTC", "USDT", D("0.01"), D("0.00001"))}
FILLED = (D("60000.01"), D("0.1"), False)


def times(*pairs: tuple[int | None, int | None]) -> list[tuple[int | None, int | None]]:
    return list(pairs)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([10, 20], [11, 19], times((10, 11), (20, 19))),
        ([10], [15, 11], times((10, 11), (None, 15))),
        ([10, 40], [40], times((10, None), (40, 40))),
        ([10], [21], times((10, None), (None, 21))),
        # 13 and 12 are closest; 10 with 18 would cross them, and is left alone.
        ([10, 13], [12, 18], times((10, None), (13, 12), (None, 18))),
    ],
)
def test_the_closest_are_paired_and_no_pairs_cross(
    first: list[int], second: list[int], expected: list[tuple[int | None, int | None]]
) -> None:
    assert paired(first, sorted(second), lambda each: each, 10) == expected


def book(last_id: int, at_us: int, ask: str) -> Snapshot:
    bids: tuple[Level, ...] = ((D("60000"), D(1)),)
    return Snapshot("BTCUSDT", at_us, last_id, bids, ((D(ask), D(1)),))


def moved(last_id: int, at_us: int, *asks: Level) -> DepthUpdate:
    return DepthUpdate("BTCUSDT", at_us, at_us - 500, last_id, last_id, (), asks)


TAPE: list[MarketEvent] = [
    book(1, NOW_US, "60000.01"),
    moved(2, NOW_US + 100_000, (D("60000.01"), D(0)), (D("60000.02"), D(1))),
]


def test_a_frame_stands_where_its_newest_book_was_due() -> None:
    places = Places(TAPE, LISTED)
    frames = [
        Frame("s", 1, NOW_US + 7, False, (), (FrameQuote("binance", "BTC/USDT", NOW_US, last_id, (), ()),))  # noqa: FBT003 - full
        for last_id in (1, 2, 3)
    ]
    assert [places.of(frame) for frame in frames] == [NOW_US, NOW_US + 100_000, NOW_US + 7]
    assert places.end_us == NOW_US + 100_000


def request(events: int, **changes: object) -> dict[str, Any]:
    asked = {"account": "core", "method": "order.place", "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT"}
    terms = {"client_order_id": "a", "quantity": "0.1", "price": "60000.02", "time_in_force": "IOC"}
    return {
        **asked,
        **terms,
        "market_us": NOW_US + 50_000,
        "events": events,
        "order_id": 1,
        "request_id": "r",
        **changes,
    }


def told(*requests: dict[str, Any], questions: tuple[Question, ...] = ()) -> Retold:
    deposits = {"USDT": D(100_000)}
    return Retelling(LISTED, "core", deposits, Fees(), NOW_US).tell(TAPE, requests, questions)


def test_an_order_finds_the_book_of_its_place_on_the_tape() -> None:
    found = told(request(1))
    assert [each.terms for each in found.fills["a"]] == [FILLED]
    assert found.tops == {"a": "60000/60000.01"}
    later = told(request(2))
    assert [each.price for each in later.fills["a"]] == [D("60000.02")]
    assert told(request(1, account="other")).fills == {}


def test_an_order_that_was_taken_back_is_filled_no_more() -> None:
    resting = request(1, price="60000", time_in_force="GTC")
    cancelled = request(2, method="order.cancel")
    found = told(resting, cancelled)
    assert (found.fills, found.refused) == ({}, {})
    assert told(cancelled).refused == {"a": "Unknown order sent."}


def test_it_says_what_an_order_would_have_got_at_another_time() -> None:
    asked = tuple(
        Question(name, NOW_US + after_us, "BTC/USDT", Side.BUY, D("0.1"), D("60000.02"))
        for name, after_us in (("early", 99_999), ("late", 100_000))
    )
    found = told(questions=asked)
    assert found.answers["early"].fills == (FILLED,)
    assert [price for price, _, _ in found.answers["late"].fills] == [D("60000.02")]
    assert found.fills == {}


def test_an_order_is_priced_on_the_last_frame_that_gives_it() -> None:
    """At once: nothing saves more by resting at no spread, and the book is deep enough for a slice."""
    stood_on = inputs()
    signal = given(stood_on)
    leg = signal.legs[0]
    sights = [Sight(7 + n, NOW_US + n * 10_000, market(mid)) for n, mid in enumerate(("60000", "60000", "60007"))]
    settings = ExecutorSettings(depth_share_max=D(1))
    quiet = replace(signal.signal.trades[0], volatility=D(0))
    resting = replace(signal, signal=replace(signal.signal, trades=(quiet,)))
    order = replace(an_order(price="60000", tif="gtc"), quantity=leg.quantity, parent_id=quiet.trade_id)
    found = priced(replace(resting, orders=(order,)), order, leg.quantity, sights, settings)
    assert found is not None
    assert (found.offset, found.after_us) == (8, 10_000)
    other = replace(order, price=D("59999"))
    assert priced(replace(resting, orders=(other,)), other, leg.quantity, sights, settings) is None


def test_what_was_filled_before_is_not_ordered_again() -> None:
    signal = given(inputs())
    quiet = replace(signal.signal.trades[0], volatility=D(0))
    before = replace(
        an_order("before", after_ms=5, tif="gtc"), parent_id=quiet.trade_id, fills=(a_fill(quantity="0.01"),)
    )
    left = quiet.quantity - D("0.01")
    order = replace(an_order(price="60000", tif="gtc"), quantity=left, parent_id=quiet.trade_id)
    both = replace(signal, signal=replace(signal.signal, trades=(quiet,)), orders=(before, order))
    sights = [Sight(7, NOW_US, market())]
    settings = ExecutorSettings(depth_share_max=D(1))
    assert priced(both, order, quiet.quantity, sights, settings) is not None
    assert priced(replace(both, orders=(order,)), order, quiet.quantity, sights, settings) is None
    assert RULES.key in sights[0].market.quotes
