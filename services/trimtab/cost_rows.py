"""The rows of market.costs, one frozen dataclass each; `messages` has the record that they stand in."""

from dataclasses import dataclass
from decimal import Decimal

from trimtab.domain.orders import Liquidity, Side


@dataclass(frozen=True, slots=True)
class ChargedFee:
    """What one instrument's makers or takers are charged, as a fraction of the notional.

    `fee` counts; it is estimated from own fills and stands close to `stated`, the venue's own word, as long as they are
    few. `fills`, `notional` and `paid` (both in the instrument's quote currency) are sums over the fills, each weighted
    with its age at the record's event time.
    """

    venue: str
    instrument: str
    liquidity: Liquidity
    stated: Decimal
    fee: Decimal
    fills: Decimal
    notional: Decimal
    paid: Decimal


@dataclass(frozen=True, slots=True)
class PendingTrade:
    """A trade of a signal that goes past the visible depth, and what its fills add up to so far.

    `volatility` is over the signal's lifetime. `depth`, `taken` (by takers' fills) and `made` (by makers') are shares
    of `quantity`. Slippage is a fraction of the decision price, positive if it is to the trader's loss:
    `depth_slippage` of taking the whole depth, `worst_slippage` of its last level, and `slippage` of the fills, each
    weighted with its share. `ledger_sequence` is that of the last fill in it; -1 is none.
    """

    trade_id: str
    venue: str
    instrument: str
    side: Side
    event_time_us: int
    deadline_us: int
    quantity: Decimal
    decision_price: Decimal
    volatility: Decimal
    depth: Decimal
    depth_slippage: Decimal
    worst_slippage: Decimal
    taken: Decimal
    made: Decimal
    slippage: Decimal
    ledger_sequence: int
