"""What trading costs, as own fills have shown it: each record of market.costs from the one before and the topics alone.

Fees (fees.py) and impact (impact.py) are refit together. A record holds everything, so whoever goes on from it needs
nothing else, and anybody can work it out again.
"""

from decimal import Decimal, localcontext

from trimtab.domain.amounts import CONTEXT
from trimtab.domain.ids import derive
from trimtab.domain.market import Market
from trimtab.drift.fees import charged_fees, stated_fees
from trimtab.drift.impact import learnt
from trimtab.messages import Costs, Fill, Signal
from trimtab.ports.topics import Record, Stretch

NO_OFFSET = -1


def counts(found: Costs, known: Costs | None) -> bool:
    """Tell whether a record counts after the one that counted last; of two with the same number the first one does."""
    return known is None or found.sequence > known.sequence


def refit(
    market: Market, fills: Stretch[Fill], signals: Stretch[Signal], known: Record[Costs] | None, coefficient: Decimal
) -> Costs | None:
    """Return what to publish at this market, None if nothing has come and nothing has changed.

    `market` has the fees that the venues state; fills and signals are those that came after the record known to count;
    `coefficient` is the setting of Y, towards which it is drawn.
    """
    before = known.message if known is not None else None
    offset = known.offset if known is not None else NO_OFFSET
    sequence = before.sequence + 1 if before is not None else 0
    paid, decided = [record.message for record in fills.records], [record.message for record in signals.records]
    with localcontext(CONTEXT):
        impact = learnt(market, paid, decided, before, coefficient)
        found = Costs(
            event_id=derive("costs", sequence, offset, market.offset, *fills.offsets, *signals.offsets),
            sequence=sequence,
            previous_offset=offset,
            event_time_us=market.event_time_us,
            frame_offset=market.offset,
            fills_offsets=fills.offsets,
            fees=charged_fees(market, paid, before),
            signals_offsets=signals.offsets,
            impact_coefficient=impact.coefficient,
            impact_prior=impact.prior,
            impact_trades=impact.sums.trades,
            impact_squares=impact.sums.squares,
            impact_taken=impact.sums.taken,
            impact_products=impact.sums.products,
            pending=impact.pending,
        )
    if before is None:
        return found if fills.records or found.pending else None
    return found if _news(found) != _news(before) else None


def _news(costs: Costs) -> tuple[object, ...]:
    """Return what a further record must differ in: everything but what time alone changes."""
    read, stated = (costs.fills_offsets, costs.signals_offsets), stated_fees(costs.fees)
    return *read, stated, costs.impact_prior, costs.pending
