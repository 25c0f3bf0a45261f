"""Frames in, signals out: every portfolio that a frame touches is decided in that frame's own callback."""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from structlog.typing import FilteringBoundLogger

from trimtab.domain.amounts import ZERO
from trimtab.domain.errors import InvalidValueError, TrimtabError
from trimtab.drift.decision import Decision, Hold, judge, prepare
from trimtab.drift.portfolios import Entry, Portfolios
from trimtab.frames import Feed, touched
from trimtab.messages import Frame, Risk, Signal
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
    _sending: set[asyncio.Task[None]] = field(default_factory=set)
    _samples: dict[str, deque[tuple[int, Decimal]]] = field(default_factory=dict)

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

    def on_frame(self, record: Record[Frame]) -> None:
        """Advance the market and decide on every portfolio it touches; a full frame touches all of them."""
        try:
            self.feed = self.feed.advance(record.message, record.offset)
        except InvalidValueError as error:
            self.feed = self.feed.doubt()
            self.log.warning("frame refused", offset=record.offset, reason=str(error))
            return
        full = record.message.full
        for entry in self.portfolios.all() if full else self.portfolios.touched(touched(record.message)):
            if not entry.waits(self.feed.market.event_time_us):
                self._look(entry, explain=full)

    async def settled(self) -> None:
        """Wait until every signal under way is acknowledged or given up."""
        while self._sending:
            await asyncio.gather(*self._sending)

    def _look(self, entry: Entry, *, explain: bool) -> None:
        if entry.subject is None:
            risk = self.risks.get(entry.portfolio.quote)
            entry.subject = prepare(risk, entry.state, entry.portfolio, self.settings)
        decision = judge(self.feed.market, entry.subject, explain=explain)
        if explain:
            self._gauge(decision)
        if isinstance(decision, Hold):
            self.meter.count("decisions_total", outcome="hold", reason=decision.reason)
            return
        self.meter.count("decisions_total", outcome="signal", reason=decision.reason)
        lifetime_us = decision.deadline_us - decision.event_time_us
        entry.signalled_us, entry.retry_us = decision.event_time_us, decision.deadline_us + lifetime_us
        # The task takes the frame's trace context along; it starts before the loop reads anything new.
        task = asyncio.get_running_loop().create_task(self._emit(entry, decision))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _emit(self, entry: Entry, signal: Signal) -> None:
        try:
            await self.publisher.publish(signal)
        except TrimtabError as error:
            entry.signalled_us = None  # decided afresh on the next frame
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

    def _gauge(self, decision: Decision) -> None:
        """Publish how far the worst asset is towards its bound, and how fast that changes, once a full frame."""
        ratios = [abs(term.effective_drift) / term.half_band for term in decision.terms if term.half_band > 0]
        if not ratios:
            return
        samples = self._samples.setdefault(decision.portfolio_id, deque(maxlen=VELOCITY_SAMPLES))
        samples.append((decision.event_time_us, max(ratios)))
        (first_us, first), (last_us, last) = samples[0], samples[-1]
        velocity = (last - first) * MINUTE_US / (last_us - first_us) if last_us > first_us else ZERO
        self.meter.set("portfolio_drift_ratio", float(last), portfolio_id=decision.portfolio_id)
        self.meter.set("drift_velocity", float(velocity), portfolio_id=decision.portfolio_id)
