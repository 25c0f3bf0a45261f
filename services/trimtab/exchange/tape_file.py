"""What files of tapes of every kind have in common: how they are opened, read as tables, and found wanting."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import BinaryIO, cast

from trimtab.exchange.instruments import MIN_UNIT

BEHIND_US_MAX = 1_000_000
"""What a message may be older than the one before it: then it is due at once."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX = Decimal(10) ** 15  # of prices and quantities, so that sums of their products are exact
_SECONDS_MIN = 10**9  # a smaller count is no time of a market but something else, such as 20240131
_FIELD_MAX = 64 * 2**20  # characters; a whole book may stand in one field, where the csv module expects 131,072
_SHOWN = 60  # characters of what was found


class TapeError(Exception):
    """A tape that cannot be played; the message names the file, what was found and what is needed."""


def opened(path: Path) -> BinaryIO:
    """A file's bytes, of a .gz file what is in it."""
    return cast("BinaryIO", gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb"))


def table(path: Path, needed: Iterable[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and fields by name of each row of a CSV file with a heading; names in small letters.

    Raises TapeError for a file that is no such table or lacks a column.
    """
    csv.field_size_limit(max(csv.field_size_limit(), _FIELD_MAX))
    try:
        with opened(path) as stream, io.TextIOWrapper(stream, "utf-8-sig", newline="") as text:
            rows = csv.reader(text, strict=True)
            names = [name.strip().lower() for name in next(rows, [])]
            check_columns(path, names, needed)
            twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
            if twice:
                raise TapeError(f"{path}: column {', '.join(twice)} more than once; needed: each once")
            for row in rows:
                if len(row) != len(names):
                    raise TapeError(
                        f"{path}:{rows.line_num}: {len(row)} fields; needed: {len(names)}, as in its heading"
                    )
                yield rows.line_num, dict(zip(names, row, strict=True))
    except (csv.Error, UnicodeDecodeError, EOFError, zlib.error, OSError) as error:
        raise TapeError(f"{path}: {error}; needed: a whole CSV file in UTF-8") from error


def check_columns(path: Path, names: Iterable[str], needed: Iterable[str]) -> None:
    """Raise TapeError unless every needed column is there."""
    found = set(names)
    missing = [name for name in needed if name not in found]
    if missing:
        raise TapeError(f"{path}: no column {', '.join(missing)}; found: {', '.join(sorted(found)) or 'none'}")


def number(place: str, name: str, text: str | None, *, zero: bool) -> Decimal:
    """A price or a quantity; `zero` says whether it may be 0.

    Raises TapeError naming the place.
    """
    text = text or ""
    try:
        value = Decimal(text if text.isascii() and "_" not in text else "nan")
    except InvalidOperation:
        value = Decimal("nan")
    if not value.is_finite() or not 0 <= value <= _MAX or not (value or zero):
        raise TapeError(
            f"{place}: {name} {text[:_SHOWN]!r}; needed: a number {'not below' if zero else 'above'} 0, "
            f"at most {_MAX:.0e}"
        )
    return value


def exact(place: str, name: str, text: str | None, *, zero: bool) -> Decimal:
    """A price or a quantity as markets print them.

    Raises TapeError as `number` does, and for more decimals than any asset has.
    """
    value = number(place, name, text, zero=zero)
    if value % MIN_UNIT:
        raise TapeError(f"{place}: {name} {text[:_SHOWN] if text else ''}; needed: 8 decimals at most")
    return value


def moment_us(place: str, name: str, text: str | None) -> int:
    """A time in microseconds since 1970, from ISO 8601 (UTC unless it says otherwise) or a count since 1970.

    A count is of seconds, milliseconds, microseconds or nanoseconds, whichever puts it between 2001 and the year 5138.
    Raises TapeError naming the place.
    """
    text = text or ""
    try:
        if text.isdigit():
            return _counted_us(int(text))
        moment = datetime.fromisoformat(text)
        found = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // timedelta(microseconds=1)
    except ValueError:
        found = -1
    if found < 0:
        raise TapeError(
            f"{place}: {name} {text[:_SHOWN]!r}; needed: ISO 8601 or a count since 1970, of 10 digits or more"
        )
    return found


def iso(time_us: int) -> str:
    """A time as people read it, in UTC."""
    return (_EPOCH + timedelta(microseconds=time_us)).isoformat()


def _counted_us(count: int) -> int:
    if count < _SECONDS_MIN:
        raise ValueError(count)
    for limit, unit_ns in ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3), (10**20, 1)):
        if count < limit:
            return count * unit_ns // 1000
    raise ValueError(count)
