"""What one decision stands on: as it is now, as a published signal cites it, or as the topics had it at a past frame.

Of a past frame without a signal nothing says which records a worker had read. It reads them as they come; so what
counts is the newest that was written no later than the frame, by the times stamped on the records, and of risk and
targets none that was made from a later frame. Costs are part of the market: they count from a full frame on.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic

from trimtab.documents import parse_document
from trimtab.domain.portfolio import Portfolio
from trimtab.drift.decision import NO_RISK_OFFSET, Decision, decide
from trimtab.drift.targets import NO_OFFSET, aimed, counts
from trimtab.messages import PortfolioState, Risk, Signal, Targets
from trimtab.ports.recorded import History, Recorded, Stamped
from trimtab.ports.topics import M, Record
from trimtab.replay.charges import cited_costs
from trimtab.replay.errors import GoneError
from trimtab.replay.moment import Moment, Moments
from trimtab.settings import DriftSettings
from trimtab.topics import MARKET_RISK, PORTFOLIO_STATE, PORTFOLIO_TARGETS

_RISKS_FIRST = 100
_WIDER = 10
_ALWAYS = 2**62  # of any time or offset: no bound


@dataclass(frozen=True, slots=True)
class Basis:
    """The inputs of one decision. `portfolio` has the targets that count."""

    moment: Moment
    state: Record[PortfolioState]
    portfolio: Portfolio
    targets: Record[Targets] | None
    risk: Record[Risk] | None

    def decide(self, settings: DriftSettings) -> Decision:
        """Decide on them, as a worker does."""
        return decide(self.moment.market, self.risk, self.state.message, self.portfolio, settings)


class Latest(Generic[M]):
    """Which of some records, in the order of their offsets, counted at moments that are asked for in their order."""

    def __init__(
        self,
        records: Iterable[Stamped[M]],
        *,
        made_from: Callable[[M], int] = lambda _: -1,
        counting: Callable[[M, M | None], bool] = lambda _new, _known: True,
    ) -> None:
        """`made_from` tells the frame a message was made from; `counting` whether one counts after the one before."""
        self._coming = list(reversed(list(records)))
        self._made_from, self._counting = made_from, counting
        self._found: Stamped[M] | None = None

    def at(self, moment: Moment | None) -> Record[M] | None:
        """Return what counted at this moment, or None is now."""
        until_ms, frame = (moment.recorded_ms, moment.offset) if moment is not None else (_ALWAYS, _ALWAYS)
        while self._coming:
            each = self._coming[-1]
            if each.recorded_ms > until_ms or self._made_from(each.message) > frame:
                break
            if self._counting(each.message, self._found.message if self._found is not None else None):
                self._found = each
            self._coming.pop()
        return self._found.record if self._found is not None else None


class Past:
    """One portfolio's inputs as their topics keep them. Moments are asked for in their order."""

    def __init__(self, portfolio_id: str, states: History[PortfolioState], targets: History[Targets]) -> None:
        self._portfolio_id, self._states, self._targets = portfolio_id, states, targets
        self._state = Latest(states.records, counting=_newer)
        self._aim = Latest(targets.records, made_from=_frame_of, counting=counts)
        self._risks: dict[str, Latest[Risk]] = {}
        self._risks_begin = 0

    @property
    def known(self) -> bool:
        """Whether the portfolio was ever published."""
        return bool(self._states.records)

    def unborn(self, moment: Moment) -> bool:
        """Tell whether it was published for the first time after a moment."""
        return not self._states.beheaded and self._states.records[0].recorded_ms > moment.recorded_ms

    def read_risks(self, recorded: Recorded, first: Moment | None, last: Moment | None) -> None:
        """Read the estimates that counted between two moments; None is now."""
        self._risks_begin, _ = recorded.marks(MARKET_RISK)
        for quote in {parse_document(each.document, each.document_version).quote for each in self._documents()}:
            self._risks[quote] = Latest(risks_between(recorded, quote, first, last), made_from=_frame_of)

    def as_of(self, moment: Moment, *, now: bool = False) -> Basis:
        """Return what a worker decided on at a moment, as far as the topics tell; `now` with whatever is newest.

        Raises:
            GoneError: if the portfolio was not there yet, or what counted is compacted away.

        """
        bound = None if now else moment
        state = self._state.at(bound)
        if state is None:
            raise self._missing("portfolio.state", self._states, moment)
        written = parse_document(state.message.document, state.message.document_version)
        targets = self._aim.at(bound) if written.allocation is not None else None
        if written.allocation is not None and targets is None and self._targets.beheaded:
            raise self._missing("portfolio.targets", self._targets, moment)
        risk = self._risks[written.quote].at(bound)
        if risk is None and not now and self._risks_begin > 0:
            raise GoneError(f"market.risk at {moment}: past retention; it begins with offset {self._risks_begin}")
        return Basis(moment, state, aimed(written, targets), targets, risk)

    def _documents(self) -> Iterable[PortfolioState]:
        return {each.message.document_version: each.message for each in self._states.records}.values()

    def _missing(self, topic: str, history: History[M], moment: Moment) -> GoneError:
        where = f"{topic} of {self._portfolio_id} at {moment}"
        if history.beheaded:
            return GoneError(f"{where}: compacted away; what is kept begins at offset {_first(history)}")
        return GoneError(f"{where}: none yet; the first one is at offset {_first(history)}")


def past_of(recorded: Recorded, portfolio_id: str) -> tuple[Past, frozenset[str]]:
    """Return what the topics keep of a portfolio, and which portfolios there are."""
    states = recorded.history(PORTFOLIO_STATE, portfolio_id)
    targets = recorded.history(PORTFOLIO_TARGETS, portfolio_id)
    return Past(portfolio_id, states, targets), states.keys


def cited(recorded: Recorded, signal: Signal) -> Basis:
    """Return exactly what a published signal was decided on.

    Raises:
        GoneError: if any of it is not kept any more.

    """
    name = signal.portfolio_id
    states = recorded.history(PORTFOLIO_STATE, name).records
    state = next((each for each in states if each.message.ledger_version == signal.ledger_version), None)
    if state is None:
        raise GoneError(f"portfolio.state of {name}: ledger version {signal.ledger_version} is compacted away")
    risk = recorded.at(MARKET_RISK, signal.risk_offset) if signal.risk_offset != NO_RISK_OFFSET else None
    if risk is None and signal.risk_offset != NO_RISK_OFFSET:
        low, _ = recorded.marks(MARKET_RISK)
        raise GoneError(f"market.risk: offset {signal.risk_offset} is past retention; the topic begins at {low}")
    targets = recorded.at(PORTFOLIO_TARGETS, signal.targets_offset) if signal.targets_offset != NO_OFFSET else None
    if targets is None and signal.targets_offset != NO_OFFSET:
        raise GoneError(f"portfolio.targets of {name}: offset {signal.targets_offset} is compacted away")
    written = parse_document(state.message.document, state.message.document_version)
    aim = targets.record if targets is not None else None
    estimate = risk.record if risk is not None else None
    costs = cited_costs(recorded, signal.costs_offset)
    moment = Moments(recorded, lambda _: costs).at(signal.frame_offset)
    return Basis(moment, state.record, aimed(written, aim), aim, estimate)


def risks_between(recorded: Recorded, quote: str, first: Moment | None, last: Moment | None) -> Sequence[Stamped[Risk]]:
    """Return a currency's estimates from the one that counted at the first moment on; None is now."""
    low, high = recorded.marks(MARKET_RISK)
    end = high if last is None else recorded.after(MARKET_RISK, last.recorded_ms)
    begin, number = end if first is None else recorded.after(MARKET_RISK, first.recorded_ms), _RISKS_FIRST
    start, found = end, list[Stamped[Risk]]()
    while start > low:
        start, number = max(low, begin - number), number * _WIDER
        found = [each for each in recorded.span(MARKET_RISK, start, end) if each.message.quote == quote]
        if found and Latest(found, made_from=_frame_of).at(first) is not None:
            break
    return found


def _newer(new: PortfolioState, known: PortfolioState | None) -> bool:
    return known is None or new.ledger_version >= known.ledger_version


def _frame_of(made: Risk | Targets) -> int:
    return made.frame_offset


def _first(history: History[M]) -> int:
    return history.records[0].record.offset
