"""Names, ids and times as Coinbase writes them."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from uuid import NAMESPACE_OID, UUID, uuid5

from trimtab.exchange.instruments import Instrument

_ORDERS = 0x7E57_0000_0001  # the first 48 bits of every order id
_VERSION, _VARIANT = 4, 0b10
_CLIENT_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)


def is_uuid(text: str) -> bool:
    """Whether a text is a UUID in its usual form."""
    return _UUID.fullmatch(text) is not None


def is_client_id(text: str) -> bool:
    """Whether a text is what `client_oid` takes: a UUID of version 4, in small letters."""
    return _CLIENT_ID.fullmatch(text) is not None


def named(*parts: object) -> str:
    """A UUID that is the same for the same parts: for what the venue numbers otherwise, or not at all."""
    return str(uuid5(NAMESPACE_OID, "/".join(map(str, parts))))


def iso(time_us: int) -> str:
    """A time with microseconds."""
    seconds, micros = divmod(time_us, 1_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{micros:06d}Z"


def micros(text: str) -> int:
    """The time that a text in ISO 8601 names, microseconds; UTC unless it says otherwise.

    Raises ValueError, OverflowError.
    """
    named = datetime.fromisoformat(text)
    return round((named if named.tzinfo is not None else named.replace(tzinfo=UTC)).timestamp() * 1e6)


def fixed(value: Decimal, decimals: int = 8) -> str:
    """An amount with so many decimals, never an exponent."""
    return f"{value:.{decimals}f}"


class Names:
    """Products by name ("BTC-USDT"), and order ids: UUIDs that say which order of which symbol is meant."""

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        self._products = {symbol: f"{rules.base}-{rules.quote}" for symbol, rules in instruments.items()}
        self._symbols = {product: symbol for symbol, product in self._products.items()}
        self._numbered = sorted(self._products)

    def product(self, symbol: str) -> str:
        """The product of a symbol."""
        return self._products[symbol]

    def symbol(self, product: str) -> str | None:
        """The symbol of a product; None if there never was such a product."""
        return self._symbols.get(product)

    def symbols(self) -> Iterable[str]:
        """All symbols that there ever were."""
        return self._numbered

    def order_id(self, symbol: str, number: int) -> str:
        """What an order is called."""
        place = self._numbered.index(symbol)
        return str(UUID(int=(_ORDERS << 80) | (_VERSION << 76) | (place << 64) | (_VARIANT << 62) | number))

    def order(self, order_id: str) -> tuple[str, int] | None:
        """The symbol and the number of an order that is called so; None for what no order is called."""
        whole = UUID(order_id).int
        place, number = (whole >> 64) & 0xFFF, whole & ((1 << 62) - 1)
        if place >= len(self._numbered) or self.order_id(self._numbered[place], number) != order_id.lower():
            return None
        return self._numbered[place], number
