"""Rules of Coinbase's products."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from ccxt.base.errors import BaseError

from trimtab.adapters.venues.transport import Transport
from trimtab.domain.amounts import plain
from trimtab.domain.errors import InvalidValueError, UnreachableError
from trimtab.domain.instruments import Instrument

# Coinbase's price for an account without volume, where the account itself cannot be asked.
_DEFAULT_FEES = (Decimal("0.004"), Decimal("0.006"))
_CLOSED = ("trading_disabled", "cancel_only", "post_only", "limit_only", "auction_mode")


async def load_products(client: Transport, venue: str, symbols: Sequence[str]) -> None:
    """Load the rules of every product into the client.

    Raises:
        InvalidValueError: if the venue does not have one of these instruments.
        UnreachableError: if the venue does not answer as it should.

    """
    try:
        await client.load_markets(reload=True)
    except BaseError as error:
        raise _unreachable(client, venue, error) from None
    missing = sorted(set(symbols) - set(client.markets))
    if missing:
        raise InvalidValueError(f"venues.{venue}.instruments", missing, "products that the venue lists")


async def read_products(client: Transport, venue: str, symbols: Sequence[str]) -> list[Instrument]:
    """Return the rules of these instruments as the venue has them now.

    Fees are the account's own where the client has a key, else those of an account without volume.

    Raises:
        InvalidValueError: if the venue does not have one of them.
        UnreachableError: if the venue does not answer as it should.

    """
    await load_products(client, venue, symbols)
    fees = _DEFAULT_FEES
    if client.apiKey:
        try:
            answer = await client.private_get_fees()
        except BaseError as error:
            raise _unreachable(client, venue, error) from None
        fees = _rule(answer, "maker_fee_rate", "fees"), _rule(answer, "taker_fee_rate", "fees")
    return [instrument_of(venue, client.markets[symbol]["info"], symbol, fees) for symbol in symbols]


def instrument_of(venue: str, info: dict[str, Any], symbol: str, fees: tuple[Decimal, Decimal]) -> Instrument:
    """Read one of products; `fees` are (maker, taker).

    Raises:
        InvalidValueError: if a rule is missing or is no number.

    """
    path = f"products.{info.get('id')}"
    base, quote = symbol.split("/")
    step = _increment(info, "base_increment", path)
    return Instrument(
        venue=venue,
        symbol=symbol,
        base=base,
        quote=quote,
        tick=_increment(info, "quote_increment", path),
        step=step,
        min_quantity=step,
        min_notional=_rule(info, "min_market_funds", path),
        maker_fee=fees[0],
        taker_fee=fees[1],
        tradable=info.get("status") == "online" and not any(info.get(name) for name in _CLOSED),
    )


def _increment(record: dict[str, Any], key: str, path: str) -> Decimal:
    number = _rule(record, key, path)
    if number <= 0:
        raise InvalidValueError(f"{path}.{key}", record.get(key), "a positive number")
    return number


def _rule(record: dict[str, Any], key: str, path: str) -> Decimal:
    value = record.get(key)
    try:
        # Rules may come with trailing zeros, which would show in every text made of them.
        return Decimal(plain(Decimal(str(value))))
    except ArithmeticError:
        raise InvalidValueError(f"{path}.{key}", value, "a number") from None


def _unreachable(client: Transport, venue: str, error: BaseError) -> UnreachableError:
    cause = f" ({error.__cause__})" if error.__cause__ else ""
    return UnreachableError(f"venue {venue}", client.urls["api"]["public"], f"{type(error).__name__}{cause}")
