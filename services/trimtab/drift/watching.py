"""Frames in, signals out: every portfolio that a frame touches is decided in that frame's own callback."""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from structlog.typing import FilteringBoundLogger

from trimtab.domain.errors import InvalidValueError, TrimtabError
from trimtab.drift.allocating import Allocating
from trimtab.drift.decision import Hold, judge, prepare
from trimtab.drift.portfolios import Entry, Portfolios
from trimtab.drift.refit import counts
from trimtab.drift.screen import Screen
from trimtab.frames import Feed, touched
from trimtab.messages import Costs, Frame, Risk, Signal, Targets
from trimtab.ports.metrics import Meter
from trimtab.ports.topics import Publisher, Record
from trimtab.settings import DriftSettings

VELOCITY_SAMPLES = 4  # three intervals between full frames
MINUTE_US = 60_000_000


@dataclass(slots=True)
class Watch:
    """What one worker knows, and what it does with each frame.

    At most one signal per (portfolio, ledger_version) leaves it until that signal's deadline has passed by as much
    again without an answer: then it, or the answer, was lost, and a duplicate is harmless.
    """

    portfolios: Portfolios
    publisher: Publisher
    meter: Meter
    log: FilteringBoundLogger
    settings: DriftSettings
    feed: Feed = field(default_factory=Feed)
    risks: dict[str, Record[Risk]] = field(default_factory=dict)
    costs: Record[Costs] | None = None
    _screen: Screen = field(init=False)
    _allocating: Allocating = field(init=False)
    _sending: set[asyncio.Task[None]] = field(default_factory=set)
    _samples: dict[str, deque[tuple[int, float]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._screen = Screen(self.settings)
        self._allocating = Allocating(self.portfolios, self.publisher, self.log, self.settings, self.estimates)

    def offset(self) -> int:
        """Return the offset of the newest frame this worker has decided on."""
        return self.feed.market.offset

    def estimates(self) -> Mapping[str, Record[Risk]]:
        """Return the latest risk estimate of each quote currency."""
        return self.risks

    def on_risk(self, record: Record[Risk]) -> None:
        """Keep the latest estimate of each quote currency."""
        self.risks[record.message.quote] = record
        self.portfolios.unprepare(record.message.quote)
        self._screen.estimate(record.message)

    def on_costs(self, record: Record[Costs]) -> None:
        """Take refit costs; they count from the next full frame on."""
        if counts(record.message, self.costs.message if self.costs is not None else None):
            self.costs = record

    def latest_costs(self) -> Record[Costs] | None:
        """Return the costs that count."""
        return self.costs

    def on_targets(self, record: Record[Targets]) -> None:
        """Take computed targets; the next frame is decided with them."""
        self.portfolios.aim(record)

    def on_frame(self, record: Record[Frame]) -> None:
        """Advance the market and decide on every portfolio it touches; a full frame touches all of them."""
        try:
            self.feed = self.feed.advance(record.message, record.offset, self.costs)
        except InvalidValueError as error:
            self.feed = self.feed.doubt(record.message)
            self.log.warning("frame refused", offset=record.offset, reason=str(error))
            return
        self._take_over()
        full = record.message.full
        glance = self._screen.look(self.feed.market, None if full else touched(record.message))
        for reason, number in glance.holds.items():
            self.meter.count("decisions_total", number, outcome="hold", reason=reason)
        for portfolio_id, ratio in glance.ratios.items():
            self._gauge(portfolio_id, ratio)
        for portfolio_id in glance.unsure:
            entry = self.portfolios.get(portfolio_id)
            if entry is not None:
                self._look(entry, explain=full and portfolio_id not in glance.ratios)
        if full:
            self._allocating.look(self.feed.market)

    async def settled(self) -> None:
        """Wait until everything under way is acknowledged or given up."""
        await self._allocating.settled()
        while self._sending:
            await asyncio.gather(*self._sending)

    def _take_over(self) -> None:
        """Bring the screen up to date with the portfolios."""
        for portfolio_id in self.portfolios.changes():
            entry = self.portfolios.get(portfolio_id)
            if entry is not None:
                self._screen.put(entry)
            else:
                self._screen.drop(portfolio_id)
                self._samples.pop(portfolio_id, None)

    def _look(self, entry: Entry, *, explain: bool) -> None:
        if entry.subject is None:
            risk = self.risks.get(entry.portfolio.quote)
            entry.subject = prepare(risk, entry.state, entry.portfolio, self.settings)
        decision = judge(self.feed.market, entry.subject, explain=explain)
        if explain:
            bounded = [float(abs(term.effective_drift) / term.half_band) for term in decision.terms if term.half_band]
            self._gauge(entry.state.portfolio_id, max(bounded, default=0.0))
        if isinstance(decision, Hold):
            self.meter.count("decisions_total", outcome="hold", reason=decision.reason)
            return
        self.meter.count("decisions_total", outcome="signal", reason=decision.reason)
        lifetime_us = decision.deadline_us - decision.event_time_us
        entry.signalled_us, entry.retry_us = decision.event_time_us, decision.deadline_us + lifetime_us
        self._screen.wake(decision.portfolio_id)
        # The task takes the frame's trace context along; it starts before the loop reads anything new.
        task = asyncio.get_running_loop().create_task(self._emit(entry, decision))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _emit(self, entry: Entry, signal: Signal) -> None:
        try:
            await self.publisher.publish(signal)
        except TrimtabError as error:
            entry.signalled_us = None  # decided afresh on the next frame
            self._screen.wake(signal.portfolio_id)
            self.log.warning("signal not sent", portfolio=signal.portfolio_id, reason=str(error))
        else:
            self.log.info(
                "signal",
                portfolio=signal.portfolio_id,
                signal=signal.signal_id,
                ledger_version=signal.ledger_version,
                reason=signal.reason,
                trades=len(signal.trades),
            )

    def _gauge(self, portfolio_id: str, ratio: float) -> None:
        """Publish how far the worst asset is towards its bound, and how fast that changes, once a full frame."""
        samples = self._samples.setdefault(portfolio_id, deque(maxlen=VELOCITY_SAMPLES))
        samples.append((self.feed.market.event_time_us, ratio))
        (first_us, first), (last_us, last) = samples[0], samples[-1]
        velocity = (last - first) * MINUTE_US / (last_us - first_us) if last_us > first_us else 0.0
        self.meter.set("portfolio_drift_ratio", last, portfolio_id=portfolio_id)
        self.meter.set("drift_velocity", velocity, portfolio_id=portfolio_id)
