"""What `trimtab explain` takes: an offset or a time, a span, and what goes together; one clear line for the rest."""

import pytest
from typer.testing import CliRunner

from trimtab.cli.__main__ import app
from trimtab.cli.when import frame_or_time, span_us
from trimtab.domain.errors import InvalidValueError

NOON_US = 1_769_860_800_000_000  # 2026-01-31T12:00:00Z


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0", (0, None)),
        ("999999999999", (999_999_999_999, None)),
        (str(NOON_US), (None, NOON_US)),
        ("2026-01-31T12:00:00Z", (None, NOON_US)),
        ("2026-01-31T12:00:00", (None, NOON_US)),
        ("2026-01-31 13:00:00.000001+01:00", (None, NOON_US + 1)),
        ("2026-01-31", (None, NOON_US - 12 * 3_600_000_000)),
        ("1969-12-31T23:59:59Z", (None, -1_000_000)),
    ],
)
def test_an_offset_is_told_from_a_time(text: str, found: tuple[int | None, int | None]) -> None:
    assert frame_or_time(text) == found


@pytest.mark.parametrize("text", ["", "-1", "1.5", "noon", "2026-13-01", "1" * 19, "٣", "12:00"])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(InvalidValueError, match=r"--at: found .*; allowed: an offset in market\.frames, a time in ISO"):
        frame_or_time(text)


def test_spans() -> None:
    assert [span_us(text) for text in ("90s", "10m", "2h", "366d")] == [
        90_000_000,
        600_000_000,
        7_200_000_000,
        31_622_400_000_000,
    ]
    for text in ("", "10", "0m", "-1m", "1.5h", "367d", "9999999999s", "1w"):
        with pytest.raises(InvalidValueError, match=r"--last: found .*; allowed: a span such as 90s"):
            span_us(text)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--at", "noon"), "--at: found 'noon'; allowed: an offset in market.frames, a time in ISO 8601"),
        (
            ("--holds", "--last", "soon"),
            "--last: found 'soon'; allowed: a span such as 90s, 10m, 2h or 1d, at most 366d",
        ),
        (("--last", "5m"), "Invalid value for --last: is the span of --holds; allowed: with it."),
        (
            ("--signal", "x", "--at", "1"),
            "Invalid value for --signal: a signal says itself where it stands; allowed: alone.",
        ),
        (
            ("--signal", "x", "--holds"),
            "Invalid value for --signal: a signal says itself where it stands; allowed: alone.",
        ),
    ],
)
def test_what_cannot_be_meant_is_said_before_anything_is_asked(words: tuple[str, ...], line: str) -> None:
    ended = CliRunner().invoke(app, ["explain", "core", *words])

    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"error: {line}")
    assert ended.stderr.count("\n") == 1
