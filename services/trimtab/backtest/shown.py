"""What the market shows at a moment: its books as published, in the frames that ingest would make of them.

Ingest hears depth updates, not best bids and asks, and takes the venue's word for their times; so do these frames. What
an order finds, and what the bill is reckoned from, is the book with its newest quote.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from trimtab.backtest.fees import Fees
from trimtab.domain.instruments import Instrument
from trimtab.exchange.instruments import Instrument as Rules
from trimtab.exchange.liquidity import Liquidity
from trimtab.exchange.market import DepthUpdate, MarketEvent, Quote, Snapshot, Trade
from trimtab.ingest.frames import FrameBuilder
from trimtab.ingest.ladder import flatten
from trimtab.messages import Frame

VENUE = "simulated"
_LEVELS = 10
_FULL_US = 3_600_000_000  # nothing is ever missed here: full frames are for what is looked at on them alone


@dataclass(frozen=True, slots=True)
class Top:
    """Best bid and ask of a published book, quote per base."""

    bid: Decimal
    ask: Decimal

    @property
    def mid(self) -> Decimal:
        """Return the mid price."""
        return (self.bid + self.ask) / 2


class Shown:
    """The published books of a market, and the frames that tell of them, a full one every `full_us`."""

    def __init__(
        self, instruments: Mapping[str, Rules], fees: Fees, full_us: int = _FULL_US, venue: str = VENUE
    ) -> None:
        self.venue = venue
        self.instruments = instruments
        self.named = {symbol: _instrument(venue, rules, fees) for symbol, rules in instruments.items()}
        self._books = {symbol: Liquidity() for symbol in instruments}
        self._event_us = dict.fromkeys(instruments, 0)
        self._symbols = {rules.symbol: symbol for symbol, rules in self.named.items()}
        self._builder = FrameBuilder("backtest", full_us)
        self._builder.know(self.named.values())
        self._mids: dict[str, Decimal] = {}
        self._changed: set[str] = set()

    @property
    def complete(self) -> bool:
        """Whether every symbol has a book."""
        return all(self.top(symbol) is not None for symbol in self._books)

    def take(self, event: MarketEvent) -> None:
        """Let the market move."""
        book = self._books[event.symbol]
        match event:
            case Snapshot():
                book.reset(event)
                self._event_us[event.symbol] = event.time_us
            case DepthUpdate():
                book.update(event)
                self._event_us[event.symbol] = event.event_us
            case Quote():
                book.quote(event)
                return
            case Trade():
                return
        self._changed.add(event.symbol)

    @property
    def changed(self) -> bool:
        """Whether there is anything that no frame has told yet."""
        return bool(self._changed)

    def top(self, symbol: str) -> Top | None:
        """Return a book's best prices; None unless both sides stand."""
        book = self._books[symbol]
        bid, ask = book.best("BUY"), book.best("SELL")
        return None if bid is None or ask is None else Top(bid, ask)

    def mid_of(self, pair: str) -> Decimal | None:
        """Return the mid price of a pair (as "BTC/USDT"), the last one there was; None if it never had a book."""
        symbol = self._symbols.get(pair)
        top = self.top(symbol) if symbol is not None else None
        if top is not None:
            self._mids[pair] = top.mid
        return self._mids.get(pair)

    def step_of(self, pair: str) -> Decimal:
        """Return the least quantity of a pair, base units."""
        return self.instruments[self._symbols[pair]].step

    def stand(self, time_us: int) -> list[Snapshot]:
        """Let every book stand there once more as it is, for the next frame and for who trades; return the books."""
        self._changed.update(self._books)
        self._event_us = dict.fromkeys(self._event_us, time_us)
        return [
            Snapshot(symbol, time_us, book.newest_id, tuple(book.levels("BUY")), tuple(book.levels("SELL")))
            for symbol, book in self._books.items()
        ]

    def frame(self, time_us: int) -> Frame:
        """Return the next frame: what has changed since the last one; if nothing has, that so much time has passed."""
        if not self._changed:
            self._builder.hear(time_us)
        for symbol in sorted(self._changed):
            instrument, book, event_us = self.named[symbol], self._books[symbol].book, self._event_us[symbol]
            bids, asks = (flatten(instrument, side.top(_LEVELS)) for side in (book.bids, book.asks))
            self._builder.update(instrument, book.last_id, event_us, time_us, bids, asks)
        self._changed.clear()
        return self._builder.build(time_us).frame


def _instrument(venue: str, rules: Rules, fees: Fees) -> Instrument:
    """The rules as the venue's adapter would read them."""
    return Instrument(
        venue=venue,
        symbol=f"{rules.base}/{rules.quote}",
        base=rules.base,
        quote=rules.quote,
        tick=rules.tick,
        step=rules.step,
        min_quantity=rules.step,
        min_notional=rules.min_notional,
        maker_fee=fees.maker,
        taker_fee=fees.taker,
    )
