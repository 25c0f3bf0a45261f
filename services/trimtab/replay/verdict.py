"""A decision, what it stands on, and what was published of it."""

from collections.abc import Iterator
from dataclasses import dataclass

from trimtab.drift.aiming import explain_targets
from trimtab.drift.decision import Decision
from trimtab.drift.explanation import Row, explain, time_text
from trimtab.drift.tariff import explain_costs
from trimtab.messages import Signal
from trimtab.ports.recorded import Recorded, Stamped
from trimtab.replay.basis import Basis, Past, cited
from trimtab.replay.comparison import Comparison, compared, published_signal, signals_at
from trimtab.replay.moment import Moment
from trimtab.settings import DriftSettings

NOW, CITED, AS_OF = "now", "cited", "as_of"
_SOURCES = {
    NOW: "the newest records of every topic",
    CITED: "exactly what the signal cites",
    AS_OF: "the newest of every topic written no later than the frame; a worker may still have had older ones",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`source` says where the basis is from; the comparisons are of the signals published at its frame."""

    source: str
    basis: Basis
    decision: Decision
    rows: tuple[Row, ...]
    comparisons: tuple[Comparison, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether every signal that was published came out equal."""
        return all(each.equal for each in self.comparisons)


def now(recorded: Recorded, settings: DriftSettings, past: Past, moment: Moment) -> Verdict:
    """Decide on the newest frame and whatever is newest of the rest."""
    past.read_risks(recorded, None, None)
    return _verdict(NOW, past.as_of(moment, now=True), settings)


def of_signal(recorded: Recorded, settings: DriftSettings, portfolio_id: str, signal_id: str) -> Verdict:
    """Decide a published signal again.

    Raises:
        GoneError: if it, or what it cites, is not kept.

    """
    return _again(recorded, settings, [published_signal(recorded, portfolio_id, signal_id)])


def as_of(recorded: Recorded, settings: DriftSettings, past: Past, portfolio_id: str, moment: Moment) -> Verdict:
    """Decide at a past frame: on what its signal cites, or else on what the topics had then.

    Raises:
        GoneError: if what counted then is not kept.

    """
    published = signals_at(recorded, portfolio_id, moment)
    if published:
        return _again(recorded, settings, published)
    past.read_risks(recorded, moment, moment)
    return _verdict(AS_OF, past.as_of(moment), settings)


def _again(recorded: Recorded, settings: DriftSettings, published: list[Stamped[Signal]]) -> Verdict:
    """Decide signals of one frame again, and explain the first."""
    found = []
    for each in published:
        basis = cited(recorded, each.message)
        decision = basis.decide(settings)
        found.append((basis, decision, compared(recorded, each, decision)))
    basis, decision, _ = found[0]
    return _verdict(CITED, basis, settings, tuple(comparison for _, _, comparison in found))


def _verdict(source: str, basis: Basis, settings: DriftSettings, comparisons: tuple[Comparison, ...] = ()) -> Verdict:
    decision = basis.decide(settings)
    risk, moment = basis.risk, basis.moment
    assets = {term.asset for term in decision.terms} | {asset for asset, _ in basis.portfolio.targets}
    rows = (
        *explain(decision, basis.portfolio, risk.message if risk is not None else None),
        *explain_costs(moment.market, moment.costs, assets, basis.portfolio.quote, settings),
        *explain_targets(
            basis.portfolio, basis.targets, risk, basis.moment.event_time_us, settings.risk_observations_min
        ),
        *_origin(source, basis),
        *(row for each in comparisons for row in each.rows()),
    )
    return Verdict(source, basis, decision, rows, comparisons)


def _origin(source: str, basis: Basis) -> Iterator[Row]:
    yield Row("basis", source, "", _SOURCES[source])
    yield Row("frame_time", time_text(basis.moment.event_time_us), "UTC", "event time of the frame")
    state = basis.state
    yield Row("state", str(state.offset), "offset", f"of its state in partition {state.partition} of portfolio.state")
