"""The parameters of the cost model in rows that a person can read: fees of each instrument, and the impact."""

from collections.abc import Collection, Iterator
from decimal import Decimal

from trimtab.cost_rows import ChargedFee
from trimtab.domain.amounts import ZERO, plain
from trimtab.domain.instruments import Instrument
from trimtab.domain.market import Market
from trimtab.drift.costs import impact_coefficient
from trimtab.drift.explanation import Row, time_text
from trimtab.messages import Costs
from trimtab.ports.topics import Record
from trimtab.settings import DriftSettings

_TENTH, _MILLIONTH = Decimal("0.1"), Decimal("0.000001")
_LAW = "impact past the visible depth: Y s sqrt(Q/V)"


def explain_costs(
    market: Market, costs: Record[Costs] | None, assets: Collection[str], quote: str, settings: DriftSettings
) -> Iterator[Row]:
    """Yield what trading these assets against the quote currency is reckoned to cost at this market.

    `costs` are those that count.
    """
    yield Row("costs", str(market.costs_offset), "offset", "the fees and Y in use, refit from own fills; -1 is none")
    found = costs.message if costs is not None and costs.offset == market.costs_offset else None
    if found is not None:
        yield Row("costs_made", time_text(found.event_time_us), "UTC", "time of the frame at which they were refit")
    yield Row("Y", plain(impact_coefficient(market, settings)), "", f"{_LAW}; {_origin(market, found)}")
    for key in sorted(market.instruments):
        rules = market.instruments[key]
        if rules.base in assets and rules.quote == quote:
            yield Row(
                f"{key} fee",
                plain(rules.expected_fee),
                "of the trade",
                f"taker fee in e; the venue states {plain(rules.taker_fee)}",
            )
            yield from (_seen(rules, row) for row in (found.fees if found is not None else ()) if _same(rules, row))


def _origin(market: Market, costs: Costs | None) -> str:
    if market.impact_coefficient is None:
        return "as set"
    prior, trades = (costs.impact_prior, costs.impact_trades) if costs is not None else (ZERO, ZERO)
    return f"refit from {plain(trades.quantize(_TENTH))} own trades, weighted, with the prior {plain(prior)} as set"


def _seen(rules: Instrument, row: ChargedFee) -> Row:
    fills, paid = row.fills.quantize(_TENTH), ZERO if row.notional <= 0 else row.paid / row.notional
    meaning = (
        f"refit {row.liquidity} fee: {plain(paid.quantize(_MILLIONTH))} over {plain(fills)} fills, weighted by age"
    )
    return Row(f"{rules.key} {row.liquidity}", plain(row.fee), "of the trade", meaning)


def _same(rules: Instrument, row: ChargedFee) -> bool:
    return (row.venue, row.instrument) == (rules.venue, rules.symbol)
