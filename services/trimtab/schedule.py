"""Cron expressions, in UTC: the last time before an event time and the next one after it."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cronsim import CronSim, CronSimError

CRON_WORDS = (
    'minute, hour, day of month, month and day of week in UTC, as "0 0 * * *" or "*/15 8-16 * * MON-FRI", '
    "at most once a minute and now and then at least"
)
CRON_LENGTH_MAX = 200
_FIELDS = 5
_MINUTE_US = 60_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)  # the library looks fifty years ahead
_KEPT_MAX = 4_096


def is_cron(text: str) -> bool:
    """Tell whether this is a cron expression of five fields that comes true at all."""
    if len(text) > CRON_LENGTH_MAX or len(text.split()) != _FIELDS:
        return False
    try:
        return next(CronSim(text, _ANY_TIME), None) is not None
    except CronSimError:
        return False


def last_us(cron: str, event_time_us: int) -> int | None:
    """Return the last time at or before this one, UTC microseconds; None if there is none within fifty years."""
    return _around(cron, event_time_us // _MINUTE_US)[0]


def next_us(cron: str, event_time_us: int) -> int | None:
    """Return the first time after this one, UTC microseconds; None if there is none within fifty years."""
    return _around(cron, event_time_us // _MINUTE_US)[1]


@lru_cache(maxsize=_KEPT_MAX)
def _around(cron: str, minute: int) -> tuple[int | None, int | None]:
    """Return the last time up to the start of a minute and the first one after it; none lies within a minute."""
    start = _EPOCH + timedelta(minutes=minute)
    before = next(CronSim(cron, start + timedelta(minutes=1), reverse=True), None)
    return _us(before), _us(next(CronSim(cron, start), None))


def _us(time: datetime | None) -> int | None:
    return None if time is None else (time - _EPOCH) // timedelta(microseconds=1)
