"""What the websocket feed says ("Channels"): books, trades, tickers, heartbeats, and what becomes of one's own orders.

Streams are called `PRODUCT@channel`, those of accounts `ACCOUNT@user:PRODUCT`. Every product counts its messages.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from trimtab.exchange.coinbase.names import Names, fixed, is_client_id, iso, named
from trimtab.exchange.coinbase.wire import profile_id, user_id
from trimtab.exchange.market import DepthUpdate, Level, MarketEvent, Snapshot, Trade
from trimtab.exchange.orders import EngineEvent, Order, Report
from trimtab.exchange.venue import Venue

Json = dict[str, Any]
Fills = dict[tuple[str, int, bool], str]
"""Order ids by symbol, trade id, and whether it is the maker's: who met whom in one go."""

BOOKS = ("level2", "level2_batch")
_SECOND_US = 1_000_000
_TRADES_KEPT = 1_000


class Feed:
    """Tells of a venue in Coinbase's messages. Implements `trimtab.exchange.teller.Teller`."""

    def __init__(self, venue: Venue, names: Names) -> None:
        self._venue = venue
        self.names = names
        self.trades: defaultdict[str, deque[Trade]] = defaultdict(lambda: deque(maxlen=_TRADES_KEPT))
        self._sequences: defaultdict[str, int] = defaultdict(int)
        self._beats_due_us = 0

    def sequence(self, symbol: str) -> int:
        """The number of a symbol's last message."""
        return self._sequences[symbol]

    def event(self, event: MarketEvent) -> None:
        """Tell what the market did."""
        product = self.names.product(event.symbol)
        if isinstance(event, Trade):
            self._next(event.symbol)
            self.trades[event.symbol].append(event)
            self._publish(f"{product}@matches", event, "match")
            self._publish(f"{product}@ticker", event, "ticker")
        elif isinstance(event, DepthUpdate | Snapshot):
            self._next(event.symbol)
            streams = [stream for name in BOOKS if self._venue.hub.wanted(stream := f"{product}@{name}")]
            if streams:
                message = self.book(event.symbol) if isinstance(event, Snapshot) else _changes(event, product)
                for stream in streams:
                    # The venue promises that none of these gets lost, and nobody could tell: no fault but silence.
                    self._venue.hub.send(stream, message)

    def tick(self, now_us: int) -> None:
        """Tell that the feed lives, once a second of market time."""
        if now_us < self._beats_due_us:
            return
        self._beats_due_us = now_us + _SECOND_US
        for symbol in self._venue.engine.instruments:
            product = self.names.product(symbol)
            if self._venue.hub.wanted(f"{product}@heartbeat"):
                last = self.trades[symbol][-1].trade_id if self.trades[symbol] else 0
                beat = {"type": "heartbeat", "last_trade_id": last, "product_id": product}
                data = orjson.dumps(beat | {"sequence": self._next(symbol), "time": iso(now_us)})
                self._venue.hub.publish(f"{product}@heartbeat", data)

    def happened(self, events: Sequence[EngineEvent]) -> None:
        """Tell accounts of their orders: received, then matched, then done, or open with what is left."""
        reports = [event for event in events if isinstance(event, Report)]
        met: Fills = {
            (fill.symbol, fill.trade_id, fill.maker): self.names.order_id(fill.symbol, fill.order_id)
            for fill in (report.execution for report in reports)
            if fill is not None
        }
        fresh: dict[tuple[str, int], Order] = {}
        for report in reports:
            order = report.order
            key = order.symbol, order.order_id
            if report.kind == "NEW":
                self._tell(order, _received(order), report.time_us)
            elif report.execution is not None:
                self._tell(order, self._matched(report, met), report.time_us)
            if not order.is_open:
                self._tell(order, _done(order), report.time_us)
            if report.kind == "NEW" or key in fresh:
                fresh[key] = order
        for order in fresh.values():
            if order.is_open:
                left = {"type": "open", "price": fixed(order.price), "remaining_size": fixed(order.leaves)}
                self._tell(order, left, order.updated_us)

    def book(self, symbol: str) -> bytes:
        """The whole book, as a subscription to it begins."""
        book = self._venue.engine.pits[symbol].liquidity.book
        bids, asks = ([_pair(level) for level in side.levels()] for side in (book.bids, book.asks))
        found = {"type": "snapshot", "product_id": self.names.product(symbol), "asks": asks, "bids": bids}
        return orjson.dumps(found | {"time": iso(self._venue.now_us())})

    def last(self, symbol: str, kind: str) -> Iterable[bytes]:
        """The last trade in a channel's own words (`last_match`, `ticker`), as a subscription to it begins."""
        return [self._traded(trade, kind) for trade in list(self.trades[symbol])[-1:]]

    def _next(self, symbol: str) -> int:
        self._sequences[symbol] += 1
        return self._sequences[symbol]

    def _publish(self, stream: str, trade: Trade, kind: str) -> None:
        if self._venue.hub.wanted(stream):
            self._venue.hub.publish(stream, self._traded(trade, kind))

    def _traded(self, trade: Trade, kind: str) -> bytes:
        said = matched(trade) if kind != "ticker" else self._ticker(trade)
        common = {"product_id": self.names.product(trade.symbol), "sequence": self.sequence(trade.symbol)}
        return orjson.dumps({"type": kind, **said, **common, "time": iso(trade.event_us)})

    def _ticker(self, trade: Trade) -> Json:
        book = self._venue.engine.pits[trade.symbol].liquidity.book
        (bid, ask), day = _best(book.bids.top(1), book.asks.top(1)), self._venue.tapes[trade.symbol].day(trade.time_us)
        sums = {} if day is None else {
            "open_24h": fixed(day.open), "volume_24h": fixed(day.volume), "low_24h": fixed(day.low),
            "high_24h": fixed(day.high), "volume_30d": fixed(day.volume),
        }  # fmt: skip
        return {
            "price": fixed(trade.price),
            **sums,
            "best_bid": bid[0],
            "best_bid_size": bid[1],
            "best_ask": ask[0],
            "best_ask_size": ask[1],
            "side": "sell" if trade.buyer_is_maker else "buy",
            "trade_id": trade.trade_id,
            "last_size": fixed(trade.quantity),
        }

    def _matched(self, report: Report, met: Fills) -> Json:
        """A fill of an own order. `side` is the maker's; the rate stands under the name of who it is."""
        fill, order = report.execution, report.order
        if fill is None:
            raise ValueError("a report of a match has a fill")
        terms = self._venue.engine.accounts.by_name[order.account]
        own = self.names.order_id(order.symbol, order.order_id)
        other = met.get((fill.symbol, fill.trade_id, not fill.maker)) or named("met", fill.symbol, fill.trade_id)
        maker_side = order.side if fill.maker else "SELL" if order.side == "BUY" else "BUY"
        role, rate = ("maker", terms.maker_fee) if fill.maker else ("taker", terms.taker_fee)
        return {
            "type": "match",
            "trade_id": fill.trade_id,
            "maker_order_id": own if fill.maker else other,
            "taker_order_id": other if fill.maker else own,
            "size": fixed(fill.quantity),
            "price": fixed(fill.price),
            "side": maker_side.lower(),
            f"{role}_user_id": user_id(order.account),
            f"{role}_profile_id": profile_id(order.account),
            f"{role}_fee_rate": f"{rate.normalize():f}",
        }

    def _tell(self, order: Order, said: Json, time_us: int) -> None:
        sequence, product = self._next(order.symbol), self.names.product(order.symbol)
        stream = f"{order.account}@user:{product}"
        if not self._venue.hub.wanted(stream):
            return
        common = {"product_id": product, "time": iso(time_us), "sequence": sequence}
        owner = {"user_id": user_id(order.account), "profile_id": profile_id(order.account)}
        named_order = {"side": order.side.lower()}
        if said["type"] != "match":
            named_order["order_id"] = self.names.order_id(order.symbol, order.order_id)
        data = orjson.dumps({**named_order, **common, **owner, **said})
        for message in self._venue.tampering.passed("user", stream, data, self._venue.hub.send):
            self._venue.hub.send(stream, message)


def matched(trade: Trade) -> Json:
    """A public trade; `side` is the maker's."""
    return {
        "trade_id": trade.trade_id,
        "maker_order_id": named("maker", trade.symbol, trade.trade_id),
        "taker_order_id": named("taker", trade.symbol, trade.trade_id),
        "side": "buy" if trade.buyer_is_maker else "sell",
        "size": fixed(trade.quantity),
        "price": fixed(trade.price),
    }


def _received(order: Order) -> Json:
    amount = {"size": fixed(order.quantity)} if not order.quote_quantity else {"funds": fixed(order.quote_quantity, 16)}
    said: Json = {"type": "received", "order_type": "market" if order.type == "MARKET" else "limit", **amount}
    if order.type != "MARKET":
        said["price"] = fixed(order.price)
    if is_client_id(order.client_order_id):
        said["client_oid"] = order.client_order_id
    return said


def _done(order: Order) -> Json:
    said: Json = {"type": "done", "reason": "filled" if order.status == "FILLED" else "canceled"}
    if order.type != "MARKET":
        said |= {"price": fixed(order.price), "remaining_size": fixed(order.leaves)}
    return said


def _changes(update: DepthUpdate, product: str) -> bytes:
    changes = [["buy", *_pair(level)] for level in update.bids] + [["sell", *_pair(level)] for level in update.asks]
    told = {"type": "l2update", "product_id": product, "time": iso(update.event_us), "changes": changes}
    return orjson.dumps(told)


def _pair(level: Level) -> list[str]:
    return [fixed(level[0]), fixed(level[1])]


def _best(bids: Sequence[Level], asks: Sequence[Level]) -> tuple[list[str], list[str]]:
    nothing = ["0", "0"]
    return (_pair(bids[0]) if bids else nothing), (_pair(asks[0]) if asks else nothing)
