"""Full frames decided again, one after another, and counted by what came of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from trimtab.domain.amounts import CONTEXT, quantise
from trimtab.drift.decision import Hold, Subject, judge, prepare
from trimtab.drift.reasons import MEANINGS, Reason
from trimtab.messages import Signal
from trimtab.replay.basis import Basis, Past
from trimtab.replay.moment import Moment
from trimtab.settings import DriftSettings

SIGNAL, HOLD, WAIT, TRADE = "signal", "hold", "wait", "trade"
_SHARE = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of full frames: `signal` was published, `hold`, `wait` for the answer to one, or `trade` unpublished.

    `share` is of all frames counted; `last_frame` is the newest of them, to be explained by itself.
    """

    outcome: str
    reason: str
    frames: int
    share: Decimal
    last_frame: int
    meaning: str


@dataclass(slots=True)
class Tally:
    """Counts what was decided at moments that come in their order. `signals` are those that were published."""

    past: Past
    signals: Sequence[Signal]
    settings: DriftSettings
    _found: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    _subject: Subject | None = None
    _basis: Basis | None = None

    def count(self, moment: Moment) -> None:
        """Decide at this moment and count it.

        Raises:
            GoneError: if what counted then is not kept.

        """
        self._found.setdefault(self._decided(self.past.as_of(moment)), []).append(moment.offset)

    @property
    def frames(self) -> int:
        """How many full frames were counted."""
        return sum(map(len, self._found.values()))

    def outcomes(self) -> list[Outcome]:
        """Return what came of the frames, the most frequent first."""
        ordered = sorted(self._found.items(), key=lambda item: (-len(item[1]), item[0]))
        return [
            Outcome(outcome, reason, len(offsets), self._share(len(offsets)), offsets[-1], _meaning(outcome, reason))
            for (outcome, reason), offsets in ordered
        ]

    def _share(self, frames: int) -> Decimal:
        return quantise(CONTEXT.divide(Decimal(frames), Decimal(self.frames))).quantize(_SHARE)

    def _decided(self, basis: Basis) -> tuple[str, str]:
        moment, version = basis.moment, basis.state.message.ledger_version
        for signal in self.signals:
            if signal.frame_offset == moment.offset:
                return SIGNAL, signal.reason
            if signal.ledger_version == version and _unanswered(signal, moment):
                return WAIT, ""
        decision = judge(moment.market, self._prepared(basis), explain=False)
        return HOLD if isinstance(decision, Hold) else TRADE, str(decision.reason)

    def _prepared(self, basis: Basis) -> Subject:
        """Prepare a portfolio once for as long as nothing but the market changes."""
        known = self._basis
        same = known is not None and (known.state, known.portfolio, known.risk) == (
            basis.state,
            basis.portfolio,
            basis.risk,
        )
        if self._subject is None or not same:
            self._subject = prepare(basis.risk, basis.state.message, basis.portfolio, self.settings)
        self._basis = basis
        return self._subject


def _unanswered(signal: Signal, moment: Moment) -> bool:
    """Tell whether a worker that published this signal still waited for its answer, see `trimtab.drift.watching`."""
    lost_us = signal.deadline_us + (signal.deadline_us - signal.event_time_us)
    return signal.frame_offset < moment.offset and signal.event_time_us <= moment.event_time_us < lost_us


def _meaning(outcome: str, reason: str) -> str:
    if outcome == WAIT:
        return "its signal was published and not answered yet"
    said = MEANINGS[Reason(reason)]
    return said if outcome != TRADE else f"{said}; no signal was published at this frame"
