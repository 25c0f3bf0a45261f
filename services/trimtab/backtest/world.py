"""A world in one process: a tape's market, drift, the executor, a ledger in memory and an engine for each portfolio."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from trimtab.adapters.memory.clock import VirtualClock
from trimtab.backtest.arrival import Arrival
from trimtab.backtest.deeds import Deeds
from trimtab.backtest.diary import Diary
from trimtab.backtest.entrant import Entrant, Walk
from trimtab.backtest.errors import WorldError
from trimtab.backtest.given import Given
from trimtab.backtest.outcome import Outcome
from trimtab.backtest.score import Scores
from trimtab.backtest.shown import Shown
from trimtab.backtest.terms import LOOKS_MAX, Terms
from trimtab.backtest.trading import Trading
from trimtab.backtest.troubles import strict_log
from trimtab.backtest.witness import Unwitnessed, Witness
from trimtab.backtest.worker import Worker
from trimtab.domain.amounts import floor_to
from trimtab.drift.estimator import Estimator
from trimtab.exchange.market import MarketEvent
from trimtab.ingest.pace import Pace as FramePace
from trimtab.messages import Message, PortfolioState, Signal

_QUIET_US = 43_200_000_000  # a frame at least so often: after a day without one it would not be believed
_LOOK_US = 100_000  # how often the executor looks at what is open, as it does live


OnTime = Callable[[int], None]
"""Told the market's time, moment by moment."""


class World:
    """One run of a tape. Nothing in it knows a wall clock, a random number or the order of a set."""

    def __init__(
        self,
        entrants: Sequence[Entrant],
        shown: Shown,
        terms: Terms,
        walk: Walk | None = None,
        given: Given | None = None,
        witness: Witness | None = None,
    ) -> None:
        log = strict_log()
        quotes = {entrant.name: entrant.quote for entrant in entrants}
        self._entrants = entrants
        self._shown = shown
        self._terms = terms
        self._clock = VirtualClock()
        currencies = sorted({*quotes.values()}) if terms.estimate else []
        own = [Estimator(quote, terms.drift) for quote in currencies]
        estimators, charges = (own, None) if given is None else ([given.estimates], given.charges)
        self._worker = Worker(terms.drift, estimators, log, charges)
        parts = shown, terms.fees, self._worker.market, self._clock, log, terms.executor
        self._diaries = {name: Diary() for name in quotes} if terms.diaries else {}
        self._witness = witness or Unwitnessed()
        self._trading = Trading(quotes, *parts, self._on_state, self._diaries, self._heard)
        self._deeds = Deeds(given.deeds if given is not None else (), self._trading)
        self._frames = FramePace(terms.pace.burst_us, terms.pace.burst) if terms.pace.burst else None
        self._waiting: list[tuple[int, Signal]] = []
        self._pairs = sorted({f"{asset}/{each.quote}" for each in entrants for asset in each.weights} - _cash(entrants))
        self._scores = Scores(list(quotes), self._pairs, terms.pace.score_us)
        self._walk = walk
        self._followed: list[tuple[int, str]] = []
        self._walk_due_us = 0
        self._stirred = False  # whether a portfolio's state has changed since the last frame
        self._begun = False

    async def play(self, events: Iterable[MarketEvent], on_time: OnTime) -> list[Outcome]:
        """Let a tape pass, from the first moment at which every symbol has a book to its end.

        Raises:
            WorldError: if a part fails, or ledger and engine do not agree in the end.
        """
        for moment in moments(events, self._terms.pace.frame_us):
            if self._begun:
                await self._pass_time(moment[0].time_us)
            for event in moment:
                await self._arrive(event.time_us)
                self._clock.move(event.time_us)
                self._shown.take(event)
                await self._trading.happen(event)
            if self._due():
                await self._look()
            on_time(self._clock.now_us())
        if not self._begun:
            raise WorldError("the tape ends before every symbol has a book")
        await self._pass_time(self._clock.now_us() + 2 * self._terms.drift.signal_lifetime_seconds * 1_000_000)
        self._score()
        self._trading.require_agreement()
        return [self._outcome(entrant.name) for entrant in self._entrants]

    @property
    def owed(self) -> Mapping[str, Mapping[str, Decimal]]:
        """Return what owners wanted out and never was there, by name and asset."""
        found = {
            name: {asset: amount for asset, amount in rows.items() if amount} for name, rows in self._deeds.owed.items()
        }
        return {name: rows for name, rows in sorted(found.items()) if rows}

    @property
    def moved(self) -> Mapping[str, Sequence[Arrival]]:
        """Return what owners really brought and took out, by name."""
        return self._deeds.moved

    def _due(self) -> bool:
        """Whether what has happened is to be looked at now."""
        if not (self._begun or self._shown.complete):
            return False
        return self._frames is None or (self._shown.changed and not self._frames.wait_us(self._now()))

    async def _arrive(self, until_us: int) -> None:
        """Let signals that are due before this time reach the executor when they are due."""
        while self._waiting and self._waiting[0][0] < until_us:
            due_us = self._waiting[0][0]
            self._clock.move(due_us)
            await self._trading.step(self._arrived(), self._terms.pace.looks)

    def _arrived(self) -> list[Signal]:
        """Return the signals that are due by now; they wait no longer."""
        found = [signal for due_us, signal in self._waiting if due_us <= self._now()]
        self._waiting = [each for each in self._waiting if each[0] > self._now()]
        return found

    async def _look(self) -> None:
        """Look at the market as it is after a moment of the tape."""
        if not self._begun:
            for entrant in self._entrants:
                await self._trading.open(entrant.name, entrant.document, self._deposits(entrant))
            self._begun = True
            self._walk_due_us = self._now() + self._walk.every_us if self._walk is not None else 0
        await self._deeds.do(self._now())
        due = self._scores.due(self._now())
        if due:
            self._score()
            await self._walk_on()
        await self._step(self._terms.pace.looks)
        if due:
            self._note(self._diaries)

    async def _walk_on(self) -> None:
        """Change to the document that did best, as far as the tape has been read: nobody knows any more of it yet."""
        walk = self._walk
        if walk is None or self._now() < self._walk_due_us:
            return
        self._walk_due_us += walk.every_us
        best = min(walk.documents, key=self._scores.cost_so_far)
        if not self._followed or self._followed[-1][1] != best:
            self._followed.append((self._now(), best))
            await self._trading.apply(walk.name, walk.documents[best])

    async def _pass_time(self, until_us: int) -> None:
        """Let time pass in which the market says nothing; open orders are worked meanwhile."""
        pace = self._terms.pace
        if self._frames is not None and self._shown.changed:
            due_us = self._now() + self._frames.wait_us(self._now())
            if due_us < until_us:
                await self._arrive(due_us)
                self._clock.move(due_us)
                await self._look()
        while (self._stirred or self._waiting or self._trading.busy) and self._now() + pace.beat_us < until_us:
            await self._arrive(self._now() + pace.beat_us)
            self._clock.move(self._now() + pace.beat_us)
            if pace.stands:
                for event in self._shown.stand(self._now()):
                    await self._trading.happen(event)
            await self._step(max(1, min(pace.beat_us // _LOOK_US, LOOKS_MAX)))
        while until_us - self._now() > _QUIET_US:
            self._clock.move(self._now() + _QUIET_US)
            await self._step(1)

    async def _step(self, looks: int) -> None:
        """One frame: decided on, what was decided taken in, what is open worked."""
        now_us, self._stirred = self._now(), False
        if self._frames is not None:
            self._frames.spend(now_us)
        for signal in await self._worker.on_frame(self._shown.frame(now_us)):
            self._waiting.append((now_us + self._terms.pace.latency_us, signal))
            self._note([signal.portfolio_id])
            self._witness.decided(signal, now_us)
        self._witness.looked(self._worker, now_us)
        await self._trading.step(self._arrived(), looks)

    def _heard(self, message: Message) -> None:
        self._witness.heard(message, self._now())

    def _note(self, names: Iterable[str]) -> None:
        """Write into diaries how far portfolios have drifted: in the terms of the first one's policy."""
        for name in names:
            if diary := self._diaries.get(name):
                diary.look(self._now(), self._worker.terms(name, self._entrants[0].name))

    def _on_state(self, state: PortfolioState) -> None:
        self._stirred = True
        self._worker.on_state(state)
        quote = next(each.quote for each in self._entrants if each.name == state.portfolio_id)
        held = {f"{row.asset}/{quote}": float(row.posted) for row in state.positions}
        targets = {f"{asset}/{quote}": weight for asset, weight in self._worker.targets(state.portfolio_id)}
        self._scores.hold(state.portfolio_id, held, held.get(f"{quote}/{quote}", 0.0), targets)

    def _deposits(self, entrant: Entrant) -> dict[str, Decimal]:
        """Return what an entrant begins with: whole steps of its assets at their mids, the rest as cash."""
        if entrant.holdings is not None:
            return {asset: quantity for asset, quantity in entrant.holdings.items() if quantity}
        equity, found = self._terms.equity, dict[str, Decimal]()
        cash = equity
        for asset, weight in sorted(entrant.weights.items()):
            pair = f"{asset}/{entrant.quote}"
            mid = self._shown.mid_of(pair)
            if asset == entrant.quote or mid is None:
                continue
            quantity = floor_to(equity * weight / mid, self._shown.step_of(pair))
            cash -= quantity * mid
            if quantity:
                found[asset] = quantity
        return {**found, entrant.quote: cash} if cash else found

    def _score(self) -> None:
        prices = [float(self._shown.mid_of(pair) or 0) for pair in self._pairs]
        paid = [float(self._trading.bills[entrant.name].paid) for entrant in self._entrants]
        self._scores.look(self._clock.now_us(), prices, paid)

    def _outcome(self, name: str) -> Outcome:
        followed = tuple(self._followed) if self._walk is not None and self._walk.name == name else ()
        found = self._trading.bills[name], self._scores.score(name), self._trading.holdings(name)
        return Outcome(name, *found, followed, self._diaries.get(name))

    def _now(self) -> int:
        return self._clock.now_us()


def moments(events: Iterable[MarketEvent], frame_us: int) -> Iterator[list[MarketEvent]]:
    """Yield events in batches: those of less than `frame_us` after the first of them, and never an empty one."""
    batch: list[MarketEvent] = []
    for event in events:
        if batch and event.time_us - batch[0].time_us >= frame_us:
            yield batch
            batch = []
        batch.append(event)
    if batch:
        yield batch


def _cash(entrants: Iterable[Entrant]) -> set[str]:
    return {f"{each.quote}/{each.quote}" for each in entrants}
