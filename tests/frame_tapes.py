"""Recorded topics as tests write them by hand: frames of BTC and ETH at one venue, and public trades."""

from decimal import Decimal
from typing import Protocol

from trimtab.domain.orders import Side
from trimtab.messages import Frame, FrameQuote, InstrumentRules, Message, Tick

D = Decimal
START_US = 1_700_000_000_000_000
SECOND_US = 1_000_000
DEPTH = 1_000_000  # steps at each level


class Keeper(Protocol):
    def __call__(self, message: Message, recorded_ms: int, /) -> object: ...


def rules(base: str, venue: str = "binance", tick: str = "0.01", fee: str = "0.001") -> InstrumentRules:
    step = D("0.0001")
    return InstrumentRules(
        venue, f"{base}/USDT", base, "USDT", D(tick), step, step, D(5), D(fee), D(fee), tradable=True
    )


def ladder(price: int, away: int, depth: int = DEPTH) -> tuple[int, ...]:
    """Three levels, a tick apart, from a price (ticks) outwards."""
    return tuple(count for level in range(3) for count in (price + away * level, depth))


class Writer:
    """Writes frames; records are stamped a second late, so that their stamps are no event times."""

    def __init__(self, keep: Keeper, *bases: str, venue: str = "binance") -> None:
        self.keep = keep
        self.bases = bases or ("BTC", "ETH")
        self.venue = venue
        self.now_us = START_US
        self.sequence = 0
        self.rules = tuple(rules(base, venue) for base in self.bases)

    @property
    def stamp_ms(self) -> int:
        return self.now_us // 1_000 + 1_000

    def quote(self, base: str, bids: tuple[int, ...], asks: tuple[int, ...]) -> FrameQuote:
        return FrameQuote(self.venue, f"{base}/USDT", self.now_us, self.sequence, bids, asks)

    def frame(self, *quotes: FrameQuote, full: bool = False, session: str = "one") -> None:
        self.sequence += 1
        listed = self.rules if full else ()
        self.keep(Frame(session, self.sequence, self.now_us, full, listed, quotes), self.stamp_ms)

    def prices(self, *, full: bool = True, **mids: int) -> None:
        """A frame with books around these mids (ticks), by base."""
        books = (self.quote(base, ladder(mid - 1, -1), ladder(mid + 1, 1)) for base, mid in mids.items())
        self.frame(*books, full=full)

    def wait(self, seconds: float = 1) -> None:
        self.now_us += round(seconds * SECOND_US)

    def tick(self, base: str, price: int, quantity: int, aggressor: Side = Side.SELL) -> None:
        number = str(self.now_us)
        pair = f"{base}/USDT"
        made = Tick(self.venue, pair, number, self.now_us, self.now_us, "0.01", "0.0001", price, quantity, aggressor)
        self.keep(made, self.stamp_ms)
