"""The owner of market.frames in the group estimates risk and publishes it on market.risk; it also has costs refit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from structlog.typing import FilteringBoundLogger

from trimtab.domain.errors import InvalidValueError
from trimtab.drift.estimator import Estimator, currencies
from trimtab.drift.refitting import Refitting
from trimtab.frames import Feed
from trimtab.messages import Frame, Risk
from trimtab.ports.topics import Publisher, Record
from trimtab.settings import DriftSettings

# Further behind than this, old frames are passed over: an estimate for now is worth more than a late one.
BACKLOG_FRAMES_MAX = 20_000


@dataclass(slots=True)
class Estimating:
    """One estimator per quote currency, rebuilt at each takeover from the last published estimates.

    `latest` gives those; `newest` the offset of the newest frame this worker has seen elsewhere.
    """

    publisher: Publisher
    log: FilteringBoundLogger
    settings: DriftSettings
    latest: Callable[[], Mapping[str, Record[Risk]]]
    newest: Callable[[], int]
    refitting: Refitting
    _feed: Feed = field(default_factory=Feed)
    _estimators: dict[str, Estimator] = field(default_factory=dict)
    _after: dict[str, int] = field(default_factory=dict)

    def take(self) -> None:
        """Forget everything: the next frame begins with what was published last."""
        self._feed = Feed()
        self._estimators.clear()
        self._after.clear()

    def skip_to(self, offset: int) -> int | None:
        """Return where to go on if this frame is too old to matter, else None."""
        recent = self.newest() - BACKLOG_FRAMES_MAX
        return recent if offset < recent else None

    async def on_frame(self, record: Record[Frame]) -> None:
        """Take one more frame; publish the estimates that are due."""
        if record.offset <= self._feed.market.offset:
            return
        try:
            self._feed = self._feed.advance(record.message, record.offset)
        except InvalidValueError:
            self._feed = self._feed.doubt(record.message)  # whoever decides on the frame has said so already
            return
        market = self._feed.market
        if record.message.full:
            self.refitting.look(market)
        for quote in currencies(market):
            estimator = self._estimators.get(quote) or self._start(quote)
            if record.offset <= self._after.get(quote, -1):
                continue  # it is part of the estimate this one goes on from
            found = estimator.observe(market)
            if found is not None:
                await self.publisher.publish(found)

    def _start(self, quote: str) -> Estimator:
        estimator = self._estimators[quote] = Estimator(quote, self.settings)
        known = self.latest().get(quote)
        if known is not None:
            estimator.resume(known.message)
            self._after[quote] = known.message.frame_offset
        self.log.info("estimating", quote=quote, resumed=known is not None)
        return estimator
