"""Trading rules of the symbols listed here: tick, step, notional and the starting price of a synthetic market.

Ticks, steps and minimum notionals are those Binance spot published for these pairs; prices are of mid-2024.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

MIN_UNIT = Decimal("0.00000001")
"""The smallest amount of any asset: balances, fees and quote amounts have 8 decimals."""


Prevention = Literal["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"]
"""What becomes of an order that would trade with an order of its own account; the incoming order's mode decides."""

PREVENTIONS: tuple[Prevention, ...] = ("NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH")


@dataclass(frozen=True, slots=True)
class Instrument:
    """One symbol's rules. `tick` and `step` in quote and base units; notionals in quote units.

    `prevention` is the self-trade prevention of an order that names none, `preventions` are those it may name.
    """

    symbol: str
    base: str
    quote: str
    tick: Decimal
    step: Decimal
    min_notional: Decimal = Decimal(5)
    max_notional: Decimal = Decimal(9_000_000)
    max_price: Decimal = Decimal(1_000_000)
    max_quantity: Decimal = Decimal(9_000_000)
    max_market_quantity: Decimal = Decimal(9_000_000)
    percent_up: Decimal = Decimal(5)
    percent_down: Decimal = Decimal("0.2")
    max_open_orders: int = 200
    prevention: Prevention = "EXPIRE_MAKER"
    preventions: tuple[Prevention, ...] = PREVENTIONS


CASH = "USDT"
"""What prices and depths of the synthetic market come from; a pair without it is priced by its two pairs with it."""

QUOTES = ("FDUSD", "USDT", "USDC", "TUSD", "BUSD", "BTC", "ETH", "BNB", "EUR", "TRY")

_RULES: dict[str, tuple[str, str, str, str]] = {
    # base: tick, step, largest market order, price at the start of a synthetic market
    "BTC": ("0.01", "0.00001", "120", "61837.64"),
    "ETH": ("0.01", "0.0001", "2200", "2678.40"),
    "SOL": ("0.01", "0.001", "30000", "156.30"),
    "XRP": ("0.0001", "0.1", "4000000", "0.6123"),
    "AVAX": ("0.01", "0.01", "60000", "22.35"),
    "LINK": ("0.01", "0.01", "90000", "10.62"),
    "ADA": ("0.0001", "0.1", "2500000", "0.3382"),
    "DOGE": ("0.00001", "1", "9000000", "0.10370"),
    "DOT": ("0.001", "0.01", "200000", "4.652"),
    "LTC": ("0.01", "0.001", "20000", "60.85"),
    "BNB": ("0.1", "0.001", "9000", "512.4"),
    "ATOM": ("0.001", "0.01", "150000", "4.931"),
}

_CROSSES: dict[str, tuple[str, str, str]] = {
    # symbol: tick, step, smallest notional
    "ETHBTC": ("0.00001", "0.0001", "0.0001"),
    "BNBBTC": ("0.000001", "0.001", "0.0001"),
}

DEFAULT_SYMBOLS = tuple(f"{base}{CASH}" for base in _RULES)
SYMBOLS = (*DEFAULT_SYMBOLS, *_CROSSES)


def split(symbol: str) -> tuple[str, str]:
    """Base and quote asset of a symbol such as BTCUSDT.

    Raises ValueError if it ends in no known quote asset.
    """
    for quote in QUOTES:
        if symbol.endswith(quote) and len(symbol) > len(quote):
            return symbol[: -len(quote)], quote
    raise ValueError(f"symbol {symbol}: no known quote asset at its end; allowed: {', '.join(QUOTES)}")


def listed(symbol: str) -> Instrument | None:
    """The rules of a listed pair, or None."""
    base, quote = split(symbol)
    if symbol in _CROSSES:
        tick, step, notional = map(Decimal, _CROSSES[symbol])
        return Instrument(symbol, base, quote, tick, step, min_notional=notional)
    if base not in _RULES or quote != CASH:
        return None
    tick, step, market = map(Decimal, _RULES[base][:3])
    return Instrument(symbol, base, quote, tick, step, max_market_quantity=market)


def known(base: str, quote: str) -> Instrument | None:
    """The rules of a pair by its assets, whatever they are: those of its listed symbol, or None."""
    return listed(f"{base}{quote}") if quote in QUOTES else None


def start_price(symbol: str) -> Decimal:
    """Where a synthetic market of this symbol begins, in quote units.

    Raises ValueError for a symbol that has no rules here.
    """
    base, quote = split(symbol)
    if symbol not in SYMBOLS:
        raise ValueError(f"symbol {symbol}: not in the synthetic market; allowed: {', '.join(SYMBOLS)}")
    return start_worth(base) / start_worth(quote)


def start_worth(asset: str) -> Decimal:
    """What a unit of a listed asset is worth where a synthetic market begins, in cash."""
    return Decimal(1) if asset == CASH else Decimal(_RULES[asset][3])


def finest(values: Iterable[Decimal]) -> Decimal:
    """The largest power of ten, 1 at most, that all values are multiples of."""
    exponent = 0
    for value in values:
        found = value.normalize().as_tuple().exponent
        if isinstance(found, int):
            exponent = min(exponent, found)
    return Decimal(1).scaleb(exponent)


def inferred(symbol: str, prices: Iterable[Decimal], quantities: Iterable[Decimal]) -> Instrument:
    """Rules for a recorded symbol that is not listed: the finest price and quantity seen are its tick and step."""
    base, quote = split(symbol)
    return Instrument(symbol, base, quote, finest(prices), finest(quantities))
