"""Ports in memory, and small frames and records to send through them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal

import structlog
from drift_worlds import NOW_US, PRICES, SETTINGS, D, portfolio, positions, risk, state
from structlog.typing import FilteringBoundLogger

from trimtab.domain.errors import InvalidValueError, UnreachableError
from trimtab.domain.portfolio import Portfolio
from trimtab.drift.portfolios import Portfolios
from trimtab.drift.watching import Watch
from trimtab.messages import Frame, FrameQuote, InstrumentRules, Message, PortfolioState, Risk, Signal
from trimtab.ports.metrics import Unmetered
from trimtab.ports.topics import Record

LOG: FilteringBoundLogger = structlog.get_logger("test")


class Sent:
    """A publisher that keeps what it is given, or refuses it."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.broken = False

    async def publish(self, message: Message) -> None:
        if self.broken:
            raise UnreachableError("Kafka", "nowhere", "test")
        self.messages.append(message)

    @property
    def signals(self) -> list[Signal]:
        return [message for message in self.messages if isinstance(message, Signal)]

    @property
    def risks(self) -> list[Risk]:
        return [message for message in self.messages if isinstance(message, Risk)]


class Counted(Unmetered):
    """A meter that keeps what is counted and set."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, ...]] = Counter()
        self.gauges: dict[str, float] = {}

    def count(self, name: str, /, amount: float = 1, **labels: str) -> None:
        self.counts[name, *labels.values()] += int(amount)

    def set(self, name: str, value: float, /, **labels: str) -> None:
        self.gauges[name] = value


def parse(document: str, version: int) -> Portfolio:
    """The document is the portfolio's name; an empty one means nothing."""
    if not document:
        raise InvalidValueError("document", document, "a portfolio")
    return portfolio(portfolio_id=document, version=version)


def held(
    name: str = "core", version: int = 1, *, offset: int = 0, partition: int = 0, document: str | None = None
) -> Record[PortfolioState]:
    """A state far out of its band."""
    owned = positions({"BTC": D("1.6"), "ETH": D(5), "USDT": D(10_000)})
    named = state(owned, portfolio_id=name, ledger_version=version, document=name if document is None else document)
    return Record(named, "portfolio.state", partition, offset)


def frame(
    sequence: int,
    *,
    seconds: float = 0,
    full: bool = False,
    session: str = "a",
    broken: bool = False,
    names: Sequence[str] = ("BTC",),
    moved: int = 0,
) -> Record[Frame]:
    """Offsets equal sequences; the mids are those of drift_worlds, moved by so many cents."""
    now_us = NOW_US + int(seconds * 1_000_000)
    listed = tuple(_rules(base) for base in PRICES) if full else ()
    changed = tuple(PRICES) if full else names
    quotes = tuple(_quote(base, PRICES[base] + moved * D("0.01"), now_us, sequence, broken=broken) for base in changed)
    return Record(Frame(session, sequence, now_us, full, listed, quotes), "market.frames", 0, sequence)


def estimate(offset: int = 0, deviations: Mapping[str, Decimal] | None = None) -> Record[Risk]:
    return Record(risk(deviations).message, "market.risk", 0, offset)


def watch() -> tuple[Watch, Sent, Counted]:
    """A worker that owns partition 0 and has an estimate."""
    sent, counted = Sent(), Counted()
    made = Watch(Portfolios(parse), sent, counted, LOG, SETTINGS, "worker-1")
    made.on_risk(estimate())
    made.portfolios.complete(0)
    return made, sent, counted


def _rules(base: str) -> InstrumentRules:
    step, fee = D("0.00001"), D("0.001")
    return InstrumentRules(
        "binance", f"{base}/USDT", base, "USDT", D("0.01"), step, step, D(5), fee, fee, tradable=True
    )


def _quote(base: str, mid: Decimal, now_us: int, sequence: int, *, broken: bool) -> FrameQuote:
    ticks = int(mid * 100)
    bids = (ticks - 1,) if broken else (ticks - 1, 10**9)
    return FrameQuote("binance", f"{base}/USDT", now_us, sequence, bids, (ticks + 1, 10**9))
