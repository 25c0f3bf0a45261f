"""A book made here, not recorded: whole ticks and whole steps inside, decimals only in its events.

So nothing is ever rounded twice. Ids follow Binance's rules: every level change is one update id, a quote bears the id
it is true after, a depth update covers all ids since the last one; trade ids have no hole.
"""

from collections.abc import Iterator

from trimtab.exchange.instruments import Instrument
from trimtab.exchange.liquidity import Side
from trimtab.exchange.market import DepthUpdate, Level, Quote, Snapshot, Trade


class TickBook:
    """One symbol's levels (steps by tick) and the events that tell of them; ids count on from those given."""

    def __init__(self, rules: Instrument, update_id: int, trade_id: int) -> None:
        self._rules = rules
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self._id = update_id
        self._sent_id = update_id
        self._trade_id = trade_id
        self._changed: dict[Side, set[int]] = {"BUY": set(), "SELL": set()}
        self._quote: tuple[int, int, int, int] | None = None

    def side(self, side: Side) -> dict[int, int]:
        """The bids ("BUY") or the asks."""
        return self.bids if side == "BUY" else self.asks

    def put(self, side: Side, tick: int, size: int) -> None:
        """Set a level to so many steps; zero removes it."""
        book = self.side(side)
        if book.get(tick, 0) == size:
            return
        self._id += 1
        self._changed[side].add(tick)
        if size:
            book[tick] = size
        else:
            del book[tick]

    def snapshot(self, time_us: int) -> Snapshot:
        """The whole book now; updates follow from its id."""
        self._changed = {"BUY": set(), "SELL": set()}
        self._sent_id = self._id
        bids = tuple(self._level(tick, self.bids[tick]) for tick in sorted(self.bids, reverse=True))
        asks = tuple(self._level(tick, self.asks[tick]) for tick in sorted(self.asks))
        return Snapshot(self._rules.symbol, time_us, self._id, bids, asks)

    def quoted(self, time_us: int) -> Iterator[Quote]:
        """The best bid and ask, if they have changed. Both sides must stand."""
        bid, ask = max(self.bids), min(self.asks)
        quote = bid, self.bids[bid], ask, self.asks[ask]
        if quote == self._quote:
            return
        self._quote = quote
        (price, size), (ask_price, ask_size) = self._level(*quote[:2]), self._level(*quote[2:])
        yield Quote(self._rules.symbol, time_us, self._id, price, size, ask_price, ask_size)

    def updated(self, time_us: int) -> Iterator[DepthUpdate]:
        """The levels that changed since the last update, if any."""
        if self._id == self._sent_id:
            return
        first, self._sent_id = self._sent_id + 1, self._id
        bids = tuple(self._level(tick, self.bids.get(tick, 0)) for tick in sorted(self._changed["BUY"], reverse=True))
        asks = tuple(self._level(tick, self.asks.get(tick, 0)) for tick in sorted(self._changed["SELL"]))
        self._changed = {"BUY": set(), "SELL": set()}
        yield DepthUpdate(self._rules.symbol, time_us, time_us, first, self._id, bids, asks)

    def traded(self, time_us: int, tick: int, size: int, *, buyer_is_maker: bool) -> Trade:
        """A public trade of so many steps. It takes nothing from the levels: that is for who makes the market."""
        self._trade_id += 1
        price, quantity = self._level(tick, size)
        return Trade(self._rules.symbol, time_us, time_us, self._trade_id, price, quantity, buyer_is_maker)

    def _level(self, tick: int, size: int) -> Level:
        return tick * self._rules.tick, size * self._rules.step
