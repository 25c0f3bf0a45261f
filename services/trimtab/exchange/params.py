"""Request parameters, read strictly and refused in Binance's words."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from trimtab.exchange import errors
from trimtab.exchange.errors import VenueError
from trimtab.exchange.instruments import MIN_UNIT

_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII)
_INTEGER = re.compile(r"[0-9]{1,20}", re.ASCII)
_CLIENT_ID = re.compile(r"[a-zA-Z0-9\-_.:/]{1,36}", re.ASCII)
_SYMBOL = re.compile(r"[A-Z0-9_\-.]{1,50}", re.ASCII)
_LEGAL_INTEGER = "^[0-9]{1,20}$"
_LEGAL_SYMBOL = r"^[\w\-._&&[^a-z]]{1,50}$"
_LEGAL_SYMBOLS = r'^\[("[\w\-._&&[^a-z]]{1,50}"(,"[\w\-._&&[^a-z]]{1,50}"){0,}){0,1}\]$'
_SYMBOLS = re.compile(r'\[("[A-Z0-9_\-.]{1,50}"(,"[A-Z0-9_\-.]{1,50}")*)?\]', re.ASCII)
_DECIMALS_MAX = 8
_LONG_MAX = 2**63 - 1
_MICROSECONDS_MIN = 10**14
"""A time from here on is in microseconds, below in milliseconds (of the year 5138)."""


def fresh_client_id() -> str:
    """A client order id for a client that sent none."""
    return secrets.token_urlsafe(16)


def whole(name: str, value: str) -> int:
    """A whole number of 64 bits.

    Raises VenueError -1100 or -1108.
    """
    if not _INTEGER.fullmatch(value):
        raise errors.illegal_characters(name, _LEGAL_INTEGER)
    number = int(value)
    if number > _LONG_MAX:
        raise errors.overflowed(name)
    return number


def instant_us(name: str, value: str) -> int:
    """A time that is sent in milliseconds or in microseconds, in microseconds.

    Raises VenueError -1100 or -1108.
    """
    number = whole(name, value)
    return number if number >= _MICROSECONDS_MIN else number * 1000


@dataclass(frozen=True, slots=True)
class Params:
    """One request's parameters, by name; none is empty."""

    values: Mapping[str, str]

    def text(self, name: str) -> str | None:
        """A parameter, None if absent."""
        return self.values.get(name) or None

    def needed(self, name: str) -> str:
        """A mandatory parameter.

        Raises VenueError -1102.
        """
        value = self.text(name)
        if value is None:
            raise errors.mandatory(name)
        return value

    def symbol(self) -> str:
        """The mandatory `symbol`.

        Raises VenueError -1102 or -1100; whether it is listed others know.
        """
        value = self.needed("symbol")
        if not _SYMBOL.fullmatch(value):
            raise errors.illegal_characters("symbol", _LEGAL_SYMBOL)
        return value

    def symbols(self) -> list[str] | None:
        """The list `symbols`, None if absent.

        Raises VenueError -1128 (beside `symbol`), -1100 or -1151.
        """
        value = self.text("symbols")
        if value is None:
            return None
        if self.text("symbol") is not None:
            raise errors.bad_combination()
        if not _SYMBOLS.fullmatch(value):
            raise errors.illegal_characters("symbols", _LEGAL_SYMBOLS)
        found = [name for name in value.strip("[]").replace('"', "").split(",") if name]
        if len(set(found)) < len(found):
            raise errors.symbol_repeated()
        return found

    def flag(self, name: str) -> bool:
        """A boolean, false if absent.

        Raises VenueError -1130.
        """
        value = self.text(name)
        if value not in {None, "true", "false"}:
            raise errors.invalid_data(name)
        return value == "true"

    def integer(self, name: str) -> int | None:
        """A whole number, None if absent.

        Raises VenueError -1100 or -1108.
        """
        value = self.text(name)
        return None if value is None else whole(name, value)

    def time_us(self, name: str) -> int | None:
        """A time in microseconds, None if absent; sent in milliseconds or microseconds.

        Raises VenueError -1100 or -1108.
        """
        value = self.text(name)
        return None if value is None else instant_us(name, value)

    def limit(self, default: int, largest: int) -> int:
        """The `limit` of a list.

        Raises VenueError -1130 at zero.
        """
        found = self.integer("limit")
        if found == 0:
            raise errors.invalid_data("limit")
        return min(default if found is None else found, largest)

    def decimal(self, name: str) -> Decimal | None:
        """A positive amount, None if absent.

        Raises VenueError -1100 (not a number), -1111 (more than 8 decimals), -1108 (beyond 64 bits of the smallest
        unit) or -1013 (zero).
        """
        value = self.text(name)
        if value is None:
            return None
        if not _NUMBER.fullmatch(value):
            raise errors.illegal_characters(name, "^([0-9]{1,20})(\\.[0-9]{1,20})?$")
        if len(value.partition(".")[2].rstrip("0")) > _DECIMALS_MAX:
            raise errors.too_precise(name)
        amount = Decimal(value)
        if amount.scaleb(_DECIMALS_MAX) > _LONG_MAX:
            raise errors.overflowed(name)
        if not amount:
            raise VenueError(-1013, f"Invalid {name}.")
        return amount.quantize(MIN_UNIT) if len(value.partition(".")[2]) > _DECIMALS_MAX else amount

    def client_id(self, name: str) -> str | None:
        """A client order id, None if absent.

        Raises VenueError -1100.
        """
        value = self.text(name)
        if value is not None and not _CLIENT_ID.fullmatch(value):
            raise errors.illegal_characters(name, "^[a-zA-Z0-9-_.:/]{1,36}$")
        return value

    def order_ids(self) -> tuple[int | None, str | None]:
        """`orderId` and `origClientOrderId`, at least one of them.

        Raises VenueError -1102 without either.
        """
        order_id, client_id = self.integer("orderId"), self.client_id("origClientOrderId")
        if order_id is None and client_id is None:
            raise errors.either_mandatory("origClientOrderId", "orderId")
        return order_id, client_id
