"""Fields of a venue's answers, taken for nothing but what they have to be. Each raises InvalidValueError, naming it."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from trimtab.domain.errors import InvalidValueError

Json = Mapping[str, Any]


def text(record: Json, key: str) -> str:
    """Return a text that is not empty."""
    value = record.get(key)
    if not isinstance(value, str) or not value:
        raise InvalidValueError(key, value, "a text")
    return value


def whole(record: Json, key: str) -> int:
    """Return a whole number."""
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidValueError(key, value, "a whole number")
    return value


def flag(record: Json, key: str) -> bool:
    """Return true or false."""
    value = record.get(key)
    if not isinstance(value, bool):
        raise InvalidValueError(key, value, "true or false")
    return value


def rows(record: Json, key: str) -> Sequence[Json]:
    """Return a list of records."""
    value = record.get(key)
    if not isinstance(value, list):
        raise InvalidValueError(key, value, "a list")
    return value


def amount(record: Json, key: str) -> Decimal:
    """Return a decimal number, zero or more, that is written as text."""
    value = record.get(key)
    try:
        found = Decimal(value) if isinstance(value, str) else None
    except InvalidOperation:
        found = None
    if found is None or not found.is_finite() or found < 0:
        raise InvalidValueError(key, value, "a decimal number, zero or more, as text")
    return found
