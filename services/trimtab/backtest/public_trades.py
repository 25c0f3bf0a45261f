"""The public trades of a stretch of time: read from market.ticks as their partitions have them, handed out by time."""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from trimtab.domain.errors import UnreachableError
from trimtab.domain.orders import Side
from trimtab.exchange.market import Trade
from trimtab.messages import Tick
from trimtab.ports.recorded import Recorded
from trimtab.topics import MARKET_TICKS

_ARCHIVE = "archive"


@dataclass(slots=True)
class PublicTrades:
    """Five whole numbers a trade in memory, since no order of time holds between the topic's partitions.

    `kinds` are symbol, tick and step, which `_columns` (time in us, kind, price in ticks, quantity in steps, 1 if the
    buyer was the maker) count in. `until` hands out each trade once.
    """

    kinds: Sequence[tuple[str, Decimal, Decimal]]
    _columns: Sequence[Sequence[int]]
    _next: int = 0

    @classmethod
    def of(cls, recorded: Recorded, symbols: Mapping[str, str], begin_us: int, end_us: int) -> "PublicTrades":
        """Read those after `begin_us` and not after `end_us` (event time); `symbols` are by instrument key.

        None are there if an archive does not have the topic, or they are past retention.
        """
        kinds: dict[tuple[str, str, str], int] = {}
        columns = [array("q") for _ in range(5)]
        for tick in _ticks(recorded):
            symbol = symbols.get(f"{tick.venue}:{tick.instrument}")
            if symbol is None or not begin_us < tick.event_time_us <= end_us:
                continue
            kind = kinds.setdefault((symbol, tick.tick, tick.step), len(kinds))
            row = tick.event_time_us, kind, tick.price, tick.quantity, int(tick.aggressor is Side.SELL)
            for column, value in zip(columns, row, strict=True):
                column.append(value)
        order = np.argsort(np.array(columns[0], dtype=np.int64), kind="stable")
        found = [array("q", np.array(column, dtype=np.int64)[order].tobytes()) for column in columns]
        return cls([(symbol, Decimal(tick), Decimal(step)) for symbol, tick, step in kinds], found)

    def __len__(self) -> int:
        return len(self._columns[0])

    def until(self, time_us: int) -> Iterator[Trade]:
        """Yield those that have happened by then and were not handed out yet, at this time."""
        times, *rest = self._columns
        while self._next < len(times) and times[self._next] <= time_us:
            number = self._next
            self._next += 1
            kind, price, quantity, maker = (column[number] for column in rest)
            symbol, tick, step = self.kinds[kind]
            yield Trade(symbol, time_us, times[number], number + 1, price * tick, quantity * step, bool(maker))


def _ticks(recorded: Recorded) -> Iterator[Tick]:
    try:
        yield from (each.message for each in recorded.whole(MARKET_TICKS))
    except UnreachableError as error:
        if error.part != _ARCHIVE:  # an archive of less than all topics does without
            raise
