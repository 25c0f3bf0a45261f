"""How often a portfolio held, and for which reason: every full frame of a span is decided again from the topics.

Drift counts its holds by reason for all of a worker's portfolios together; of one portfolio only its signals are
recorded. What is shown here is therefore what the topics say it decided, see `trimtab.replay.basis`.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from typing import Any

from trimtab.ports.recorded import Recorded
from trimtab.replay.basis import Past
from trimtab.replay.charges import Charges
from trimtab.replay.errors import GoneError
from trimtab.replay.moment import Moment, Moments
from trimtab.replay.tally import Outcome, Tally
from trimtab.settings import DriftSettings
from trimtab.topics import MARKET_FRAMES, REBALANCE_SIGNALS

OnFrame = Callable[[int], None]
Bar = Callable[[int, int], AbstractContextManager[OnFrame]]
"""Show how far the frames between two offsets are read."""


def _unseen(_first: int, _last: int) -> AbstractContextManager[OnFrame]:
    return nullcontext(lambda _: None)


# No signal waits longer for its answer.
_SIGNALS_BEFORE_MS = 2 * 86_400_000


@dataclass(frozen=True, slots=True)
class Holds:
    """What came of the full frames from `first` to `last`; `signals` were published in between, on any frame."""

    first: Moment
    last: Moment
    frames: int
    signals: int
    outcomes: tuple[Outcome, ...]

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "from": _place(self.first),
            "to": _place(self.last),
            "full_frames": self.frames,
            "signals": self.signals,
            "outcomes": [asdict(each) for each in self.outcomes],
        }


def counted(
    recorded: Recorded,
    settings: DriftSettings,
    past: Past,
    portfolio_id: str,
    end: Moment,
    span_us: int,
    bar: Bar = _unseen,
) -> Holds:
    """Decide at every full frame of the span of event time that ends with a frame.

    Raises:
        GoneError: if there is no full frame in it at which the portfolio was there, or what counted is not kept.

    """
    moments = Moments(recorded, Charges(recorded).at)
    start = moments.offset_at(end.event_time_us - span_us)
    begin = start + 1 if start is not None else recorded.marks(MARKET_FRAMES)[0]
    first = next((each for each in moments.full(begin, end.offset + 1) if not past.unborn(each)), None)
    if first is None:
        raise GoneError(f"{portfolio_id}: no full frame in the span to {end} at which it was there")
    past.read_risks(recorded, first, end)
    since = recorded.history(REBALANCE_SIGNALS, portfolio_id, first.recorded_ms - _SIGNALS_BEFORE_MS).records
    signals = {each.message.signal_id: each.message for each in since}
    tally = Tally(past, tuple(signals.values()), settings)
    with bar(first.offset, end.offset) as on_frame:
        for moment in moments.full(first.offset, end.offset + 1):
            tally.count(moment)
            on_frame(moment.offset)
    published = sum(first.offset <= each.frame_offset <= end.offset for each in signals.values())
    return Holds(first, end, tally.frames, published, tuple(tally.outcomes()))


def _place(moment: Moment) -> dict[str, int]:
    return {"frame": moment.offset, "event_time_us": moment.event_time_us}
