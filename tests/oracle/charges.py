"""What own fills have shown of fees and impact: what of it counts, in the words of `market.costs`."""

from dataclasses import replace
from decimal import Decimal
from random import Random

from oracle.worlds import World
from trimtab.cost_rows import ChargedFee
from trimtab.domain.market import Market
from trimtab.domain.orders import Liquidity
from trimtab.messages import Costs
from trimtab.ports.topics import Record
from trimtab.settings import DriftSettings

D = Decimal
OFFSET = 11


def costs(rng: Random, world: World) -> Record[Costs] | None:
    """Return a record for two worlds in three. What must be exactly equal stays so: rows of it are void."""
    if rng.random() < 1 / 3:
        return None
    rows = []
    for _, quote in sorted(world.market.quotes.items()):
        rules = quote.instrument
        fixed = {*(world.twins or ()), *((world.brink[0],) if world.brink else ())}
        kind = rng.choice(["void", "maker"] if rules.base in fixed else ["good", "good", "void", "maker", "none"])
        if kind == "none":
            continue
        stated = rules.taker_fee + (D("0.0001") if kind == "void" else 0)
        liquidity = Liquidity.MAKER if kind == "maker" else Liquidity.TAKER
        fee = D(rng.randrange(0, 3 * 10**15)).scaleb(-18)
        rows.append(ChargedFee(rules.venue, rules.symbol, liquidity, stated, fee, D(5), D(1_000), D(1)))
    made = Costs("c", 4, 10, world.market.event_time_us, world.market.offset, (3,), tuple(rows))
    if rng.random() < 2 / 3:  # else it is of before impact was refit
        made = replace(made, impact_coefficient=D(rng.randrange(1, 2 * 10**18)).scaleb(-18), impact_prior=D(1))
    return Record(made, "market.costs", 0, OFFSET)


def reckoned(settings: DriftSettings, found: Record[Costs] | None) -> DriftSettings:
    """Return the settings with Y as own fills have shown it, if they have."""
    known = found.message.impact_coefficient if found is not None else 0
    return settings.model_copy(update={"impact_coefficient": known}) if known > 0 else settings


def expected(market: Market, found: Record[Costs] | None) -> Market:
    """Return the market with what takers pay now, as far as it is known; what they pay at worst is stated still."""
    fees = {}
    for row in found.message.fees if found is not None else ():
        if row.liquidity == "taker":
            fees[row.venue, row.instrument, row.stated] = row.fee
    quotes = {}
    for key, quote in market.quotes.items():
        rules = quote.instrument
        fee = fees.get((rules.venue, rules.symbol, rules.taker_fee))
        quotes[key] = replace(quote, instrument=replace(rules, charged_fee=fee))
    return replace(market, quotes=quotes)
