"""What happened on the market that engines have not been told yet: kept once, however many engines there are."""

from collections.abc import Iterable, Sequence

from trimtab.exchange.market import MarketEvent, Snapshot

_EVENTS_MAX = 1_000  # of a symbol


class Backlog:
    """The latest events of each symbol, numbered from 0; a snapshot replaces what came before it."""

    def __init__(self, symbols: Iterable[str]) -> None:
        self._events: dict[str, list[MarketEvent]] = {symbol: [] for symbol in symbols}
        self._firsts = dict.fromkeys(self._events, 0)  # number of the first event that is kept

    def add(self, event: MarketEvent) -> None:
        """Take the next event. Whoever needs those before a snapshot has to have taken them."""
        if isinstance(event, Snapshot):
            self.clear(event.symbol)
        self._events[event.symbol].append(event)

    def full(self, symbol: str) -> bool:
        """Tell whether everybody has to take a symbol's events, so that they can go."""
        return len(self._events[symbol]) >= _EVENTS_MAX

    def clear(self, symbol: str) -> None:
        """Let a symbol's events go."""
        self._firsts[symbol] += len(self._events[symbol])
        self._events[symbol].clear()

    def since(self, symbol: str, number: int) -> tuple[Sequence[MarketEvent], int]:
        """Return a symbol's events from this number on, those that are kept, and the number of the next to come."""
        events, first = self._events[symbol], self._firsts[symbol]
        return events[max(number - first, 0) :], first + len(events)
