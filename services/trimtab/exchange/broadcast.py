"""From market events to streams: names, the slow depth stream, the ticker of every second."""

from decimal import Decimal

from trimtab.exchange import klines, stream_messages
from trimtab.exchange.market import DepthUpdate, MarketEvent, Quote, Trade
from trimtab.exchange.streams import Hub
from trimtab.exchange.tickers import Tape

_SECOND_US = 1_000_000


class _Gathered:
    """Depth updates of one symbol put together into one of a second."""

    def __init__(self, first: DepthUpdate) -> None:
        self.due_us = first.time_us + _SECOND_US
        self._first_id = first.first_id
        self._bids: dict[Decimal, Decimal] = {}
        self._asks: dict[Decimal, Decimal] = {}

    def add(self, update: DepthUpdate) -> DepthUpdate:
        """Take an update in; what is gathered so far as one."""
        self._bids.update(update.bids)
        self._asks.update(update.asks)
        bids, asks = tuple(self._bids.items()), tuple(self._asks.items())
        return DepthUpdate(update.symbol, update.time_us, update.event_us, self._first_id, update.last_id, bids, asks)


class Broadcast:
    """Publishes market events on the hub."""

    def __init__(self, hub: Hub, tapes: dict[str, Tape]) -> None:
        self._hub = hub
        self._tapes = tapes
        self._klines = klines.Klines(tapes)
        self._gathered: dict[str, _Gathered] = {}
        self._tickers_due_us = 0

    def event(self, event: MarketEvent) -> None:
        """Publish one event; a snapshot is no stream message."""
        name = event.symbol.lower()
        if isinstance(event, DepthUpdate):
            fast = f"{name}@depth@100ms"
            if self._hub.wanted(fast):
                self._hub.publish(fast, stream_messages.depth_update(event))
            self._slow(f"{name}@depth", event)
        elif isinstance(event, Quote):
            stream = f"{name}@bookTicker"
            if self._hub.wanted(stream):
                self._hub.publish(stream, stream_messages.quote(event))
        elif isinstance(event, Trade):
            stream = f"{name}@trade"
            if self._hub.wanted(stream):
                self._hub.publish(stream, stream_messages.trade(event))
            if self._hub.wanted(aggregate := f"{name}@aggTrade"):
                self._hub.publish(aggregate, stream_messages.aggregate_trade(event))

    def tick(self, now_us: int) -> None:
        """Publish tickers, and candles that have changed, once a second of market time."""
        if now_us < self._tickers_due_us:
            return
        self._tickers_due_us = now_us + _SECOND_US
        for symbol, tape in self._tapes.items():
            stream = f"{symbol.lower()}@miniTicker"
            if self._hub.wanted(stream):
                day = tape.day(now_us)
                if day is not None:
                    self._hub.publish(stream, stream_messages.mini_ticker(symbol, day, now_us))

        for stream, message in self._klines.due(self._hub.heard(klines.KIND), now_us):
            self._hub.publish(stream, message)

    def _slow(self, stream: str, update: DepthUpdate) -> None:
        if not self._hub.wanted(stream):
            self._gathered.pop(update.symbol, None)
            return
        gathered = self._gathered.setdefault(update.symbol, _Gathered(update))
        whole = gathered.add(update)
        if update.time_us >= gathered.due_us:
            self._hub.publish(stream, stream_messages.depth_update(whole))
            del self._gathered[update.symbol]
