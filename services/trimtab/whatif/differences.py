"""What two policies signalled on one market, occasion by occasion.

Two signals are of one occasion if they are less than a tolerance apart and trade something the same way; of several
that could be, those that are nearest in time. Equal trades (pair, side and quantity) are no difference.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from trimtab.backtest.diary import Diary
from trimtab.domain.amounts import ZERO
from trimtab.domain.orders import Side

SAME, OTHERWISE, ONLY_ONE, ONLY_OTHER = "same", "otherwise", "only_one", "only_other"
Trades = Mapping[tuple[str, Side], Decimal]
"""What a signal trades: base quantity by pair ("BTC/USDT") and side."""


@dataclass(frozen=True, slots=True)
class Sent:
    """An accepted signal: when it was decided (us), why, what it trades, and how much of that was filled."""

    time_us: int
    signal_id: str
    reason: str
    trades: Trades
    filled: Trades


@dataclass(frozen=True, slots=True)
class Difference:
    """One occasion: both signals, or that of who alone had one."""

    kind: str
    one: Sent | None
    other: Sent | None

    @property
    def time_us(self) -> int:
        """Return when (us) it was first decided."""
        return min(each.time_us for each in (self.one, self.other) if each is not None)


def sent(diary: Diary) -> list[Sent]:
    """Return the accepted signals of a diary, in the order of time."""
    found: dict[str, tuple[Sent, dict[tuple[str, Side], Decimal], dict[tuple[str, Side], Decimal]]] = {}
    for deal in diary.deals.values():
        signal, key = deal.signal, (deal.trade.instrument, deal.trade.side)
        if signal.signal_id not in found:
            trades, filled = dict[tuple[str, Side], Decimal](), dict[tuple[str, Side], Decimal]()
            made = Sent(signal.event_time_us, signal.signal_id, signal.reason, trades, filled)
            found[signal.signal_id] = made, trades, filled
        _, trades, filled = found[signal.signal_id]
        trades[key] = trades.get(key, ZERO) + deal.trade.quantity
        filled[key] = filled.get(key, ZERO) + deal.filled
    return sorted((each for each, _, _ in found.values()), key=lambda each: each.time_us)


def compared(ones: Sequence[Sent], others: Sequence[Sent], tolerance_us: int) -> Iterator[Difference]:
    """Yield every occasion of either, in the order of time."""
    here = there = 0
    while here < len(ones) and there < len(others):
        one, other = ones[here], others[there]
        if _together(one, other, tolerance_us) and not _better(ones, here, others, there):
            yield Difference(SAME if one.trades == other.trades else OTHERWISE, one, other)
            here, there = here + 1, there + 1
        elif one.time_us <= other.time_us:
            yield Difference(ONLY_ONE, one, None)
            here += 1
        else:
            yield Difference(ONLY_OTHER, None, other)
            there += 1
    yield from (Difference(ONLY_ONE, one, None) for one in ones[here:])
    yield from (Difference(ONLY_OTHER, None, other) for other in others[there:])


def _together(one: Sent, other: Sent, tolerance_us: int) -> bool:
    return abs(one.time_us - other.time_us) < tolerance_us and bool(one.trades.keys() & other.trades.keys())


def _better(ones: Sequence[Sent], here: int, others: Sequence[Sent], there: int) -> bool:
    """Tell whether the later of two signals is nearer to the one after the earlier, which trades the same way too."""
    one, other = ones[here], others[there]
    apart_us = abs(one.time_us - other.time_us)
    later = one if other.time_us < one.time_us else other
    follow, number = (others, there + 1) if later is one else (ones, here + 1)
    if number >= len(follow):
        return False
    following = follow[number]
    return abs(following.time_us - later.time_us) < apart_us and bool(following.trades.keys() & later.trades.keys())
