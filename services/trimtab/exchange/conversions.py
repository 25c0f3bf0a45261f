"""What happens to balances without an order: small ones turned into another asset, an asset's units multiplied."""

from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal

from trimtab.exchange.accounts import MARKET, OUTSIDE
from trimtab.exchange.book import ZERO
from trimtab.exchange.engine import Engine
from trimtab.exchange.errors import VenueError
from trimtab.exchange.instruments import CASH, MIN_UNIT
from trimtab.exchange.orders import EngineEvent
from trimtab.exchange.scale import Scale

_DUST_FEE = Decimal("0.02")


def convert_dust(engine: Engine, name: str, assets: Sequence[str], into: str, time_us: int) -> list[EngineEvent]:
    """Turn all that is free of some assets of an account into another, at mid prices less 2 %.

    Raises VenueError -1100 (nothing has changed then) if nothing is free of an asset, or it has no price.
    """
    balances = engine.accounts.by_name[name].balances
    gained = ZERO
    for asset in assets:
        price, target = engine.price_of(asset, CASH), engine.price_of(into, CASH)
        if asset == into or not (balances.get(asset) and balances[asset].free) or not price or not target:
            raise VenueError(-1100, f"assets: {asset} cannot be turned into {into}: nothing is free of it, or no price")
        gained += balances[asset].free * price / target
    events: list[EngineEvent] = [
        engine.accounts.move(name, asset, -balances[asset].free, MARKET, "dust", time_us) for asset in assets
    ]
    received = (gained * (1 - _DUST_FEE)).quantize(MIN_UNIT, ROUND_DOWN)
    return [*events, engine.accounts.move(name, into, received, MARKET, "dust", time_us)]


def redenominate(engine: Engine, asset: str, ratio: Decimal, time_us: int) -> list[EngineEvent]:
    """Give everybody `ratio` new units for each unit of an asset; open orders in it are cancelled, its rules rescaled.

    `ratio` is a power of ten. What the books show is for the caller to rescale too.
    Raises VenueError -1100 (nothing has changed then) if a tick or step would have more than 8 decimals.
    """
    symbols = [symbol for symbol, rules in engine.instruments.items() if asset in {rules.base, rules.quote}]
    rules = {symbol: engine.instruments[symbol] for symbol in symbols}
    scales = {symbol: Scale.of(rules[symbol], asset, ratio) for symbol in symbols}
    scaled = {symbol: scales[symbol].rules(rules[symbol]) for symbol in symbols}
    events: list[EngineEvent] = [event for symbol in symbols for event in engine.cancel_all(symbol, time_us)]
    engine.instruments.update(scaled)
    for symbol, scale in scales.items():
        engine.averages[symbol].rescale(scale.price, scale.quantity)
    if asset in engine.fixed_prices:
        engine.fixed_prices[asset] /= ratio
    for account in engine.accounts.by_name.values():
        if held := account.balance(asset).free:
            change = (held * (ratio - 1)).quantize(MIN_UNIT, ROUND_DOWN)
            events.append(engine.accounts.move(account.name, asset, change, OUTSIDE, "redenomination", time_us))
    return events
