"""The depth model: a book as deep and as wide as it says, whatever the bar's length, and as recorded books are."""

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.exchange.book import Book, Ladder
from trimtab.exchange.depth_model import Activity, DepthModel, activity
from trimtab.exchange.market import DepthUpdate, Snapshot, Trade
from trimtab.exchange.recorded import RecordedMarket

MODEL = DepthModel()
RECORDINGS = Path(__file__).resolve().parents[4] / "shared" / "data" / "hftbacktest"
DISTANCES = (0.5e-4, 1e-4, 2e-4, 5e-4, 10e-4, 20e-4)
MID, TICK = 40_000.0, 0.01
rates = st.floats(1e-6, 1e6)
variances = st.floats(1e-14, 1e-4)


@given(volume=rates, variance=variances, tick=st.sampled_from([0.01, 1.0, 50.0]))
def test_behind_the_best_price_depth_grows_with_the_distance(volume: float, variance: float, tick: float) -> None:
    shape = MODEL.shape(Activity(300.0, volume, variance), MID, tick)

    unit = tick / MID
    deviation = math.sqrt(max(variance, unit**2 / 300.0))
    away = (np.array(shape.offsets) + shape.spread / 2) * unit
    assert np.allclose(np.cumsum(shape.sizes) / volume, MODEL.touch_seconds + MODEL.density * away / deviation)
    assert (shape.sizes > 0).all()
    assert shape.offsets[0] == 0
    assert all(inner < outer for inner, outer in pairwise(shape.offsets))


@given(volume=rates, variance=variances, times=st.floats(1.0, 50.0))
def test_depth_grows_in_proportion_to_volume_and_nothing_else_does(
    volume: float, variance: float, times: float
) -> None:
    one, more = (MODEL.shape(Activity(300.0, each, variance), MID, TICK) for each in (volume, volume * times))

    assert np.allclose(more.sizes, one.sizes * times)
    assert (more.spread, more.offsets) == (one.spread, one.offsets)


@given(volume=rates, variance=variances, times=st.floats(1.0, 50.0))
def test_with_volatility_the_spread_widens_and_the_book_thins(volume: float, variance: float, times: float) -> None:
    calm, wild = (MODEL.shape(Activity(300.0, volume, each), MID, TICK) for each in (variance, variance * times))

    assert wild.spread >= calm.spread >= 1
    within = np.array([1e-5, 1e-4, 1e-3, 1e-2])
    deep, thin = (MODEL.depth(Activity(300.0, volume, each), within) for each in (variance, variance * times))
    touch = volume * MODEL.touch_seconds
    assert np.allclose(deep - touch, (thin - touch) * math.sqrt(times))


def test_the_spread_is_a_hundredth_of_a_second_of_movement() -> None:
    wide = MODEL.shape(Activity(300.0, 1.0, 1e-6), MID, TICK)

    assert wide.spread == round(MID * 1e-3 * math.sqrt(0.01) / TICK) == 400
    assert MODEL.shape(Activity(300.0, 1.0, 1e-14), MID, TICK).spread == 1


@pytest.mark.parametrize("times", [2, 12, 288])
def test_how_long_a_bar_is_does_not_matter(times: int) -> None:
    """Over a longer time volume grows with it and the range with its square root."""
    short = activity(101.0, 100.0, 5.0, 300.0)
    high = 100.0 * math.exp(math.log(1.01) * math.sqrt(times))
    long = activity(high, 100.0, 5.0 * times, 300.0 * times)

    assert long.volume_per_second == pytest.approx(short.volume_per_second)
    assert long.variance_per_second == pytest.approx(short.variance_per_second)


def test_older_bars_fade_by_half_in_an_hour() -> None:
    known = Activity(300.0, 8.0, 4.0)
    for _ in range(12):
        known = known.then(Activity(300.0, 0.0, 0.0), MODEL.memory_seconds)

    assert known.volume_per_second == pytest.approx(4.0)
    assert known.variance_per_second == pytest.approx(2.0)


def test_a_price_that_stands_still_has_a_book_all_the_same() -> None:
    shape = MODEL.shape(activity(100.0, 100.0, 7.0, 300.0), 100.0, 0.01)

    assert shape.spread == 1
    assert np.isfinite(shape.sizes).all()


@pytest.mark.parametrize("name", ["btcusdt_20240808.gz", "ethusdt_20240808.gz"])
def test_recorded_books_are_as_deep_to_within_a_factor_of_three(name: str) -> None:
    path = RECORDINGS / name
    if not path.exists():
        pytest.skip(f"needs ../shared/data/hftbacktest/{name}, which is not there")
    book, prices, volume, depths, due_us = Book(), list[float](), 0.0, list[list[float]](), 0
    market = RecordedMarket([path])
    for event in market.events():
        if isinstance(event, Snapshot):
            book.reset(event)
        elif isinstance(event, Trade):
            prices.append(float(event.price))
            volume += float(event.quantity)
        elif isinstance(event, DepthUpdate):
            book.apply(event)
            if event.time_us >= due_us:
                due_us = event.time_us + 1_000_000
                depths += [_depths(book, side) for side in (book.bids, book.asks)]
    known = activity(max(prices), min(prices), volume, (market.end_us - market.start_us) / 1e6)
    ratios = MODEL.depth(known, np.array(DISTANCES)) / np.mean(depths, axis=0)

    print(name, *ratios.round(1))  # noqa: T201 - the table in docs/exchange.md

    assert (ratios > 1 / 3).all(), ratios
    assert (ratios < 3).all(), ratios


def _depths(book: Book, side: Ladder) -> list[float]:
    """What stands within each distance of the mid price."""
    bid, ask = book.bids.top(1)[0][0], book.asks.top(1)[0][0]
    mid = (bid + ask) / 2
    within = [(abs(float(price / mid) - 1), float(size)) for price, size in side.top(1000)]
    return [sum(size for away, size in within if away <= distance) for distance in DISTANCES]
