"""Frames in, signals out: every portfolio that a frame touches is decided in that frame's own callback."""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from structlog.typing import FilteringBoundLogger

from trimtab.domain.errors import InvalidValueError, TrimtabError
from trimtab.drift.allocating import Allocating
from trimtab.drift.deciding import Deciding
from trimtab.drift.journal import Journal
from trimtab.drift.portfolios import Entry, Portfolios
from trimtab.messages import Costs, Frame, Risk, Signal, Targets
from trimtab.ports.metrics import Meter
from trimtab.ports.topics import Publisher, Record
from trimtab.settings import DriftSettings

VELOCITY_SAMPLES = 4  # three intervals between full frames
MINUTE_US = 60_000_000


@dataclass(slots=True)
class Watch:
    """A worker that decides: it sends what it decides, notes in the journal on what, and counts."""

    portfolios: Portfolios
    publisher: Publisher
    meter: Meter
    log: FilteringBoundLogger
    settings: DriftSettings
    worker: str
    deciding: Deciding = field(init=False)
    _journal: Journal = field(init=False)
    _allocating: Allocating = field(init=False)
    _sending: dict[asyncio.Task[None], int] = field(default_factory=dict)  # by the frame that was decided on
    _samples: dict[str, deque[tuple[int, float]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.deciding = Deciding(self.portfolios, self.settings)
        self._journal = Journal(self.worker, self.publisher, self.log)
        self._allocating = Allocating(self.portfolios, self.publisher, self.log, self.settings, self.estimates)

    def offset(self) -> int:
        """Return the offset of the newest frame this worker has decided on."""
        return self.deciding.feed.market.offset

    def estimates(self) -> Mapping[str, Record[Risk]]:
        """Return the latest risk estimate of each quote currency."""
        return self.deciding.risks

    def on_risk(self, record: Record[Risk]) -> None:
        """Keep the latest estimate of each quote currency."""
        self.deciding.on_risk(record)

    def on_costs(self, record: Record[Costs]) -> None:
        """Take refit costs; they count from the next full frame on."""
        self.deciding.on_costs(record)

    def latest_costs(self) -> Record[Costs] | None:
        """Return the costs that count."""
        return self.deciding.costs

    def on_targets(self, record: Record[Targets]) -> None:
        """Take computed targets; the next frame is decided with them."""
        self.deciding.on_targets(record)

    def on_frame(self, record: Record[Frame]) -> None:
        """Advance the market and decide on every portfolio it touches."""
        acknowledged = min(self._sending.values(), default=self.offset() + 1) - 1
        try:
            self.deciding.advance(record)
        except InvalidValueError as error:
            self.log.warning("frame refused", offset=record.offset, reason=str(error))
            return
        changed = self.deciding.take_over()
        self._journal.note(record, changed, self.deciding, acknowledged)
        found = self.deciding.look(record.message)
        for reason, number in found.holds.items():
            self.meter.count("decisions_total", number, outcome="hold", reason=reason)
        for portfolio_id, ratio in found.ratios.items():
            self._gauge(portfolio_id, ratio)
        for portfolio_id in (name for name, entry in changed.items() if entry is None):
            self._samples.pop(portfolio_id, None)
        for entry, signal in found.signals:
            self._send(entry, signal)
        if record.message.full:
            self._allocating.look(self.deciding.feed.market)

    async def settled(self) -> None:
        """Wait until everything under way is acknowledged or given up."""
        await self._allocating.settled()
        while self._sending:
            await asyncio.gather(*self._sending)
        await self._journal.settled()

    def _send(self, entry: Entry, signal: Signal) -> None:
        self.meter.count("decisions_total", outcome="signal", reason=signal.reason)
        # The task takes the frame's trace context along; it starts before the loop reads anything new.
        task = asyncio.get_running_loop().create_task(self._emit(entry, signal))
        self._sending[task] = signal.frame_offset
        task.add_done_callback(self._sending.pop)

    async def _emit(self, entry: Entry, signal: Signal) -> None:
        try:
            await self.publisher.publish(signal)
        except TrimtabError as error:
            self.deciding.release(entry)
            self._journal.unsent(signal)
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
        market = self.deciding.feed.market
        samples = self._samples.setdefault(portfolio_id, deque(maxlen=VELOCITY_SAMPLES))
        samples.append((market.event_time_us, ratio))
        (first_us, first), (last_us, last) = samples[0], samples[-1]
        velocity = (last - first) * MINUTE_US / (last_us - first_us) if last_us > first_us else 0.0
        self.meter.set("portfolio_drift_ratio", last, portfolio_id=portfolio_id)
        self.meter.set("drift_velocity", velocity, portfolio_id=portfolio_id)
