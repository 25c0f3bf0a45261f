"""One drift worker with thousands of portfolios: what a frame costs it, and whether it keeps up with 100 a second.

The market moves by a seeded random walk of its mids, some of twelve books a frame, every hundredth frame a full one.
Against the clock, ten portfolios a second lose a third of an asset, as if it had been taken out: they signal, and their
states come back as if all had been filled.
"""

import asyncio
import itertools
import logging
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import psutil
import structlog

from trimtab.bench.inputs import SETTINGS, frame, market, portfolio, risk, state
from trimtab.bench.row import Row
from trimtab.demo.measures import percentile
from trimtab.domain.amounts import quantise
from trimtab.domain.portfolio import NoTradeRegion, Portfolio
from trimtab.drift.portfolios import Portfolios
from trimtab.drift.watching import Watch
from trimtab.messages import Frame, FrameQuote, JournalEntry, Message, PortfolioState, Signal
from trimtab.ports.metrics import Unmetered
from trimtab.ports.topics import Record

FRAMES_A_SECOND = 100
_GOAL_US = 1.0
_CLOCKED = 10_000
_SECONDS = 5.0
_FRAMES_PER_LOSS = 10
_KEPT = Decimal("0.67")
_SEED = 11
_STEP = 2e-5  # standard deviation of a mid's change from frame to frame: about 110 % a year at that pace


class Answered:
    """Takes signals and answers each with the next state, as if everything had been filled at once."""

    def __init__(self, portfolios: Portfolios) -> None:
        self.signals = 0
        self._portfolios = portfolios

    async def publish(self, message: Message) -> None:
        """Count a signal and put the state after it; what the journal notes is dropped."""
        if isinstance(message, JournalEntry):
            return
        assert isinstance(message, Signal)
        self.signals += 1
        entry = self._portfolios.get(message.portfolio_id)
        assert entry is not None
        held = {position.asset: position for position in entry.state.positions}
        for trade in message.trades:
            for asset, change in (
                (trade.base, trade.quantity * trade.side.sign),
                (trade.quote, -trade.quantity * trade.side.sign * trade.decision_price),
            ):
                held[asset] = replace(held[asset], posted=held[asset].posted + change)
        version = entry.state.ledger_version + 1
        after = replace(entry.state, ledger_version=version, positions=tuple(held.values()))
        self._portfolios.put(Record(after, "portfolio.state", 0, entry.offset + 1))


@dataclass(frozen=True, slots=True)
class Load:
    """So many portfolios of so many assets each, cash among them, and so many books that a frame changes."""

    portfolios: int = _CLOCKED
    assets: int = 10
    books: int = 3

    @property
    def name(self) -> str:
        """Its part of a measure's name."""
        return f"{self.portfolios}_of_{self.assets}.{self.books}_books"


USUAL = Load()
GROWING = (Load(portfolios=1_000), USUAL, Load(portfolios=50_000), Load(assets=3), Load(books=1), Load(books=12))
"""The usual load, and one part of it after the other less or more."""


def measure(loads: Sequence[Load] = GROWING, clocked: Load = USUAL, seconds: float = _SECONDS) -> list[Row]:
    """Return the rows: one load against the clock, then what a frame and a check cost by load."""
    rows = asyncio.run(_against_the_clock(clocked, seconds))  # first: what others left behind would hide its memory
    for load in loads:
        cost, name = asyncio.run(_cost(load)), f"drift.worker.{load.name}"
        rows.append(Row(f"{name}.frame", cost * 1e3, "ms"))
        rows.append(Row(f"{name}.check", cost / load.portfolios * 1e6, "us", goal=_GOAL_US if load == USUAL else None))
    return rows


async def _cost(load: Load) -> float:
    """Return what an ordinary frame costs, in seconds; the median, without the signals of those who drift."""
    watch, _ = worker(load)
    records = frames(load.books)
    watch.on_frame(next(records))
    costs = []
    for record in itertools.islice(records, 60):
        began = time.perf_counter()
        watch.on_frame(record)
        costs.append(time.perf_counter() - began)
        await asyncio.sleep(0)
    return percentile(costs, 0.5) or 0.0


async def _against_the_clock(load: Load, seconds: float) -> list[Row]:
    before = psutil.Process().memory_info().rss
    watch, answered = worker(load)
    records = frames(load.books)
    watch.on_frame(next(records))
    grown = psutil.Process().memory_info().rss - before
    busy_before, began, late = time.process_time(), time.perf_counter(), []
    for number, record in enumerate(itertools.islice(records, round(seconds * FRAMES_A_SECOND))):
        due = began + number / FRAMES_A_SECOND
        await asyncio.sleep(max(due - time.perf_counter(), 0))
        if number % _FRAMES_PER_LOSS == 0:
            _lose(watch.portfolios, _name(number // _FRAMES_PER_LOSS % load.portfolios))
        watch.on_frame(record)
        late.append((time.perf_counter() - due) * 1_000)
    name = f"drift.worker.{load.name}"
    return [
        Row(f"{name}.memory", grown / 2**20, "MiB"),
        Row(f"{name}.core", (time.process_time() - busy_before) / seconds, "of a core", goal=1.0),
        Row(f"{name}.behind.p50", percentile(late, 0.50), "ms"),
        Row(f"{name}.behind.p99", percentile(late, 0.99), "ms"),
        Row(f"{name}.behind.last", late[-1], "ms"),
        Row(f"{name}.signals", answered.signals / seconds, "a second"),
    ]


def worker(load: Load) -> tuple[Watch, Answered]:
    """Return a worker with its portfolios, each a little off its targets in a way of its own."""
    draw = random.Random(_SEED)  # noqa: S311 - a benchmark's market
    known = market(frame())
    base, policy = state(known, drifted=False, assets=load.assets), portfolio(NoTradeRegion(), load.assets)
    portfolios = Portfolios(lambda document, _version: _named(policy, document))
    answered = Answered(portfolios)
    silent = structlog.wrap_logger(None, wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    watch = Watch(portfolios, answered, Unmetered(), silent, SETTINGS, "bench")
    watch.on_risk(risk())
    for number in range(load.portfolios):
        portfolios.put(Record(_scattered(base, _name(number), draw), "portfolio.state", 0, 0))
    portfolios.complete(0)
    return watch, answered


def _lose(portfolios: Portfolios, name: str) -> None:
    entry = portfolios.get(name)
    assert entry is not None
    first, *others = entry.state.positions
    held = (replace(first, posted=quantise(first.posted * _KEPT)), *others)
    after = replace(entry.state, ledger_version=entry.state.ledger_version + 1, positions=held)
    portfolios.put(Record(after, "portfolio.state", 0, entry.offset + 1))


def frames(books: int) -> Iterator[Record[Frame]]:
    """Yield the market's frames without end; each changes so many books."""
    draw = random.Random(_SEED)  # noqa: S311 - as above
    first = frame()
    quotes = list(first.quotes)
    for number in itertools.count():
        full = number % FRAMES_A_SECOND == 0
        touched = range(len(quotes)) if full else sorted(draw.sample(range(len(quotes)), books))
        for place in touched:
            quotes[place] = _moved(quotes[place], draw.gauss(0, _STEP))
        event_time_us = first.event_time_us + number * 1_000_000 // FRAMES_A_SECOND
        changed = tuple(replace(quotes[place], event_time_us=event_time_us) for place in touched)
        message = replace(
            first,
            sequence=number,
            event_time_us=event_time_us,
            full=full,
            rules=first.rules if full else (),
            quotes=changed,
        )
        yield Record(message, "market.frames", 0, number)


def _moved(quote: FrameQuote, change: float) -> FrameQuote:
    ticks = round(quote.bids[0] * change)
    bids, asks = (tuple(v if i % 2 else v + ticks for i, v in enumerate(side)) for side in (quote.bids, quote.asks))
    return replace(quote, bids=bids, asks=asks)


def _name(number: int) -> str:
    return f"p{number:06}"


def _named(policy: Portfolio, name: str) -> Portfolio:
    return replace(policy, portfolio_id=name)


def _scattered(base: PortfolioState, name: str, draw: random.Random) -> PortfolioState:
    positions = tuple(
        replace(position, posted=position.posted * Decimal(repr(round(draw.uniform(0.97, 1.03), 6))))
        for position in base.positions
    )
    return replace(base, portfolio_id=name, document=name, positions=positions)
