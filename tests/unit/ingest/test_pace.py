from hypothesis import given
from hypothesis import strategies as st

from trimtab.ingest.pace import Pace

INTERVAL_US = 10_000


def sent(pace: Pace, moments_us: list[int]) -> list[int]:
    """Send a frame at each moment, or when the pace allows it."""
    times, now_us = [], 0
    for moment_us in moments_us:
        now_us = max(now_us, moment_us)
        now_us += pace.wait_us(now_us)
        pace.spend(now_us)
        times.append(now_us)
    return times


def test_a_burst_after_a_quiet_moment_waits_for_nothing_until_what_was_saved_is_spent() -> None:
    times = sent(Pace(INTERVAL_US, 3), [1_000_000] * 6)
    assert times == [1_000_000, 1_000_000, 1_000_000, 1_010_000, 1_020_000, 1_030_000]


def test_with_nothing_saved_there_is_one_frame_an_interval() -> None:
    assert sent(Pace(INTERVAL_US, 1), [5_000_000] * 3) == [5_000_000, 5_010_000, 5_020_000]


@given(
    st.integers(1, 10),
    st.lists(st.integers(0, 50_000), min_size=1, max_size=60).map(
        lambda gaps: [sum(gaps[:i]) for i in range(len(gaps))]
    ),
)
def test_no_stretch_of_time_holds_more_frames_than_its_intervals_and_what_was_saved(
    saved: int, moments_us: list[int]
) -> None:
    times = sent(Pace(INTERVAL_US, saved), moments_us)
    for first in range(len(times)):
        for last in range(first, len(times)):
            assert last - first + 1 <= saved + (times[last] - times[first]) // INTERVAL_US
