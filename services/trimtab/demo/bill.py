"""The bill of a demo run, drawn up from the topics, the ledger and the exchange's journal."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from trimtab.adapters.postgres.opening import PublishingLedger
from trimtab.demo.cast import Cast
from trimtab.demo.oracle import judge
from trimtab.demo.summary import PortfolioOutcome, Summary
from trimtab.demo.watch import Watch
from trimtab.domain.amounts import ZERO
from trimtab.drift.decision import decide
from trimtab.drift.reasons import Reason
from trimtab.exchange.journal import read_journal
from trimtab.messages import Signal
from trimtab.replay.parity import Parity
from trimtab.settings import DriftSettings

_FILLS_MAX = 1_000_000
# Reasons to hold that mean: nothing is worth correcting, or nothing is due.
_CALM = frozenset({Reason.WITHIN_BAND, Reason.COST_ABOVE_BENEFIT, Reason.BELOW_MINIMUM_TRADE, Reason.NOT_DUE})


async def draw_up(
    journal: Path,
    cast: Cast,
    watch: Watch,
    ledger: PublishingLedger,
    settings: DriftSettings,
    parity: Parity,
) -> Summary:
    """Hold everything against everything. Call it when the line has come to rest."""
    ledger_trades = []
    for portfolio in cast.portfolios:
        fills = await ledger.reports.fills(portfolio.portfolio_id, 0, _FILLS_MAX)
        ledger_trades += [(fill.account, fill.trade_id) for fill in fills]
    sums: dict[str, dict[str, Decimal]] = {account: await ledger.sums(account) for account in cast.accounts}
    on_topic = [(fill.account, fill.trade_id) for fill in watch.measures.fills]
    verdict = judge(read_journal(journal), ledger_trades, on_topic, sums, watch.measures.asked())
    return Summary(
        measures=watch.measures,
        verdict=verdict,
        parity=parity,
        portfolios=tuple(outcomes(cast, watch, settings)),
        dead_letters=watch.dead_letters(),
    )


def outcomes(cast: Cast, watch: Watch, settings: DriftSettings) -> list[PortfolioOutcome]:
    """Decide once more on what stands at the end, as if nothing were halted: would it hold?"""
    found = []
    for portfolio in cast.portfolios:
        name = portfolio.portfolio_id
        state = watch.measures.states.get(name)
        if state is None:
            found.append(PortfolioOutcome(name, ZERO, ZERO, within_band=False, reason="no state"))
            continue
        free = replace(state, halted=False, not_before_us=0, recent_signals_us=())
        decision = decide(watch.market, watch.risk, free, portfolio, settings)
        reason = decision.reason if isinstance(decision, Signal) else str(decision.reason)
        within = not isinstance(decision, Signal) and decision.reason in _CALM
        drifts = watch.measures.first_drifts.get(name, ZERO), watch.measures.drifts.get(name, ZERO)
        found.append(PortfolioOutcome(name, *drifts, within_band=within, reason=reason))
    return found
