"""What a worker knows of the market and its portfolios, and what it decides on each frame; it sends and reads nothing.

A live worker and a replay are the same object fed in the same order.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from trimtab.domain.errors import InvalidValueError
from trimtab.drift.decision import Hold, judge, prepare
from trimtab.drift.portfolios import Entry, Portfolios
from trimtab.drift.reasons import Reason
from trimtab.drift.refit import counts
from trimtab.drift.screen import Screen
from trimtab.frames import Feed, touched
from trimtab.messages import Costs, Frame, Risk, Signal, Targets
from trimtab.ports.topics import Record
from trimtab.settings import DriftSettings


@dataclass(frozen=True, slots=True)
class Looked:
    """What one frame brought.

    Attributes:
        signals: with the portfolio each is of.
        holds: how many portfolios held, by reason.
        ratios: how far the worst asset is towards its bound, by portfolio; of those that were asked, on full frames.

    """

    signals: tuple[tuple[Entry, Signal], ...]
    holds: Counter[Reason]
    ratios: Mapping[str, float]


@dataclass(slots=True)
class Deciding:
    """At most one signal per (portfolio, ledger_version) is made until that signal's deadline has passed by as much
    again without an answer: then it, or the answer, was lost, and a duplicate is harmless.
    """

    portfolios: Portfolios
    settings: DriftSettings
    feed: Feed = field(default_factory=Feed)
    risks: dict[str, Record[Risk]] = field(default_factory=dict)
    costs: Record[Costs] | None = None
    _screen: Screen = field(init=False)

    def __post_init__(self) -> None:
        self._screen = Screen(self.settings)

    def on_risk(self, record: Record[Risk]) -> None:
        """Keep the latest estimate of each quote currency."""
        self.risks[record.message.quote] = record
        self.portfolios.unprepare(record.message.quote)
        self._screen.estimate(record.message)

    def on_costs(self, record: Record[Costs]) -> None:
        """Take refit costs; they count from the next full frame on."""
        if counts(record.message, self.costs.message if self.costs is not None else None):
            self.costs = record

    def on_targets(self, record: Record[Targets]) -> None:
        """Take computed targets; the next frame is decided with them."""
        self.portfolios.aim(record)

    def advance(self, record: Record[Frame]) -> None:
        """Let the market move.

        Raises:
            InvalidValueError: if the frame makes no sense; nothing is traded before the next full one then.

        """
        try:
            self.feed = self.feed.advance(record.message, record.offset, self.costs)
        except InvalidValueError:
            self.feed = self.feed.doubt(record.message)
            raise

    def take_over(self) -> Mapping[str, Entry | None]:
        """Bring the screen up to date; return who came or changed since the last frame, None for who went."""
        found = {portfolio_id: self.portfolios.get(portfolio_id) for portfolio_id in self.portfolios.changes()}
        for portfolio_id, entry in found.items():
            if entry is not None:
                self._screen.put(entry)
            else:
                self._screen.drop(portfolio_id)
        return found

    def look(self, frame: Frame) -> Looked:
        """Decide on every portfolio that the last frame touches; a full one touches all of them."""
        glance = self._screen.look(self.feed.market, None if frame.full else touched(frame))
        signals: list[tuple[Entry, Signal]] = []
        holds, ratios = Counter(glance.holds), dict(glance.ratios)
        for portfolio_id in glance.unsure:
            entry = self.portfolios.get(portfolio_id)
            if entry is None:
                continue
            explain = frame.full and portfolio_id not in ratios
            decision = self._decided(entry, explain=explain)
            if explain:
                bounded = [
                    float(abs(each.effective_drift) / each.half_band) for each in decision.terms if each.half_band
                ]
                ratios[portfolio_id] = max(bounded, default=0.0)
            if isinstance(decision, Hold):
                holds[decision.reason] += 1
            else:
                signals.append((entry, decision))
        return Looked(tuple(signals), holds, ratios)

    def release(self, entry: Entry) -> None:
        """Decide afresh on the next frame: the signal did not get out."""
        entry.signalled_us = None
        self._screen.wake(entry.state.portfolio_id)

    def _decided(self, entry: Entry, *, explain: bool) -> Hold | Signal:
        if entry.subject is None:
            risk = self.risks.get(entry.portfolio.quote)
            entry.subject = prepare(risk, entry.state, entry.portfolio, self.settings)
        decision = judge(self.feed.market, entry.subject, explain=explain)
        if isinstance(decision, Signal):
            lifetime_us = decision.deadline_us - decision.event_time_us
            entry.signalled_us, entry.retry_us = decision.event_time_us, decision.deadline_us + lifetime_us
            self._screen.wake(decision.portfolio_id)
        return decision
