"""An answer as JSON has it: the bill, and every difference. Statistics, not money, but for quantities."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from trimtab.backtest.outcome import Outcome
from trimtab.backtest.result import figures
from trimtab.domain.amounts import plain
from trimtab.exchange.tape_file import iso
from trimtab.whatif.differences import ONLY_ONE, ONLY_OTHER, OTHERWISE, SAME, Difference, Sent, compared, sent
from trimtab.whatif.gains import realised
from trimtab.whatif.question import Answer

KINDS = (SAME, OTHERWISE, ONLY_ONE, ONLY_OTHER)
COUNTED = ("signals", "orders", "orders_placed", "fills")
AMOUNTS = ("fees", "spread_cost", "impact_cost", "delay_cost", "opportunity_cost")
_DIGITS = 10
_BASIS_POINTS = 1e4


def bill(answer: Answer, outcome: Outcome) -> dict[str, float]:
    """Return what one side comes to: amounts in quote currency, `_bp` in basis points of equity over the whole span."""
    found, score = figures(outcome), outcome.score
    assert outcome.diary is not None, "diaries are kept of all"
    gain = realised(answer.quote, answer.arrivals[outcome.name], outcome.diary.fills)
    risk, trading = (math.fsum(series) * _BASIS_POINTS for series in (score.risks, score.paid))
    return {
        **{name: found[name] for name in (*COUNTED, "turnover", *AMOUNTS)},
        "trading_bp": _short(trading),
        "risk_bp": _short(risk),
        "total_bp": _short(trading + risk),
        "realised_gain": _short(float(gain)),
        "start_equity": found["start_equity"],
        "final_equity": found["final_equity"],
    }


def document(answer: Answer, tolerance_us: int) -> dict[str, Any]:
    """Return everything that is known; the same question to the same records gives the same bytes."""
    sides = {"recorded": answer.recorded, "engine": answer.engine, "other": answer.other}
    bills = {name: bill(answer, outcome) for name, outcome in sides.items()}
    stretch, first = answer.market.stretch, answer.life.stages[0]
    return {
        "portfolio": first.state.portfolio_id,
        "quote": answer.quote,
        "span": {
            "from": iso(answer.market.start_us),
            "to": iso(answer.market.end_us),
            "first_frame": stretch.first,
            "last_frame": stretch.last,
            "symbols": sorted(answer.market.instruments),
        },
        "holdings": _amounts(first.holdings),
        "fees": _amounts({"maker": answer.charged.maker, "taker": answer.charged.taker}),
        "documents": [
            {"from": iso(max(stage.time_us, answer.market.start_us)), "version": stage.state.document_version}
            for stage in answer.life.editions()
        ],
        "transfers": [{"time": iso(time_us), "funds": _amounts(funds)} for time_us, funds in answer.life.transfers()],
        "left_out": _amounts(answer.left_out),
        "unpriced_fees": _amounts(answer.unpriced),
        "owed": {name: _amounts(amounts) for name, amounts in answer.owed.items()},
        "bill": {**bills, "difference": _less(bills["other"], bills["engine"])},
        "comparisons": {
            "engine": _comparison(answer.recorded, answer.engine, tolerance_us),
            "other": _comparison(answer.engine, answer.other, tolerance_us),
        },
    }


def _less(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    return {name: _short(value - other[name]) for name, value in one.items()}


def _comparison(one: Outcome, other: Outcome, tolerance_us: int) -> dict[str, Any]:
    found = list(compared(_sent(one), _sent(other), tolerance_us))
    counts = {kind: sum(each.kind == kind for each in found) for kind in KINDS}
    return {"against": one.name, **counts, "differences": [_row(each) for each in found if each.kind != SAME]}


def _sent(outcome: Outcome) -> Sequence[Sent]:
    assert outcome.diary is not None, "diaries are kept of all"
    return sent(outcome.diary)


def _row(found: Difference) -> dict[str, Any]:
    sides = {"one": found.one, "other": found.other}
    return {
        "kind": found.kind,
        "time": iso(found.time_us),
        **{name: None if side is None else _signal(side) for name, side in sides.items()},
    }


def _signal(side: Sent) -> dict[str, Any]:
    return {
        "time": iso(side.time_us),
        "signal_id": side.signal_id,
        "reason": side.reason,
        "trades": list(_trades(side)),
    }


def _trades(side: Sent) -> Iterable[dict[str, str]]:
    for (instrument, way), quantity in sorted(side.trades.items()):
        filled = side.filled[instrument, way]
        yield {"instrument": instrument, "side": str(way), "quantity": plain(quantity), "filled": plain(filled)}


def _amounts(amounts: Mapping[str, Any]) -> dict[str, str]:
    return {name: plain(amount) for name, amount in sorted(amounts.items())}


def _short(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
