"""Cron expressions: which hold, and when they come true."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.schedule import is_cron, last_us, next_us

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE_US = 60_000_000


def us(text: str) -> int:
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("cron", "now", "last", "following"),
    [
        ("0 0 * * *", "2026-11-21T12:00:00", "2026-11-21T00:00:00", "2026-11-22T00:00:00"),
        ("0 0 * * *", "2026-11-21T00:00:00", "2026-11-21T00:00:00", "2026-11-22T00:00:00"),
        ("0 0 * * *", "2026-11-20T23:59:59.999999", "2026-11-20T00:00:00", "2026-11-21T00:00:00"),
        ("*/15 8-16 * * MON-FRI", "2026-11-21T12:00:00", "2026-11-20T16:45:00", "2026-11-23T08:00:00"),
        ("0 0 1 1 *", "2026-11-21T12:00:00", "2026-01-01T00:00:00", "2027-01-01T00:00:00"),
        ("0 0 29 2 *", "2026-11-21T12:00:00", "2024-02-29T00:00:00", "2028-02-29T00:00:00"),
        ("0 0 L * *", "2026-11-21T12:00:00", "2026-10-31T00:00:00", "2026-11-30T00:00:00"),
        ("* * * * *", "2026-03-29T01:30:30", "2026-03-29T01:30:00", "2026-03-29T01:31:00"),  # no summer time in UTC
    ],
)
def test_the_last_time_and_the_next(cron: str, now: str, last: str, following: str) -> None:
    assert (last_us(cron, us(now)), next_us(cron, us(now))) == (us(last), us(following))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "daily",
        "@daily",
        "0 0 * *",
        "0 0 0 * * *",  # with seconds
        "*/10 * * * * *",
        "60 0 * * *",
        "0 24 * * *",
        "0 0 32 * *",
        "0 0 31 2 *",
        "0 0 31 4,6 *",
        "0 0 */31 * TUE#2",  # the first of a month is no second Tuesday
        "*/0 * * * *",
        "a b c d e",
        "0 0 * * FOO",
        "0,," + "0," * 200 + "0 0 * * *",
    ],
)
def test_what_never_comes_or_comes_too_often_is_refused(text: str) -> None:
    assert not is_cron(text)


fields = st.text(alphabet="0123456789*/-,L#W?MONa ١", max_size=8)


@given(st.one_of(st.text(max_size=30), st.tuples(*[fields] * 5).map(" ".join)))
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    if is_cron(text):
        now = us("2026-11-21T12:00:00")
        last, following = last_us(text, now), next_us(text, now)
        assert last is None or last <= now
        assert following is None or following > now


simple = st.one_of(st.just("*"), st.integers(0, 23).map(str), st.integers(1, 12).map(lambda n: f"*/{n}"))


@given(st.tuples(simple, simple), st.integers(us("2000-01-01"), us("2099-01-01")))
def test_nothing_comes_between_the_last_and_the_next(parts: tuple[str, str], now_us: int) -> None:
    cron = " ".join([*parts, "*", "*", "*"])
    last, following = last_us(cron, now_us), next_us(cron, now_us)
    assert last is not None
    assert following is not None
    assert last <= now_us < following
    assert last % MINUTE_US == following % MINUTE_US == 0
    assert next_us(cron, last) == following
    assert last_us(cron, following) == following
    assert last_us(cron, following - 1) == last
