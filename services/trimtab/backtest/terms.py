"""What everybody in a world takes part under."""

from dataclasses import dataclass
from decimal import Decimal

from trimtab.backtest.fees import Fees
from trimtab.settings import DriftSettings, ExecutorSettings

LOOKS_MAX = 5  # at one moment, however long the moment before it lies back: enough to cancel, sell, and buy for it


@dataclass(frozen=True, slots=True)
class Pace:
    """How time passes, in microseconds. A frame tells of what happened within `frame_us`.

    While something is open, and the market says nothing, another look is taken every `beat_us`: with every book
    standing there once more, whatever was taken of it (`stands`), or without news.
    A signal reaches the executor `latency_us` after the frame it was decided on. Equity is looked at every `score_us`.
    With `burst`, a change makes a frame at once, so many in a row, and on average one an interval of `burst_us`: as
    ingest does it. What is open is looked at `looks` times a frame: once where frames are close, as it is live.
    """

    frame_us: int
    beat_us: int
    score_us: int
    stands: bool
    latency_us: int = 0
    burst: int = 0
    burst_us: int = 0
    looks: int = LOOKS_MAX


@dataclass(frozen=True, slots=True)
class Terms:
    """What all take part under: what each begins with (quote currency), fees, the services' settings, the pace.

    Without `estimate` nobody estimates risk, which only rules without it can do without.
    `diaries` are kept for a report.
    """

    equity: Decimal
    fees: Fees
    drift: DriftSettings
    executor: ExecutorSettings
    pace: Pace
    estimate: bool = True
    diaries: bool = False
