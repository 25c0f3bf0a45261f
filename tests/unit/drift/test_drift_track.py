"""One asset's prices on the grid: bad prints, jumps, silences, averages."""

from collections.abc import Iterable
from decimal import Decimal, localcontext
from itertools import pairwise

import numpy as np
import pytest
from drift_worlds import D, instrument, quote
from hypothesis import given
from hypothesis import strategies as st

from trimtab.domain.market import Quote
from trimtab.drift.track import Leap, Track, doubt_of, variance_of

RULES = instrument("BTC")
PATIENCE = 10


def book(mid: str | float) -> Quote:
    return quote(RULES, Decimal(str(mid)), spread=D("0.0002"))


def follow(
    mids: Iterable[float | None], track: Track | None = None, *, moving: bool = True
) -> tuple[Track, list[Leap]]:
    """Sample these mids, one a grid point; None: the book cannot be used."""
    track, leaps = track or Track(PATIENCE, D("0.005")), []
    with localcontext(prec=34):
        for mid in mids:
            leap = track.sample(None if mid is None else book(mid), moving=moving)
            leaps += [leap] if leap is not None else []
    return track, leaps


def logs(track: Track, count: int) -> list[float]:
    """The last believed log prices, one a grid point."""
    sums = [float(total) for total in track._sums]
    return [b - a for a, b in pairwise(sums)][-count:]


def ratios(track: Track, count: int) -> list[float]:
    return [float(round(np.exp(log), 6)) for log in logs(track, count)]


def test_a_single_bad_print_never_enters() -> None:
    track, _ = follow([100, 100.01, 100.02, 130, 100.03, 100.04])
    assert ratios(track, 5) == [100.01, 100.02, 100.02, 100.03, 100.04]


def test_a_bad_print_that_stands_until_the_next_book_never_enters() -> None:
    track, _ = follow([100, 100.01, *[70] * 6, 100.02])
    assert set(ratios(track, 8)) == {100.01, 100.02}


def test_a_jump_enters_when_the_next_book_confirms_it() -> None:
    track, _ = follow([100, 100.01, 110, 110.01, 110.02])
    assert ratios(track, 4) == [100.01, 100.01, 110.01, 110.02]


def test_of_three_that_are_far_from_each_other_the_middle_one_is_believed() -> None:
    track, _ = follow([100, 100.01, 110, 90, 95])
    assert ratios(track, 4) == [100.01, 100.01, 100.01, 95]
    rising, _ = follow([100 * 1.01**n for n in range(30)])
    assert ratios(rising, 1)[0] > 100 * 1.01**25  # a market that never rests is followed


def test_a_track_that_begins_with_a_bad_print_begins_with_the_second_price() -> None:
    track, _ = follow([150, 100, 100.01, 100.02])
    assert ratios(track, 4) == [100.01, 100.02]


def test_the_rarer_the_points_the_larger_a_move_is_believed_at_once() -> None:
    with localcontext(prec=34):
        assert doubt_of(D("0.2")) == doubt_of(D(1)) < D("0.01")
        assert doubt_of(D(400)) == 20 * doubt_of(D(1))


def test_an_asset_that_never_moves_is_believed_in_the_end() -> None:
    track, _ = follow([1.0] * 10, moving=False)
    assert not track._sums
    track, _ = follow([1.0] * 25, moving=False)
    assert track.averaged(PATIENCE // 2) == 0


def test_an_asset_without_news_for_long_is_silent_and_then_gives_one_return_over_all_of_it() -> None:
    track, leaps = follow([100, 100.01, *[100.02] * (PATIENCE + 1)])
    assert ratios(track, 1) == [100.02]
    track, leaps = follow([100.02], track)
    assert not leaps
    assert track.averaged(1) is None
    track, leaps = follow([*[100.02] * 20, 100.3], track)
    assert [leap.points for leap in leaps] == [PATIENCE + 1 + 21]
    assert float(leaps[0].change) == pytest.approx(np.log(100.3 / 100.02))
    assert track.averaged(1) is None  # the averages begin anew
    track, leaps = follow([100.31, 100.32, 100.33, 100.34], track)
    assert track.averaged(2) is not None
    assert not leaps


def test_a_bad_print_does_not_end_a_silence() -> None:
    track, leaps = follow([100, 100.01, *[100.02] * (PATIENCE + 5), 140])
    assert not leaps
    track, leaps = follow([100.03], track)
    assert float(leaps[0].change) == pytest.approx(np.log(100.03 / 100.02))


def test_a_book_that_cannot_be_used_changes_nothing() -> None:
    track, _ = follow([100, 100.01, None, None, 100.02])
    assert ratios(track, 4) == [100.01, 100.01, 100.01, 100.02]


def test_a_rest_of_all_assets_is_a_silence() -> None:
    track, _ = follow([100, 100.01, 100.02])
    track.rest(50)
    track, leaps = follow([100.05], track)
    assert [leap.points for leap in leaps] == [51]


@pytest.mark.parametrize("half", [1, 2, 5])
def test_the_averaged_return_is_the_triangle_of_returns_and_its_variance_is_as_said(half: int) -> None:
    mids = [round(100 + 0.01 * n % 0.05 + 0.003 * n, 4) for n in range(15)]
    track, _ = follow(mids)
    with localcontext(prec=34):
        sums = list(track._sums)
        found = [float(b - a) for a, b in pairwise(sums)][-2 * half :]
    weights = [1 - abs(k) / half for k in range(1 - half, half)]
    with localcontext(prec=34):
        averaged = track.averaged(half)
        variance = variance_of(half)
    assert float(averaged or 0) == pytest.approx(np.dot(weights, np.diff(found)), abs=1e-14)
    assert float(variance) == pytest.approx(np.square(weights).sum())


@given(st.lists(st.integers(99_900, 100_100), min_size=12, max_size=40, unique=True))
def test_a_return_does_not_depend_on_when_its_track_began(ticks: list[int]) -> None:
    mids = [tick / 1_000 for tick in ticks]
    early, _ = follow(mids)
    late, _ = follow(mids[-8:])
    with localcontext(prec=34):
        assert early.averaged(3) == late.averaged(3)
