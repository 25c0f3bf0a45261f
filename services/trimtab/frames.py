"""From recorded frames to the market that decisions and orders look at. (Shared: drift and executor both read it.)"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal, localcontext

from trimtab.cost_rows import ChargedFee
from trimtab.domain.amounts import CONTEXT
from trimtab.domain.errors import InvalidValueError
from trimtab.domain.instruments import Instrument
from trimtab.domain.market import Level, Market, Quote
from trimtab.domain.orders import Liquidity
from trimtab.messages import Costs, Frame, FrameQuote, InstrumentRules
from trimtab.ports.topics import Record

# A frame that is further after the one before it (event time) is not believed by itself: a clock or a record is wrong.
_LEAP_US_MAX = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Feed:
    """The market as of the last frame, and which frame has to come next for nothing to be missing.

    `doubted_us` is the event time of the frame before, if that one was doubted.
    """

    market: Market = field(default_factory=Market)
    session: str = ""
    sequence: int = -1
    doubted_us: int = 0

    def advance(self, frame: Frame, offset: int, costs: Record[Costs] | None = None) -> "Feed":
        """Return the feed after one more frame; only the instruments it names are touched.

        A frame of another session, or one that does not follow the last, leaves the market incomplete until the next
        full frame: a book that may have missed an update must not be traded on. Costs count from one full frame to the
        next. So the market at any frame can be worked out again from the frames since the last full one and the costs
        that it names, whenever these came.

        Raises:
            InvalidValueError: if a ladder does not consist of (price, quantity) pairs of positive counts, or event time
                leaps by more than a day and the frame before, doubted for that, did not say so too.

        """
        self._require_no_leap(frame)
        market = self.market
        if frame.session != self.session or frame.sequence != self.sequence + 1:
            market = replace(market, complete=False)
        fees = taker_fees(costs) if frame.full else {}
        rules = [_instrument(rule, fees) for rule in frame.rules]
        known = (
            {item.key: item for item in rules} if frame.full else {**market.instruments, **{r.key: r for r in rules}}
        )
        with localcontext(CONTEXT):
            quotes = [
                _quote(quote, known[key])
                for quote in frame.quotes
                if (key := f"{quote.venue}:{quote.instrument}") in known
            ]
        market = market.advance(offset, frame.event_time_us, full=frame.full, instruments=rules, quotes=quotes)
        if frame.full:
            cited = costs.offset if costs is not None else -1
            market = replace(market, costs_offset=cited, impact_coefficient=impact_coefficient(costs))
        return Feed(market, frame.session, frame.sequence)

    def doubt(self, frame: Frame) -> "Feed":
        """Return the feed after a frame that makes no sense: incomplete until the next full one."""
        return Feed(replace(self.market, complete=False), doubted_us=frame.event_time_us)

    def _require_no_leap(self, frame: Frame) -> None:
        latest_us = max(self.market.event_time_us, self.doubted_us)
        if self.market.offset >= 0 and frame.event_time_us - latest_us > _LEAP_US_MAX:
            allowed = f"at most a day after the frame before it, {latest_us}"
            raise InvalidValueError("frame.event_time_us", frame.event_time_us, allowed)


def touched(frame: Frame) -> frozenset[str]:
    """Return the keys of the instruments this frame names."""
    return frozenset(f"{quote.venue}:{quote.instrument}" for quote in frame.quotes)


def charged(instrument: Instrument, fees: Mapping[str, ChargedFee]) -> Instrument:
    """Return the instrument with what its takers are charged; `fees` are theirs, by instrument key.

    An estimate counts only while the venue states the fee that it was made under.
    """
    found = fees.get(instrument.key)
    known = found is not None and found.stated == instrument.taker_fee
    return replace(instrument, charged_fee=found.fee) if known and found is not None else instrument


def taker_fees(costs: Record[Costs] | None) -> Mapping[str, ChargedFee]:
    """Return what takers are charged, by instrument key."""
    rows = costs.message.fees if costs is not None else ()
    return {f"{row.venue}:{row.instrument}": row for row in rows if row.liquidity is Liquidity.TAKER}


def impact_coefficient(costs: Record[Costs] | None) -> Decimal | None:
    """Return Y of the square-root law as own fills have shown it; None without a record that says so."""
    return (costs.message.impact_coefficient or None) if costs is not None else None


def _instrument(rule: InstrumentRules, fees: Mapping[str, ChargedFee]) -> Instrument:
    instrument = Instrument(
        rule.venue,
        rule.instrument,
        rule.base,
        rule.quote,
        rule.tick,
        rule.step,
        rule.min_quantity,
        rule.min_notional,
        rule.maker_fee,
        rule.taker_fee,
        rule.tradable,
    )
    return charged(instrument, fees)


def _quote(quote: FrameQuote, instrument: Instrument) -> Quote:
    bids = tuple(_levels(quote.bids, instrument, "bids"))
    asks = tuple(_levels(quote.asks, instrument, "asks"))
    return Quote(instrument, quote.event_time_us, bids, asks)


def _levels(ladder: Sequence[int], instrument: Instrument, side: str) -> Iterator[Level]:
    tick, step = instrument.tick, instrument.step
    if len(ladder) % 2 or min(ladder, default=1) <= 0:
        raise InvalidValueError(f"frame.{instrument.key}.{side}", tuple(ladder), "pairs of positive counts")
    counts = iter(ladder)
    for price, quantity in zip(counts, counts, strict=True):
        yield Level(price * tick, quantity * step)
