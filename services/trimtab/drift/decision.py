"""To trade or to hold: one pure function of recorded inputs. No clock, no randomness, no binary floating point."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext

from trimtab.domain.amounts import CONTEXT, ZERO, quantise
from trimtab.domain.ids import derive
from trimtab.domain.market import Market
from trimtab.domain.portfolio import (
    Calendar,
    CostAdjusted,
    Hybrid,
    NoTradeRegion,
    Policy,
    Portfolio,
    Threshold,
    VolatilityThreshold,
)
from trimtab.drift.cost_adjusted import CostAdjustedRule
from trimtab.drift.covariance import Covariance
from trimtab.drift.gates import closed_gate
from trimtab.drift.holdings import Holdings, Unpriced, View, appraise
from trimtab.drift.offers import Places
from trimtab.drift.planner import Coupling, plan
from trimtab.drift.policy import Assessment, Rule
from trimtab.drift.reasons import Reason
from trimtab.drift.region import RegionRule
from trimtab.drift.threshold import ThresholdRule
from trimtab.drift.tolerance import Tolerance
from trimtab.drift.velocity import recent_returns
from trimtab.messages import PortfolioState, Risk, Signal, Term
from trimtab.ports.topics import Record
from trimtab.settings import DriftSettings

NO_RISK_OFFSET = -1
_NAMES: Mapping[type[Policy], str] = {
    NoTradeRegion: "no_trade_region",
    Calendar: "calendar",
    Threshold: "threshold",
    Hybrid: "hybrid",
    VolatilityThreshold: "volatility_threshold",
    CostAdjusted: "cost_adjusted",
}


@dataclass(frozen=True, slots=True)
class Hold:
    """A decision not to trade: why, on which frontier, and every term. `detail` names the instrument or assets."""

    portfolio_id: str
    ledger_version: int
    document_version: int
    frame_offset: int
    risk_offset: int
    event_time_us: int
    policy: str
    reason: Reason
    detail: str
    equity: Decimal
    terms: tuple[Term, ...]
    targets_offset: int = -1
    costs_offset: int = -1


Decision = Signal | Hold


@dataclass(frozen=True, slots=True)
class Subject:
    """A portfolio made ready: everything about it that does not change from frame to frame.

    `rule` is None while there are no targets, or the policy needs a risk estimate that is not there.
    """

    state: PortfolioState
    portfolio: Portfolio
    holdings: Holdings
    rule: Rule | None
    risk_offset: int
    covariance: Covariance
    settings: DriftSettings


def decide(
    market: Market,
    risk: Record[Risk] | None,
    state: PortfolioState,
    portfolio: Portfolio,
    settings: DriftSettings,
) -> Decision:
    """Decide on one portfolio at one frontier; the same inputs give the same bytes, on every machine."""
    return judge(market, prepare(risk, state, portfolio, settings), explain=True)


def prepare(risk: Record[Risk] | None, state: PortfolioState, portfolio: Portfolio, settings: DriftSettings) -> Subject:
    """Work out once what holds until the state, the document or the risk estimate changes."""
    holdings = Holdings.of(state, portfolio)
    usable = risk.message if risk is not None and _usable(risk.message, portfolio, settings) else None
    return Subject(
        state,
        portfolio,
        holdings,
        _rule(portfolio, holdings, usable, settings) if portfolio.targets else None,
        risk.offset if risk is not None else NO_RISK_OFFSET,
        Covariance.of(usable),
        settings,
    )


def judge(market: Market, subject: Subject, *, explain: bool) -> Decision:
    """Decide on a prepared portfolio. Without `explain` a hold carries no terms, which makes it cheap."""
    with localcontext(CONTEXT):
        gate = closed_gate(market, subject.state, subject.portfolio)
        if gate is not None and not explain:
            return _hold(market, subject, gate)
        view = appraise(subject.holdings, market, subject.settings)
        if isinstance(view, Unpriced):
            return _hold(market, subject, gate or view.reason, view.instrument)
        if subject.rule is None:
            return _hold(market, subject, gate or Reason.RISK_MISSING, equity=view.equity)
        if not explain and not subject.rule.breached(view):
            return _hold(market, subject, Reason.WITHIN_BAND, equity=view.equity)
        assessment = subject.rule.assess(view)
        if gate is not None or not assessment.corrections:
            return _hold(market, subject, gate or assessment.reason, "", view.equity, assessment.terms)
        return _propose(market, subject, view, assessment)


def _propose(market: Market, subject: Subject, view: View, assessment: Assessment) -> Decision:
    """Plan the trades; a plan without any is a hold."""
    state, portfolio = subject.state, subject.portfolio
    causes = (state.portfolio_id, state.ledger_version, portfolio.version, market.offset, subject.risk_offset)
    signal_id = derive("signal", *causes, portfolio.targets_offset, market.costs_offset)
    places = Places(subject.holdings, market, portfolio.limits, subject.covariance, subject.settings)
    found = plan(signal_id, view, assessment, _coupling(subject.rule), places)
    if not found.trades:
        detail = ", ".join(f"{deferral.asset}: {deferral.reason}" for deferral in found.deferred)
        reason = Reason(found.deferred[0].reason) if found.deferred else Reason.BELOW_MINIMUM_TRADE
        return _hold(market, subject, reason, detail, view.equity, assessment.terms)
    return Signal(
        signal_id=signal_id,
        portfolio_id=state.portfolio_id,
        ledger_version=state.ledger_version,
        document_version=portfolio.version,
        frame_offset=market.offset,
        risk_offset=subject.risk_offset,
        event_time_us=market.event_time_us,
        deadline_us=market.event_time_us + subject.settings.signal_lifetime_seconds * 1_000_000,
        policy=policy_name(portfolio.policy),
        reason=assessment.reason,
        urgency=assessment.urgency,
        equity=quantise(view.equity),
        trades=found.trades,
        terms=assessment.terms,
        deferred=found.deferred,
        targets_offset=portfolio.targets_offset,
        costs_offset=market.costs_offset,
    )


def _hold(
    market: Market,
    subject: Subject,
    reason: Reason,
    detail: str = "",
    equity: Decimal = ZERO,
    terms: tuple[Term, ...] = (),
) -> Hold:
    return Hold(
        subject.state.portfolio_id,
        subject.state.ledger_version,
        subject.portfolio.version,
        market.offset,
        subject.risk_offset,
        market.event_time_us,
        policy_name(subject.portfolio.policy),
        reason,
        detail,
        quantise(equity),
        terms,
        subject.portfolio.targets_offset,
        market.costs_offset,
    )


def policy_name(policy: Policy) -> str:
    """Return a policy's name as signals and portfolio files have it."""
    return _NAMES[type(policy)]


def _usable(risk: Risk, portfolio: Portfolio, settings: DriftSettings) -> bool:
    return risk.quote == portfolio.quote and risk.observations >= settings.risk_observations_min


def _rule(portfolio: Portfolio, holdings: Holdings, risk: Risk | None, settings: DriftSettings) -> Rule | None:
    match portfolio.policy:
        case NoTradeRegion() as policy:
            return RegionRule.prepare(portfolio, policy, holdings, risk, settings) if risk is not None else None
        case CostAdjusted() as policy:
            return CostAdjustedRule.prepare(portfolio, policy, holdings, risk, settings) if risk is not None else None
        case policy:
            tolerance = Tolerance.of(policy, holdings, risk)
            reason = Reason.CALENDAR_DUE if isinstance(policy, Calendar) else Reason.THRESHOLD_REACHED
            returns = recent_returns(holdings, risk)
            return ThresholdRule(portfolio.quote, tolerance, reason, returns) if tolerance is not None else None


def _coupling(rule: Rule | None) -> Coupling:
    return (
        Coupling(tuple(b.effect for b in rule.bands), rule.policy.max_deviation)
        if isinstance(rule, RegionRule)
        else Coupling()
    )
