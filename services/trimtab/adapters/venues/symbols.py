"""Rules of a venue's instruments, from ccxt's markets."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import orjson
from ccxt.base.errors import BadSymbol, BaseError

from trimtab.adapters.venues.transport import Transport
from trimtab.domain.amounts import plain
from trimtab.domain.errors import InvalidValueError, UnreachableError
from trimtab.domain.instruments import Instrument

# Binance's price for an account without discounts, where the account itself cannot be asked.
_DEFAULT_FEE = Decimal("0.001")


async def load_markets(client: Transport, venue: str, symbols: Sequence[str]) -> None:
    """Load the rules of these instruments (unified symbols) into the client.

    Asks for these alone: the answer for every instrument of Binance is 15 MB and costs over 100 MB in ccxt.

    Raises:
        InvalidValueError: if the venue does not have one of them.
        UnreachableError: if the venue does not answer as it should.

    """
    wanted = orjson.dumps([symbol.replace("/", "") for symbol in symbols]).decode()
    try:
        await client.load_markets(reload=True, params={"symbols": wanted})
    except BadSymbol:
        await _load_all(client, venue)
    except BaseError as error:
        raise _unreachable(client, venue, error) from None
    missing = sorted(set(symbols) - set(client.markets))
    if missing:
        raise InvalidValueError(f"venues.{venue}.instruments", missing, "spot instruments that the venue lists")


async def read_instruments(client: Transport, venue: str, symbols: Sequence[str]) -> list[Instrument]:
    """Return the rules of these instruments as the venue has them now.

    Fees are the account's own where the client has a key, else the exchange's standard fee.

    Raises:
        InvalidValueError: if the venue does not have one of them.
        UnreachableError: if the venue does not answer as it should.

    """
    await load_markets(client, venue, symbols)
    fees: dict[str, tuple[Decimal, Decimal]] = {}
    if client.apiKey:
        try:
            answer = await client.sapi_get_asset_tradefee()
        except BaseError as error:
            raise _unreachable(client, venue, error) from None
        fees = {row["symbol"]: (Decimal(row["makerCommission"]), Decimal(row["takerCommission"])) for row in answer}
    return [instrument_of(venue, client.markets[symbol]["info"], symbol, fees) for symbol in symbols]


def instrument_of(
    venue: str, info: dict[str, Any], symbol: str, fees: dict[str, tuple[Decimal, Decimal]]
) -> Instrument:
    """Read one symbol of exchangeInfo; `fees` are (maker, taker) by the venue's symbol.

    Raises:
        InvalidValueError: if a rule is missing or is no number.

    """
    filters = {item["filterType"]: item for item in info["filters"]}
    base, quote = symbol.split("/")
    maker, taker = fees.get(info["symbol"], (_DEFAULT_FEE, _DEFAULT_FEE))
    # Both names of the notional filter are alive: MIN_NOTIONAL until 2023, NOTIONAL since.
    notional = "NOTIONAL" if "NOTIONAL" in filters else "MIN_NOTIONAL"
    path = f"exchangeInfo.{info['symbol']}"
    return Instrument(
        venue=venue,
        symbol=symbol,
        base=base,
        quote=quote,
        tick=_rule(filters, "PRICE_FILTER", "tickSize", path),
        step=_rule(filters, "LOT_SIZE", "stepSize", path),
        min_quantity=_rule(filters, "LOT_SIZE", "minQty", path),
        min_notional=_rule(filters, notional, "minNotional", path),
        maker_fee=maker,
        taker_fee=taker,
        tradable=info.get("status") == "TRADING",
    )


def _rule(filters: dict[str, dict[str, Any]], filter_type: str, key: str, path: str) -> Decimal:
    value = filters.get(filter_type, {}).get(key)
    try:
        # Rules come with trailing zeros ("0.01000000"), which would show in every text made of them.
        number = Decimal(plain(Decimal(str(value))))
    except ArithmeticError:
        raise InvalidValueError(f"{path}.{filter_type}.{key}", value, "a number") from None
    if key not in {"minQty", "minNotional"} and number <= 0:
        raise InvalidValueError(f"{path}.{filter_type}.{key}", value, "a positive number")
    return number


async def _load_all(client: Transport, venue: str) -> None:
    # One symbol that is not the plain join of its currencies, or is not listed, spoils the short question.
    try:
        await client.load_markets(reload=True)
    except BaseError as error:
        raise _unreachable(client, venue, error) from None


def _unreachable(client: Transport, venue: str, error: BaseError) -> UnreachableError:
    address = client.urls["api"]["public"]
    cause = f" ({error.__cause__})" if error.__cause__ else ""
    return UnreachableError(f"venue {venue}", address, f"{type(error).__name__}{cause}")
