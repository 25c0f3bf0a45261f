"""A decision in rows that a person can read: term, value, unit, meaning."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from trimtab.domain.amounts import CONTEXT, plain, quantise
from trimtab.domain.portfolio import CostAdjusted, Policy, Portfolio, Scheduled, VolatilityThreshold
from trimtab.drift.decision import Decision, Hold
from trimtab.drift.reasons import MEANINGS, Reason
from trimtab.drift.tolerance import base
from trimtab.drift.volatility import Volatility, volatilities
from trimtab.messages import Risk, Term
from trimtab.schedule import last_us, next_us


@dataclass(frozen=True, slots=True)
class Row:
    """One number of a decision. `term` is the asset and the symbol of decision theory, "BTC x"."""

    term: str
    value: str
    unit: str
    meaning: str


_TERMS: tuple[tuple[str, str, str, str], ...] = (
    ("w", "weight", "of equity", "what it is of the portfolio now"),
    ("w*", "target", "of equity", "what it should be"),
    ("x", "drift", "of equity", "weight minus target"),
    ("y", "effective_drift", "of equity", "the drift that matters for risk, given all the others"),
    ("h", "half_band", "of equity", "half-width of its band: of y in the no-trade region, of x under other policies"),
    ("e", "cost", "of the trade", "fee, half spread and impact, one way"),
    ("benefit", "benefit", "of the trade", "what correcting it is worth over the horizon"),
    ("T", "horizon_years", "years", "how long such a drift is taken to last"),
    ("dx", "velocity", "of equity", "what prices have added to x over the last three sampled intervals"),
)
_PARAMETERS: Mapping[str, tuple[str, str]] = {
    "risk_aversion": ("", "g: how much an expected return has to grow with variance"),
    "max_deviation": ("of equity", "hard outer bound on x"),
    "cron": ("UTC", "minute, hour, day of month, month, day of week at which it is due"),
    "window_seconds": ("seconds", "how long it stays due"),
    "absolute": ("of equity", "bound on x"),
    "relative": ("of the target", "bound on x"),
    "scale_min": ("of the bound", "what a calm market narrows a bound to at most"),
    "scale_max": ("of the bound", "what a wild market widens a bound to at most"),
    "volatility_factor": ("root of a year", "what a volatility of 1 adds to a bound, as a part of it"),
    "safety_factor": ("of the cost", "how much a correction has to be worth"),
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def explain(decision: Decision, portfolio: Portfolio, risk: Risk | None) -> tuple[Row, ...]:
    """Return the whole decision as rows: verdict, frontier, policy, every asset's terms, trades.

    `portfolio` and `risk` are what was decided on.
    """
    known = volatilities(risk)
    return (
        *_verdict(decision),
        *_policy(portfolio.policy, decision.event_time_us),
        *(
            row
            for term in decision.terms
            for row in (*_asset(term), *_scaling(term, portfolio.policy, known.get(term.asset)))
        ),
        *_trades(decision),
    )


def _verdict(decision: Decision) -> tuple[Row, ...]:
    held = isinstance(decision, Hold)
    rows = [
        Row("decision", "hold" if held else "trade", "", "what to do now"),
        Row("reason", decision.reason, "", MEANINGS[Reason(decision.reason)]),
        Row("policy", decision.policy, "", "the rule that was asked"),
        Row("equity", plain(decision.equity), "quote currency", "all holdings at mid prices, open orders as filled"),
        Row("frame", str(decision.frame_offset), "offset", "the last frame that was looked at"),
        Row("risk", str(decision.risk_offset), "offset", "the risk estimate in use; -1 is none"),
        Row("ledger_version", str(decision.ledger_version), "", "the portfolio's state in use"),
        Row("event_time", str(decision.event_time_us), "us UTC", "time of that frame"),
    ]
    if isinstance(decision, Hold):
        return (
            (*rows, Row("detail", decision.detail, "", "what exactly stands in the way"))
            if decision.detail
            else tuple(rows)
        )
    return (
        *rows,
        Row("urgency", plain(decision.urgency), "0 to 1", "how far past its bound the worst asset is, or soon will be"),
        Row("deadline", str(decision.deadline_us), "us UTC", "what is unfilled then is cancelled and decided afresh"),
    )


def _policy(policy: Policy, event_time_us: int) -> Iterator[Row]:
    """Yield what the portfolio's file says of the policy, and the times of its calendar."""
    for name, value in asdict(policy).items():
        if value is not None:
            yield Row(name, plain(value) if isinstance(value, Decimal) else str(value), *_PARAMETERS[name])
    if isinstance(policy, Scheduled):
        yield Row("last_due", time_text(last_us(policy.cron, event_time_us)), "UTC", "the calendar's last time")
        yield Row("next_due", time_text(next_us(policy.cron, event_time_us)), "UTC", "the calendar's next time")


def _scaling(term: Term, policy: Policy, known: Volatility | None) -> Iterator[Row]:
    """Yield what a policy with moving bounds makes of an asset's volatility."""
    if not isinstance(policy, VolatilityThreshold | CostAdjusted):
        return
    bound = base(policy, term.target)
    if bound is not None and term.half_band:
        by = quantise(CONTEXT.divide(term.half_band, bound))
        yield Row(f"{term.asset} b", plain(bound), "of equity", "its bound before volatility scales it")
        yield Row(f"{term.asset} scale", plain(by), "of b", "what volatility makes of it: h / b")
    if known is not None:
        yield Row(f"{term.asset} v", plain(known.now), "per root of a year", "its volatility now")
        yield Row(f"{term.asset} V", plain(known.usual), "per root of a year", "its volatility in the long run")


def time_text(time_us: int | None) -> str:
    """Return a time in UTC microseconds as a person reads it; None is never."""
    return (_EPOCH + timedelta(microseconds=time_us)).isoformat() if time_us is not None else "never"


def _asset(term: Term) -> tuple[Row, ...]:
    return tuple(
        Row(f"{term.asset} {symbol}", plain(_value(term, name)), unit, meaning)
        for symbol, name, unit, meaning in _TERMS
    )


def _value(term: Term, name: str) -> Decimal:
    value = getattr(term, name)
    assert isinstance(value, Decimal)
    return value


def _trades(decision: Decision) -> tuple[Row, ...]:
    if isinstance(decision, Hold):
        return ()
    trades = tuple(
        Row(
            f"{trade.side} {trade.instrument}",
            plain(trade.quantity),
            trade.base,
            f"at {trade.account}, decided at {plain(trade.decision_price)}, not past {plain(trade.limit_price)}"
            + (f", waits for {len(trade.depends_on)} sale(s)" if trade.depends_on else ""),
        )
        for trade in decision.trades
    )
    return (
        *trades,
        *(Row(f"{d.asset} deferred", d.reason, "", "why it is not brought all the way") for d in decision.deferred),
    )
