"""A drift worker in a backtest: the live one's deciding part and its estimators, fed frame by frame."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count

from structlog.typing import FilteringBoundLogger

from trimtab.backtest.given import Charges, Estimates
from trimtab.documents import parse_document
from trimtab.domain.market import Market
from trimtab.drift.allocating import Allocating
from trimtab.drift.deciding import Deciding
from trimtab.drift.decision import judge, prepare
from trimtab.drift.portfolios import Portfolios
from trimtab.messages import Frame, Message, PortfolioState, Risk, Signal, Targets, Term
from trimtab.ports.topics import Record
from trimtab.settings import DriftSettings
from trimtab.topics import MARKET_COSTS, MARKET_FRAMES, MARKET_RISK, PORTFOLIO_STATE, PORTFOLIO_TARGETS

_PARTITION = 0


class Worker:
    """Every portfolio of the world is its own. Records get the offsets they would have, each topic counted from 0.

    What is estimated counts from the next frame on, as it would if it came by a topic; with `charges`, so do refit
    costs, from the next full one on.
    """

    def __init__(
        self,
        settings: DriftSettings,
        estimators: Sequence[Estimates],
        log: FilteringBoundLogger,
        charges: Charges | None = None,
    ) -> None:
        portfolios = Portfolios(parse_document)
        portfolios.complete(_PARTITION)
        self._deciding = Deciding(portfolios, settings)
        self._allocating = Allocating(portfolios, self, log, settings, lambda: self._deciding.risks)
        self._settings = settings
        self._estimators = estimators
        self._charges = charges
        topics = MARKET_FRAMES, MARKET_RISK, MARKET_COSTS, PORTFOLIO_STATE, PORTFOLIO_TARGETS
        self._offsets = {topic: count() for topic in topics}

    def market(self) -> Market:
        """Return the market as of the last frame."""
        return self._deciding.feed.market

    def targets(self, portfolio_id: str) -> tuple[tuple[str, float], ...]:
        """Return the target weights that count, by asset; none while they are not worked out."""
        entry = self._deciding.portfolios.get(portfolio_id)
        return () if entry is None else tuple((asset, float(weight)) for asset, weight in entry.portfolio.targets)

    def basis(self, portfolio_id: str) -> tuple[Record[Risk] | None, PortfolioState] | None:
        """Return the estimate and the state that a portfolio is decided on now; None while it has no state."""
        entry = self._deciding.portfolios.get(portfolio_id)
        return None if entry is None else (self._deciding.risks.get(entry.portfolio.quote), entry.state)

    def terms(self, portfolio_id: str, ruler_id: str) -> tuple[Term, ...]:
        """Return how far a portfolio has drifted on the last frame, in the terms of another one's policy.

        Nothing is decided by it. There are no terms while the policy lacks an estimate, or there are no targets.
        """
        entry, ruler = (self._deciding.portfolios.get(name) for name in (portfolio_id, ruler_id))
        if entry is None or ruler is None:
            return ()
        portfolio = replace(entry.portfolio, policy=ruler.portfolio.policy)
        subject = prepare(self._deciding.risks.get(portfolio.quote), entry.state, portfolio, self._settings)
        return judge(self.market(), subject, explain=True).terms

    async def publish(self, message: Message) -> None:
        """Take computed targets, as if from their topic. Implements ports.topics.Publisher for them."""
        assert isinstance(message, Targets), "nothing else is published from here"
        offset = next(self._offsets[PORTFOLIO_TARGETS])
        self._deciding.on_targets(Record(message, PORTFOLIO_TARGETS.name, _PARTITION, offset))

    def on_state(self, state: PortfolioState) -> None:
        """Take a portfolio's new state; the next frame is decided with it."""
        offset = next(self._offsets[PORTFOLIO_STATE])
        self._deciding.portfolios.put(Record(state, PORTFOLIO_STATE.name, _PARTITION, offset))

    async def on_frame(self, frame: Frame) -> list[Signal]:
        """Let the market move and return what is decided on it."""
        record = Record(frame, MARKET_FRAMES.name, _PARTITION, next(self._offsets[MARKET_FRAMES]))
        self._deciding.advance(record)
        self._deciding.take_over()
        signals = [signal for _, signal in self._deciding.look(frame).signals]
        if frame.full:
            self._allocating.look(self.market())
            await self._allocating.settled()
        for estimator in self._estimators:
            found = estimator.observe(self.market())
            if found is not None:
                self._deciding.on_risk(Record(found, MARKET_RISK.name, _PARTITION, next(self._offsets[MARKET_RISK])))
        costs = self._charges.observe(self.market()) if self._charges is not None else None
        if costs is not None:
            self._deciding.on_costs(Record(costs, MARKET_COSTS.name, _PARTITION, next(self._offsets[MARKET_COSTS])))
        return signals
