"""Frames that follow on one another, and those that do not."""

from trimtab.replay.continuity import PLACES_MAX, SILENCE_US, Continuity


def test_a_new_session_is_no_gap_but_what_is_left_out_is() -> None:
    found = Continuity()
    for offset, session, sequence in (
        (5, "a", 3),
        (6, "a", 4),
        (7, "b", 1),
        (8, "b", 3),  # number 2 is missing
        (10, "b", 4),  # offset 9 is missing
        (11, "b", 4),  # the same number again
    ):
        found.see(offset, session, sequence, 1_000 + offset)
    assert (found.frames, found.first_us, found.last_us) == (6, 1_005, 1_011)
    assert (found.gaps, found.places) == (3, [8, 10, 11])


def test_all_gaps_are_counted_and_the_first_are_named() -> None:
    found = Continuity()
    for number in range(PLACES_MAX + 6):
        found.see(2 * number, "a", number, number)
    assert (found.gaps, len(found.places)) == (PLACES_MAX + 5, PLACES_MAX)


def test_a_day_without_frames_is_a_gap_and_a_time_that_runs_back_is_disorder() -> None:
    found = Continuity()
    for number, time_us in enumerate((0, SILENCE_US, 2 * SILENCE_US + 1, 86_400_000_000, 86_400_000_000 - 1)):
        found.see(number, "a", number, time_us)
    assert (found.gaps, found.places, found.disorder) == (2, [2, 3], 1)
