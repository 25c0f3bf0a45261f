"""A decision in rows that a person can read: term, value, unit, meaning."""

from dataclasses import dataclass
from decimal import Decimal

from trimtab.domain.amounts import plain
from trimtab.drift.decision import Decision, Hold
from trimtab.messages import Term


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
    ("h", "half_band", "of equity", "half-width of the band in which trading does not pay"),
    ("e", "cost", "of the trade", "fee, half spread and impact, one way"),
    ("benefit", "benefit", "of the trade", "what correcting it is worth over the horizon"),
    ("T", "horizon_years", "years", "how long such a drift lasts on average"),
)


def explain(decision: Decision) -> tuple[Row, ...]:
    """Return the whole decision as rows: the verdict, the frontier, every asset's terms, the trades."""
    return (*_verdict(decision), *(row for term in decision.terms for row in _asset(term)), *_trades(decision))


def _verdict(decision: Decision) -> tuple[Row, ...]:
    held = isinstance(decision, Hold)
    rows = [
        Row("decision", "hold" if held else "trade", "", "what to do now"),
        Row("reason", decision.reason, "", "the code under which it is counted"),
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
        Row("urgency", plain(decision.urgency), "0 to 1", "how far past its bound the worst asset is"),
        Row("deadline", str(decision.deadline_us), "us UTC", "what is unfilled then is cancelled and decided afresh"),
    )


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
    return tuple(
        Row(
            f"{trade.side} {trade.instrument}",
            plain(trade.quantity),
            trade.base,
            f"at {trade.account}, decided at {plain(trade.decision_price)}, not past {plain(trade.limit_price)}"
            + (f", waits for {len(trade.depends_on)} sale(s)" if trade.depends_on else ""),
        )
        for trade in decision.trades
    )
