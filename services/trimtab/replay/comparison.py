"""A published signal beside what comes out when it is decided again on the inputs it cites."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from trimtab.domain.amounts import plain
from trimtab.drift.decision import Decision, Hold
from trimtab.drift.explanation import Row
from trimtab.messages import Signal
from trimtab.ports.recorded import Recorded, Stamped
from trimtab.replay.errors import GoneError
from trimtab.replay.moment import Moment
from trimtab.topics import REBALANCE_SIGNALS

# How far the clocks of two writers may be apart for a frame's signals to be found.
_SKEW_MS_MAX = 60_000


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of a signal, as it was published and as it comes out again; None where there is no such field."""

    field: str
    published: str | None
    recomputed: str | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """`equal` is of the bytes, as this version of trimtab writes them; `same_bytes` of those on the topic.

    They are not the same where an older schema was written.
    """

    signal_id: str
    equal: bool
    same_bytes: bool
    differences: tuple[Difference, ...]

    def rows(self) -> Iterator[Row]:
        """Yield it in rows that a person can read."""
        yield Row("signal", self.signal_id, "", "what was published on rebalance.signals at this frame")
        how = "equal, byte for byte" if self.same_bytes else "equal; it was written with another schema"
        meaning = "the signal decided again on the frame, risk, costs, state and targets that it cites"
        yield Row("recomputed", how if self.equal else "not equal", "", meaning)
        for each in self.differences:
            value = f"published {each.published}, now {each.recomputed}"
            yield Row(f"differs: {each.field}", value, "", "other settings of drift, or another version, decided then")


def compared(recorded: Recorded, published: Stamped[Signal], decision: Decision) -> Comparison:
    """Hold a published signal against what was decided again."""
    signal = published.message
    if isinstance(decision, Hold):
        held = Difference("decision", "trade", f"hold: {decision.reason}")
        return Comparison(signal.signal_id, equal=False, same_bytes=False, differences=(held,))
    found = recorded.encoded(decision)
    equal = found == recorded.encoded(signal)
    differences = () if equal else tuple(_differences("", asdict(signal), asdict(decision)))
    return Comparison(signal.signal_id, equal, equal and found == published.value, differences)


def published_signal(recorded: Recorded, portfolio_id: str, signal_id: str) -> Stamped[Signal]:
    """Return a portfolio's signal.

    Raises:
        GoneError: if it is not on the topic.

    """
    found = recorded.history(REBALANCE_SIGNALS, portfolio_id).records
    for each in found:
        if each.message.signal_id == signal_id:
            return each
    kept = f"of {portfolio_id} it has {len(found)}" + (f", the last is {found[-1].message.signal_id}" if found else "")
    raise GoneError(f"signal {signal_id}: not on rebalance.signals; {kept}")


def signals_at(recorded: Recorded, portfolio_id: str, moment: Moment) -> list[Stamped[Signal]]:
    """Return the signals that were published of a portfolio at a frame, each once; mostly none, rarely several."""
    since = recorded.history(REBALANCE_SIGNALS, portfolio_id, moment.recorded_ms - _SKEW_MS_MAX).records
    found = {each.message.signal_id: each for each in since if each.message.frame_offset == moment.offset}
    return list(found.values())


def _differences(path: str, published: Any, recomputed: Any) -> Iterator[Difference]:
    if isinstance(published, Mapping) and isinstance(recomputed, Mapping):
        for name in published:
            yield from _differences(f"{path}.{name}" if path else name, published[name], recomputed[name])
    elif isinstance(published, tuple | list) and isinstance(recomputed, tuple | list):
        for number in range(max(len(published), len(recomputed))):
            one = published[number] if number < len(published) else None
            other = recomputed[number] if number < len(recomputed) else None
            yield from _differences(f"{path}[{number}]", one, other)
    elif published != recomputed:
        yield Difference(path, _text(published), _text(recomputed))


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return plain(value) if isinstance(value, Decimal) else str(value)
