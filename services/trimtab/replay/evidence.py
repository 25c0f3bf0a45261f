"""What the topics keep of a span of frames, as a replay needs it."""

from collections.abc import Mapping
from dataclasses import dataclass

from trimtab.documents import parse_document
from trimtab.drift.decision import NO_RISK_OFFSET
from trimtab.drift.targets import NO_OFFSET, aimed
from trimtab.messages import PortfolioState, Signal
from trimtab.ports.recorded import Recorded
from trimtab.ports.topics import M, Record
from trimtab.replay.basis import Basis
from trimtab.replay.errors import GoneError
from trimtab.replay.extent import Asked, extent
from trimtab.replay.moment import Moments
from trimtab.replay.session import Published, Session
from trimtab.settings import DriftSettings
from trimtab.topics import (
    DRIFT_JOURNAL,
    MARKET_COSTS,
    MARKET_FRAMES,
    MARKET_RISK,
    PORTFOLIO_STATE,
    PORTFOLIO_TARGETS,
    REBALANCE_SIGNALS,
    Topic,
)


@dataclass(slots=True)
class Evidence:
    """`recorded` hands out the frames of the session while `beside` reads for single decisions; they share nothing."""

    recorded: Recorded
    beside: Recorded
    settings: DriftSettings
    _states: Mapping[tuple[str, int], Record[PortfolioState]] | None = None
    _session: Session | None = None

    def session(self, begin: Asked, end: Asked) -> Session:
        """Return everything that was recorded between two frames, both included.

        Raises:
            UnreachableError: if the broker does not answer, or keeps no full frame.
            GoneError: if a frame of the span is not kept, or there is no frame in it.

        """
        first, last, start = extent(self.beside, begin, end)
        states = [each.record for each in self.beside.whole(PORTFOLIO_STATE)]
        self._states = {(each.message.portfolio_id, each.message.ledger_version): each for each in reversed(states)}
        self._session = Session(
            first,
            last,
            (each.record for each in self.recorded.span(MARKET_FRAMES, start, last + 1)),
            [each.message for each in self.beside.whole(DRIFT_JOURNAL)],
            {(each.partition, each.offset): each for each in states},
            self._by_offset(MARKET_RISK),
            self._by_offset(PORTFOLIO_TARGETS),
            self._by_offset(MARKET_COSTS),
            [Published(each.message, self.encoded(each.message)) for each in self.beside.whole(REBALANCE_SIGNALS)],
        )
        return self._session

    def encoded(self, signal: Signal) -> bytes:
        """Return a signal's bytes as this version of trimtab writes them."""
        return self.beside.encoded(signal)

    def again(self, published: Published) -> Signal | None:
        """Decide a signal again on what it cites; None if that is a hold.

        Raises:
            GoneError: if any of it is not kept.

        """
        session, states, signal = self._session, self._states, published.signal
        assert session is not None, "a session is opened first"
        assert states is not None, "as above"
        name = signal.portfolio_id
        state = _kept(states.get((name, signal.ledger_version)), f"portfolio.state of {name}", signal.ledger_version)
        risk = aim = costs = None
        if signal.risk_offset != NO_RISK_OFFSET:
            risk = _kept(session.risks.get(signal.risk_offset), "market.risk", signal.risk_offset)
        if signal.targets_offset != NO_OFFSET:
            aim = _kept(session.targets.get(signal.targets_offset), "portfolio.targets", signal.targets_offset)
        if signal.costs_offset != NO_OFFSET:
            costs = _kept(session.costs.get(signal.costs_offset), "market.costs", signal.costs_offset)
        moment = Moments(self.beside, lambda _: costs).at(signal.frame_offset)
        written = parse_document(state.message.document, state.message.document_version)
        decision = Basis(moment, state, aimed(written, aim), aim, risk).decide(self.settings)
        return decision if isinstance(decision, Signal) else None

    def _by_offset(self, topic: Topic[M]) -> Mapping[int, Record[M]]:
        return {each.record.offset: each.record for each in self.beside.whole(topic)}


def _kept(record: Record[M] | None, what: str, offset: int) -> Record[M]:
    if record is None:
        raise GoneError(f"{what}: {offset} is cited and not kept")
    return record
