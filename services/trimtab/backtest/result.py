"""What came of a backtest, as the contract has it: figures of every policy by name. Statistics, not money."""

from collections.abc import Mapping, Sequence
from typing import Any

from trimtab.backtest.confidence import Interval, interval
from trimtab.backtest.field import Contestant
from trimtab.backtest.outcome import Outcome
from trimtab.backtest.run import Run
from trimtab.backtest.score import Score
from trimtab.backtest.tape import Tape
from trimtab.domain.amounts import plain
from trimtab.exchange.tape_file import iso

_DIGITS = 10


def document(run: Run, tape: Tape, field: Sequence[Contestant], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return everything that is known of a run; the same run gives the same bytes."""
    score = outcomes[0].score
    others = {each.name: outcome.score for each, outcome in zip(field, outcomes, strict=True)}
    return {
        "tape": {
            "from": iso(score.times_us[0]),
            "to": iso(score.times_us[-1]),
            "years": _short(score.years),
            "symbols": sorted(tape.instruments),
            "bar_seconds": tape.bar_seconds,
        },
        "equity": plain(run.equity),
        "fees": {"maker": plain(run.fees.maker), "taker": plain(run.fees.taker)} if not run.costless else None,
        "policies": {
            each.name: figures(outcome) | _confidence(outcome.score, others)
            for each, outcome in zip(field, outcomes, strict=True)
        },
        "walk_forward": [
            {"from": iso(time_us), "policy": next(each.name for each in field if each.entrant.name == followed)}
            for outcome in outcomes
            for time_us, followed in outcome.followed
        ],
    }


def figures(outcome: Outcome) -> dict[str, Any]:
    """Return one policy's figures: amounts in quote currency, `_bp` in basis points of equity a year.

    `total_cost_bp` is what drifting risked and what trading cost (fees, spread, impact). Delay and opportunity are
    moves of the market while orders wait: they may be of either sign, and stand beside it.
    """
    bill, score = outcome.bill, outcome.score
    found = {
        "signals": bill.signals,
        "orders": bill.orders,
        "orders_placed": bill.placed,
        "fills": bill.fills,
        "turnover": float(bill.traded) / score.mean_equity if score.mean_equity else 0.0,
        "fees": float(bill.fees),
        "spread_cost": float(bill.spread),
        "impact_cost": float(bill.impact),
        "delay_cost": float(bill.delay),
        "opportunity_cost": float(bill.opportunity),
        "trading_cost_bp": score.trading_cost_bp,
        "risk_cost_bp": score.risk_cost_bp,
        "total_cost_bp": score.total_cost_bp,
        "tracking_error": score.tracking_error,
        "max_drawdown": score.max_drawdown,
        "start_equity": score.start_equity,
        "final_equity": score.final_equity,
        "yearly_returns": _shortened(score.yearly_returns),
        "holdings": {asset: plain(amount) for asset, amount in sorted(outcome.holdings.items())},
    }
    return {name: _short(value) if isinstance(value, float) else value for name, value in found.items()}


def _confidence(score: Score, others: Mapping[str, Score]) -> dict[str, Any]:
    """Return 95 % intervals: of risk and cost, and of how much more that is than every other policy's."""
    against = {name: _ends(interval(score, other)) for name, other in others.items() if other is not score}
    return {"total_cost_bp_95": _ends(interval(score)), "more_than_bp_95": against}


def _ends(found: Interval | None) -> list[float] | None:
    return None if found is None else [_short(found.low), _short(found.high)]


def _shortened(values: Mapping[str, float]) -> dict[str, float]:
    return {name: _short(value) for name, value in values.items()}


def _short(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
