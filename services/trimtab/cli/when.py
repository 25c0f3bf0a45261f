"""Times and spans as a person writes them in an option."""

import re
from datetime import UTC, datetime, timedelta

from trimtab.domain.errors import InvalidValueError

_OFFSET_DIGITS_MAX = 12  # an event time in microseconds has more since 2001
_DIGITS_MAX = 17  # until the year 5138
_UNITS_US = {"s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_SPAN_US_MAX = 366 * _UNITS_US["d"]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def frame_or_time(text: str, option: str = "--at") -> tuple[int | None, int | None]:
    """Return (offset, None) or (None, event time in UTC microseconds); a time without a zone is UTC.

    Raises:
        InvalidValueError: if it is neither.

    """
    number = re.fullmatch(r"[0-9]+", text) is not None
    if number and len(text) <= _DIGITS_MAX:
        return (int(text), None) if len(text) <= _OFFSET_DIGITS_MAX else (None, int(text))
    found = _time(text) if not number else None
    if found is None:
        allowed = "an offset in market.frames, a time in ISO 8601 (2026-01-31T12:00:00Z), or an event time in us"
        raise InvalidValueError(option, text, allowed)
    zoned = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return None, (zoned - _EPOCH) // timedelta(microseconds=1)


def span_us(text: str) -> int:
    """Return a span such as 90s, 10m, 2h or 1d in microseconds.

    Raises:
        InvalidValueError: if it is none.

    """
    found = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    span = int(found[1]) * _UNITS_US[found[2]] if found is not None else 0
    if not 0 < span <= _SPAN_US_MAX:
        raise InvalidValueError("--last", text, "a span such as 90s, 10m, 2h or 1d, at most 366d")
    return span


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
