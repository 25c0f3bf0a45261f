"""Calendars by the hour hand: is a minute one of a cron expression's, asked minute after minute."""

from datetime import UTC, datetime

from trimtab.domain.portfolio import Calendar, Hybrid
from trimtab.messages import PortfolioState

MINUTE_US = 60_000_000
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_NAMES: tuple[tuple[str, ...], ...] = ((), (), (), _MONTHS, _DAYS)
_FIRST, _LAST = (0, 0, 1, 1, 0), (59, 23, 31, 12, 7)


def falls_on(cron: str, minute: int) -> bool:
    """Tell whether a minute since 1970, UTC, is one of the expression's.

    Of day of month and day of week one is enough when both are restricted, as cron has it: neither begins with a star.
    """
    fields = cron.split()
    now = datetime.fromtimestamp(minute * 60, tz=UTC)
    weekday = now.isoweekday() % 7
    found = [
        _allows(place, fields[place], value) for place, value in enumerate((now.minute, now.hour, now.day, now.month))
    ]
    of_week = _allows(4, fields[4], weekday) or (weekday == 0 and _allows(4, fields[4], 7))
    free = fields[2].startswith("*") or fields[4].startswith("*")
    day = (found[2] and of_week) if free else (found[2] or of_week)
    return found[0] and found[1] and found[3] and day


def due_us(policy: Calendar | Hybrid, now_us: int, state: PortfolioState) -> int | None:
    """Return the time that is due: the last one, within its window, since which no signal was accepted."""
    minute = now_us // MINUTE_US
    while now_us < minute * MINUTE_US + policy.window_seconds * 1_000_000:
        if falls_on(policy.cron, minute):
            last_us = minute * MINUTE_US
            return last_us if max(state.recent_signals_us, default=-1) < last_us else None
        minute -= 1
    return None


def _allows(place: int, field: str, value: int) -> bool:
    return any(_part(place, part, value) for part in field.split(","))


def _part(place: int, part: str, value: int) -> bool:
    span, _, step = part.partition("/")
    if span == "*":
        first, last = _FIRST[place], _LAST[place]
    elif "-" in span:
        first, last = (_number(place, end) for end in span.split("-"))
    else:
        first = _number(place, span)
        last = _LAST[place] if step else first
    return first <= value <= last and (value - first) % int(step or 1) == 0


def _number(place: int, text: str) -> int:
    names = _NAMES[place]
    return names.index(text) + _FIRST[place] if text in names else int(text)
