"""What the market shows at a moment: its books as published, in the frames that ingest would make of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice

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

    def __init__(self, instruments: Mapping[str, Rules], fees: Fees, full_us: int = _FULL_US) -> None:
        self.instruments = instruments
        self.named = {symbol: _instrument(rules, fees) for symbol, rules in instruments.items()}
        self._books = {symbol: Liquidity() for symbol in instruments}
        self._symbols = {rules.symbol: symbol for symbol, rules in self.named.items()}
        self._builder = FrameBuilder("backtest", full_us)
        self._builder.know(self.named.values())
        self._mids: dict[str, Decimal] = {}
        self._changed: set[str] = set()
        self._updates = 0

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
            case DepthUpdate():
                book.update(event)
            case Quote():
                book.quote(event)
            case Trade():
                return
        self._changed.add(event.symbol)

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
        return [
            Snapshot(symbol, time_us, book.newest_id, tuple(book.levels("BUY")), tuple(book.levels("SELL")))
            for symbol, book in self._books.items()
        ]

    def frame(self, time_us: int) -> Frame:
        """Return the next frame: what has changed since the last one."""
        self._builder.hear(time_us)
        for symbol in sorted(self._changed):
            instrument, book = self.named[symbol], self._books[symbol]
            bids, asks = (flatten(instrument, islice(book.levels(side), _LEVELS)) for side in ("BUY", "SELL"))
            self._updates += 1
            self._builder.update(instrument, self._updates, time_us, time_us, bids, asks)
        self._changed.clear()
        return self._builder.build(time_us).frame


def _instrument(rules: Rules, fees: Fees) -> Instrument:
    """The rules as the venue's adapter would read them."""
    return Instrument(
        venue=VENUE,
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
