"""What fees own fills were charged: refit from execution.fills, bounded, and a recorded input of every decision.

For makers and for takers of each instrument, over their fills, a fill of age a weighing w = 2^(-a / HALF_LIFE):

    n = sum w,   N = sum w notional,   P = sum w fee         the fee in the instrument's quote currency
    fee = (n P / N + PRIOR_FILLS stated) / (n + PRIOR_FILLS)

the volume-weighted fee, drawn towards the one that the venue states as far as fills are few. No fill counts with a fee
outside `fee_bounds`, so the estimate cannot leave them either, whatever is reported. When the venue states another fee,
what was paid before says nothing any more and is dropped.

A fee in base is valued at the fill's own price; one in a third asset (a venue's own coin) at that asset's mid at the
frame the record names, which is the fill's time to within `VALUED_US_MAX`; what cannot be valued does not count. Nor do
dry runs, and instruments that the frame does not have.

Sums are exact but for the weights, which are rounded each for itself: the order of the fills does not matter. A fill
that was sent twice counts once within a record; in a later one it counts again, which a ratio of sums bears.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from trimtab.cost_rows import ChargedFee
from trimtab.domain.amounts import ONE, ZERO, quantise
from trimtab.domain.instruments import Instrument
from trimtab.domain.market import Market
from trimtab.domain.orders import Liquidity
from trimtab.drift.memory import weight_of_age
from trimtab.messages import Costs, Fill

HALF_LIFE_US = 7 * 24 * 3_600_000_000
PRIOR_FILLS = Decimal(20)
STATED_TIMES_MAX = Decimal(3)
# A venue that states no fee, or a rebate, may still turn out to charge this much: three times nothing is nothing.
CHARGED_MAX = Decimal("0.001")
VALUED_US_MAX = 600_000_000
_Place = tuple[str, str, Liquidity]


@dataclass(frozen=True, slots=True)
class _Sums:
    """Weighted: how many fills, their notional and their fees (quote currency)."""

    fills: Decimal = ZERO
    notional: Decimal = ZERO
    paid: Decimal = ZERO

    def aged(self, weight: Decimal) -> "_Sums":
        return _Sums(quantise(self.fills * weight), quantise(self.notional * weight), quantise(self.paid * weight))

    def plus(self, other: "_Sums") -> "_Sums":
        return _Sums(self.fills + other.fills, self.notional + other.notional, self.paid + other.paid)


def fee_bounds(stated: Decimal) -> tuple[Decimal, Decimal]:
    """Return what a fee may be found to be: from a stated rebate, or else nothing, to three times what is stated."""
    return min(stated, ZERO), max(stated * STATED_TIMES_MAX, CHARGED_MAX)


def charged_fees(market: Market, fills: Iterable[Fill], before: Costs | None) -> tuple[ChargedFee, ...]:
    """Return what makers and takers are charged, as of this market, whose fees are those that the venues state.

    `fills` are those that came after the record before. Runs under the caller's decimal context.
    """
    sums = _summed(market, before, fills)
    return tuple(_charged(market, place, sums[place], before) for place in sorted(sums))


def stated_fees(fees: Iterable[ChargedFee]) -> Mapping[_Place, Decimal]:
    """Return what venues state, by venue, instrument and liquidity."""
    return {_place(row): row.stated for row in fees}


def _summed(market: Market, before: Costs | None, fills: Iterable[Fill]) -> dict[_Place, _Sums]:
    """Age what was known, leave out what another stated fee has made worthless, and add the fills."""
    found: dict[_Place, _Sums] = defaultdict(_Sums)
    if before is not None:
        weight = weight_of_age(market.event_time_us - before.event_time_us, HALF_LIFE_US)
        for row in before.fees:
            rules = market.instruments.get(f"{row.venue}:{row.instrument}")
            if rules is None or _stated_fee(rules, row.liquidity) == row.stated:
                found[_place(row)] = _Sums(row.fills, row.notional, row.paid).aged(weight)
    for fill in {fill.event_id: fill for fill in fills}.values():
        rules = market.instruments.get(f"{fill.venue}:{fill.instrument}")
        paid = _paid(fill, market)
        if rules is None or paid is None or fill.dry_run or fill.notional <= 0:
            continue
        low, high = fee_bounds(_stated_fee(rules, fill.liquidity))
        paid = min(max(paid, low * fill.notional), high * fill.notional)
        weight = weight_of_age(market.event_time_us - fill.event_time_us, HALF_LIFE_US)
        found[_place(fill)] = found[_place(fill)].plus(_Sums(ONE, fill.notional, paid).aged(weight))
    return found


def _charged(market: Market, place: _Place, sums: _Sums, before: Costs | None) -> ChargedFee:
    venue, symbol, liquidity = place
    rules = market.instruments.get(f"{venue}:{symbol}")
    if rules is not None:
        stated = _stated_fee(rules, liquidity)
    else:
        assert before is not None, "fills of an instrument that is not there were left out"
        stated = next(row.stated for row in before.fees if _place(row) == place)
    fee = _drawn(stated, sums)
    return ChargedFee(venue, symbol, liquidity, stated, fee, sums.fills, sums.notional, sums.paid)


def _drawn(stated: Decimal, sums: _Sums) -> Decimal:
    """Return the fee to reckon with."""
    if sums.notional <= 0:
        return stated
    low, high = fee_bounds(stated)
    fee = (sums.fills * sums.paid / sums.notional + PRIOR_FILLS * stated) / (sums.fills + PRIOR_FILLS)
    return quantise(min(max(fee, low), high))


def _paid(fill: Fill, market: Market) -> Decimal | None:
    """Return the fee in the instrument's quote currency; None if that cannot be said."""
    if not fill.fee or fill.fee_asset == fill.quote:
        return fill.fee
    if fill.fee_asset == fill.base:
        return fill.fee * fill.price
    quote = market.quotes.get(f"{fill.venue}:{fill.fee_asset}/{fill.quote}")
    if quote is None or quote.fault() or market.event_time_us - fill.event_time_us > VALUED_US_MAX:
        return None
    return fill.fee * quote.mid


def _place(row: ChargedFee | Fill) -> _Place:
    return row.venue, row.instrument, row.liquidity


def _stated_fee(rules: Instrument, liquidity: Liquidity) -> Decimal:
    return rules.maker_fee if liquidity is Liquidity.MAKER else rules.taker_fee
