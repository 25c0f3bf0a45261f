"""Market events held against what a market can do; what passes is what a venue's feed would have told ingest.

- **Books** are kept by the very code that keeps a live venue's (adapters/venues/depth.py). An update that does not
  follow on the one before voids the book, which is then away until the recording has another snapshot; one that says
  nothing new is a duplicate and is dropped.
- **Nonsense** is a price or quantity that is no finite number, below zero, or a price or traded quantity of zero, and a
  time before 1970. Such a trade is dropped; of such an update nobody knows what the book is: it is voided.
- A **crossed** book is taken away until it is none.
- Times that run back (**disorder**) are raised to the newest before them.
- A symbol that says nothing for its `silence` has a **gap**: its book is taken away when the silence has lasted so
  long, and comes back with the next event. Trade ids that leave some out are gaps too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from trimtab.adapters.venues.depth import DepthBook, Outcome
from trimtab.adapters.venues.depth import DepthUpdate as Update
from trimtab.domain.instruments import Instrument
from trimtab.domain.orders import Side
from trimtab.exchange.market import DepthUpdate, Level, MarketEvent, Snapshot, Trade
from trimtab.exchange.tape_file import iso
from trimtab.imports.findings import CROSSED, DISORDER, DUPLICATE, GAP, NONSENSE, Findings
from trimtab.ports.venue import BookUpdate, PublicTrade, Stale

Told = BookUpdate | PublicTrade | Stale
SILENT = "silent"


@dataclass(slots=True)
class _Symbol:
    instrument: Instrument
    silence_us: int
    book: DepthBook = field(default_factory=DepthBook)
    heard_us: int | None = None
    away: bool = True
    begun: bool = False  # whether an update has followed on the snapshot
    trade_id: int | None = None


class Sieve:
    """Events go in in any order of times; what comes out is in order."""

    def __init__(
        self,
        instruments: Mapping[str, Instrument],
        silences_us: Mapping[str, int],
        findings: Findings,
        levels: int,
    ) -> None:
        """`levels` of a book are told on each side."""
        self._symbols = {name: _Symbol(item, silences_us[name]) for name, item in instruments.items()}
        self._findings, self._levels = findings, levels
        self._now_us = 0

    def time_us(self, event: MarketEvent) -> int:
        """Return when an event happens: its time, but not before what was seen already."""
        if event.time_us < self._now_us:
            self._note(DISORDER, event, f"after {_when(self._now_us)}")
        self._now_us = max(self._now_us, event.time_us)
        return self._now_us

    def losses(self, until_us: int, holes: list[tuple[str, int]]) -> Iterator[tuple[int, Stale]]:
        """Yield the books that are taken away before a time, and when: nothing was heard of them, or updates lack.

        `holes` are symbols and the times from which on updates are missing; those that are due are taken out of it.
        """
        due = [
            (each.heard_us + each.silence_us, name, SILENT)
            for name, each in self._symbols.items()
            if each.heard_us is not None and each.heard_us + each.silence_us < until_us
        ]
        due += [(when_us, name, GAP) for name, when_us in holes if when_us <= until_us]
        holes[:] = [(name, when_us) for name, when_us in holes if when_us > until_us]
        for when_us, name, reason in sorted(due):
            if not self._symbols[name].away:
                self._symbols[name].away = True
                yield when_us, Stale(self._symbols[name].instrument, reason)

    def sift(self, event: MarketEvent, time_us: int) -> Iterator[Told]:
        """Yield what ingest is told of an event at its time."""
        state = self._symbols[event.symbol]
        if state.heard_us is not None and time_us - state.heard_us > state.silence_us:
            self._note(GAP, event, f"nothing since {_when(state.heard_us)}")
        state.heard_us = time_us
        match event:
            case Snapshot():
                yield from self._snapshot(state, event, time_us)
            case DepthUpdate():
                yield from self._update(state, event, time_us)
            case Trade():
                yield from self._trade(state, event, time_us)
            case _:  # best prices that the book has anyway
                return

    def _snapshot(self, state: _Symbol, event: Snapshot, time_us: int) -> Iterator[Told]:
        state.book.void()
        state.begun = False
        if not _sound(event.bids) or not _sound(event.asks) or time_us <= 0:
            yield self._lost(state, event, NONSENSE, "in a snapshot")
            return
        state.book.load(event.last_id, *([_texts(level) for level in side] for side in (event.bids, event.asks)))
        yield self._book(state, event, time_us, time_us)

    def _update(self, state: _Symbol, event: DepthUpdate, time_us: int) -> Iterator[Told]:
        if not _sound(event.bids) or not _sound(event.asks) or event.event_us <= 0:
            state.book.void()
            yield self._lost(state, event, NONSENSE, f"in update {event.last_id}")
            return
        if not state.book.in_sync:
            return  # until a snapshot comes, which holds what was missed
        last_id = state.book.last_id
        sides = [[_texts(level) for level in side] for side in (event.bids, event.asks)]
        outcome = state.book.update(Update(event.first_id, event.last_id, event.event_us, time_us, *sides))
        if outcome is Outcome.GAP:
            state.book.void()
            yield self._lost(state, event, GAP, f"update {event.first_id} after {last_id}")
        elif outcome is Outcome.OLD:
            if state.begun:  # what a snapshot holds already may well come after it
                self._note(DUPLICATE, event, f"update {event.last_id} after {last_id}")
        else:
            state.begun = True
            yield self._book(state, event, event.event_us, time_us)

    def _trade(self, state: _Symbol, event: Trade, time_us: int) -> Iterator[Told]:
        if not _sound([(event.price, event.quantity)]) or not event.quantity or event.event_us <= 0:
            self._note(NONSENSE, event, f"in trade {event.trade_id}")
            return
        last_id = state.trade_id
        if last_id is not None and event.trade_id <= last_id:
            self._note(DUPLICATE, event, f"trade {event.trade_id} after {last_id}")
            return
        if last_id is not None and event.trade_id > last_id + 1:
            self._note(GAP, event, f"trade {event.trade_id} after {last_id}")
        state.trade_id = event.trade_id
        aggressor = Side.SELL if event.buyer_is_maker else Side.BUY
        number = str(event.trade_id)
        yield PublicTrade(state.instrument, number, event.event_us, time_us, event.price, event.quantity, aggressor)

    def _book(self, state: _Symbol, event: Snapshot | DepthUpdate, event_us: int, time_us: int) -> Told:
        bids, asks = state.book.top(self._levels)
        if bids and asks and bids[0][0] >= asks[0][0]:
            return self._lost(state, event, CROSSED, f"{bids[0][0]} over {asks[0][0]}")
        state.away = False
        return BookUpdate(state.instrument, state.book.last_id, event_us, time_us, bids, asks)

    def _lost(self, state: _Symbol, event: MarketEvent, kind: str, what: str) -> Stale:
        self._note(kind, event, what)
        state.away = True
        return Stale(state.instrument, kind)

    def _note(self, kind: str, event: MarketEvent, what: str) -> None:
        self._findings.note(kind, f"{event.symbol} at {_when(event.time_us)}: {what}")


def _sound(levels: "tuple[Level, ...] | list[Level]") -> bool:
    return all(price.is_finite() and quantity.is_finite() and price > 0 <= quantity for price, quantity in levels)


def _texts(level: tuple[Decimal, Decimal]) -> tuple[str, str]:
    return str(level[0]), str(level[1])


def _when(time_us: int) -> str:
    try:
        return iso(time_us)
    except OverflowError:
        return f"{time_us} us"
