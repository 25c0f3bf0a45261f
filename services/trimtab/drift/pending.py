"""Trades past the visible depth on their way from the signal to what they teach: which are followed, and their fills.

A trade is followed from its signal until `SETTLING_US` after the signal's deadline, by when its fills have been read.
Fills up to the deadline are in it, no more than was ordered; dry runs are not. Prices count by their slippage: what
they are off the decision price to the trader's loss, as a fraction of it and never beyond 1, whatever is reported. A
signal that was sent twice counts once, and so does a fill: its ledger sequence is not above that of the last one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal

from trimtab.cost_rows import PendingTrade
from trimtab.domain.amounts import ONE, ZERO, quantise
from trimtab.domain.orders import Liquidity, Side
from trimtab.drift.costs import lifetime_volatility
from trimtab.messages import Fill, Signal, Trade

SETTLING_US = 15_000_000
NO_SEQUENCE = -1


def settled(row: PendingTrade, now_us: int) -> bool:
    """Tell whether nothing more can come of a trade."""
    return now_us >= row.deadline_us + SETTLING_US


def followed(signals: Iterable[Signal]) -> Iterator[PendingTrade]:
    """Yield the trades that go past the visible depth of a book that moves, with no fills yet."""
    for signal in signals:
        for trade in signal.trades:
            row = _begun(signal, trade)
            if row.volatility > 0 and 0 < row.depth < 1:
                yield row


def with_fills(row: PendingTrade, fills: Iterable[Fill]) -> PendingTrade:
    """Return a trade with those of its fills that count and are not in it yet, in whatever order they are given."""
    for fill in sorted(fills, key=lambda fill: fill.ledger_sequence):
        late, known = fill.event_time_us > row.deadline_us, fill.ledger_sequence <= row.ledger_sequence
        if late or known or fill.dry_run or fill.side is not row.side:
            continue
        share = quantise(min(fill.quantity / row.quantity, ONE - row.taken - row.made))
        takes = fill.liquidity is Liquidity.TAKER
        row = replace(
            row,
            taken=row.taken + (share if takes else ZERO),
            made=row.made + (ZERO if takes else share),
            slippage=row.slippage + quantise(share * slippage(row.side, fill.price, row.decision_price)),
            ledger_sequence=fill.ledger_sequence,
        )
    return row


def slippage(side: Side, price: Decimal, decision_price: Decimal) -> Decimal:
    """Return what a price is off the decision price to the trader's loss, as a fraction of it, from -1 to 1."""
    off = (price - decision_price) * side.sign / decision_price
    return quantise(max(min(off, ONE), -ONE))


def _begun(signal: Signal, trade: Trade) -> PendingTrade:
    lifetime_seconds = (signal.deadline_us - signal.event_time_us) // 1_000_000
    return PendingTrade(
        trade_id=trade.trade_id,
        venue=trade.venue,
        instrument=trade.instrument,
        side=trade.side,
        event_time_us=signal.event_time_us,
        deadline_us=signal.deadline_us,
        quantity=trade.quantity,
        decision_price=trade.decision_price,
        volatility=lifetime_volatility(trade.volatility**2, lifetime_seconds),
        depth=quantise(trade.depth / trade.quantity),
        depth_slippage=slippage(trade.side, trade.depth_vwap, trade.decision_price),
        worst_slippage=slippage(trade.side, trade.depth_worst, trade.decision_price),
        taken=ZERO,
        made=ZERO,
        slippage=ZERO,
        ledger_sequence=NO_SEQUENCE,
    )
