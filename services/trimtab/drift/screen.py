"""All of a worker's portfolios at one frame: who certainly holds is counted, everybody else is looked at exactly."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from trimtab.domain.market import Market
from trimtab.drift.cohort import Cohort, Glance
from trimtab.drift.portfolios import Entry
from trimtab.drift.reasons import Reason
from trimtab.messages import Risk
from trimtab.settings import DriftSettings


@dataclass(slots=True)
class Screen:
    """Portfolios in cohorts by venue and quote currency; one that spans venues is always looked at exactly."""

    settings: DriftSettings
    _risks: dict[str, Risk] = field(default_factory=dict)
    _cohorts: dict[tuple[str, str], Cohort] = field(default_factory=dict)
    _homes: dict[str, Cohort] = field(default_factory=dict)
    _singles: dict[str, Entry] = field(default_factory=dict)

    def put(self, entry: Entry) -> None:
        """Take a portfolio, or its newer state, which may have brought it to another venue."""
        name, home = entry.state.portfolio_id, self._home(entry)
        if self._homes.get(name) is not home:
            self.drop(name)
        if home is None:
            self._singles[name] = entry
        else:
            self._homes[name] = home
            home.put(entry)

    def drop(self, portfolio_id: str) -> None:
        """Let a portfolio go, if it is here."""
        self._singles.pop(portfolio_id, None)
        home = self._homes.pop(portfolio_id, None)
        if home is not None:
            home.drop(portfolio_id)

    def wake(self, portfolio_id: str) -> None:
        """Say that a portfolio has signalled, or could not."""
        if portfolio_id in self._homes:
            self._homes[portfolio_id].wake(portfolio_id)

    def estimate(self, risk: Risk) -> None:
        """Work with a newer estimate in its quote currency."""
        self._risks[risk.quote] = risk
        for (_, quote), cohort in self._cohorts.items():
            if quote == risk.quote:
                cohort.estimate(self._usable(quote))

    def look(self, market: Market, touched: Collection[str] | None) -> Glance:
        """Look at every portfolio that these instruments concern; None is all, and brings ratios too."""
        holds: Counter[Reason] = Counter()
        ratios: dict[str, float] = {}
        unsure = [
            name
            for name, entry in self._singles.items()
            if (touched is None or not entry.instruments.isdisjoint(touched)) and not entry.waits(market.event_time_us)
        ]
        for cohort in self._cohorts.values():
            glance = cohort.look(market, touched)
            holds.update(glance.holds)
            unsure += glance.unsure
            ratios |= glance.ratios
        return Glance(holds, tuple(sorted(unsure)), ratios)

    def _home(self, entry: Entry) -> Cohort | None:
        venues = {position.venue for position in entry.state.positions}
        if len(venues) != 1:
            return None
        place = venues.pop(), entry.portfolio.quote
        if place not in self._cohorts:
            self._cohorts[place] = Cohort(*place, self.settings)
            self._cohorts[place].estimate(self._usable(entry.portfolio.quote))
        return self._cohorts[place]

    def _usable(self, quote: str) -> Risk | None:
        risk = self._risks.get(quote)
        return risk if risk is not None and risk.observations >= self.settings.risk_observations_min else None
