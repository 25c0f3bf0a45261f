"""The tables of figures: values of the JSON document, with how they are shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trimtab.report.text import Shown, money, percent, points, signed_percent, whole


@dataclass(frozen=True, slots=True)
class Cell:
    """A value as the JSON document has it, and as it is shown; `beside` is what it is known to within."""

    value: object
    shown: str
    beside: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One figure of every policy; `unit` and `meaning` are for its head."""

    key: str
    title: str
    unit: str
    meaning: str
    cells: Sequence[Cell]


_LINES: Sequence[tuple[str, str, str, str, Shown]] = (
    ("final_equity", "Final equity", "{quote}", "at the mid prices of the end", money),
    ("max_drawdown", "Largest drawdown", "", "from the highest equity so far", percent),
    ("tracking_error", "Tracking error", "per √year", "against standing on target all the time", percent),
    ("total_cost_bp", "Risk and cost", "bp/year", "what drifting risked and what trading cost", points),
    ("risk_cost_bp", "of it risk", "bp/year", "of drifting, at a risk aversion of 3", points),
    ("trading_cost_bp", "of it cost", "bp/year", "fees, spread and impact", points),
    ("turnover", "Turnover", "× equity", "what was traded over mean equity", points),
    ("signals", "Signals", "", "accepted", whole),
    ("orders", "Orders", "", "trades of the signals", whole),
    ("fills", "Fills", "", "executions", whole),
    ("fees", "Fees", "{quote}", "to the venue", money),
    ("spread_cost", "Spread", "{quote}", "from mid to best price; a maker earns it", money),
    ("impact_cost", "Impact", "{quote}", "from the best price to the price got", money),
    ("delay_cost", "Delay", "{quote}", "what the mid moved from decision to fill; may be a gain", money),
    ("opportunity_cost", "Opportunity", "{quote}", "what the mid moved for what was left unfilled", money),
)


def figure_lines(policies: Mapping[str, Mapping[str, Any]], quote: str) -> list[Line]:
    """Return a line a figure, a cell a policy, in the document's order."""
    found = []
    for key, title, unit, meaning, shown in _LINES:
        cells = [
            Cell(each[key], shown(each[key]), _interval(each.get(f"{key}_95"), points)) for each in policies.values()
        ]
        found.append(Line(key, title, unit.format(quote=quote), meaning, cells))
    return found


def yearly_lines(policies: Mapping[str, Mapping[str, Any]]) -> list[Line]:
    """Return a line a calendar year with what equity gained in it."""
    years = sorted({year for each in policies.values() for year in each["yearly_returns"]})
    return [
        Line(year, year, "", "", [_year(each["yearly_returns"].get(year)) for each in policies.values()])
        for year in years
    ]


def rival_lines(policies: Mapping[str, Mapping[str, Any]]) -> list[Line]:
    """Return, if the run has them, the first policy's risk and cost less each other's, with their intervals."""
    (name, first), *others = policies.items()
    found = []
    for other, figures in others:
        ends = first.get("more_than_bp_95", {}).get(other)
        if ends is not None:
            gap = first["total_cost_bp"] - figures["total_cost_bp"]
            verdict = "less" if ends[1] < 0 else "more" if ends[0] > 0 else "not told apart"
            cells = [Cell(gap, points(gap)), Cell(ends, _interval(ends, points)), Cell(verdict, verdict)]
            found.append(Line(other, f"{name} against {other}", "bp/year", "", cells))
    return found


def outside_lines(outside: Sequence[Mapping[str, float]]) -> list[Line]:
    """Return by asset the part of the time that it was past its band, a cell a policy."""
    assets = list(dict.fromkeys(asset for each in outside for asset in each if asset != "any"))
    rows = [*((asset, asset) for asset in assets), *([("any", "At least one")] if assets else [])]
    return [Line(key, title, "", "", [_part(each.get(key)) for each in outside]) for key, title in rows]


def _year(value: float | None) -> Cell:
    return Cell(None, "–") if value is None else Cell(value, signed_percent(value))


def _part(value: float | None) -> Cell:
    return Cell(None, "–") if value is None else Cell(value, percent(value))


def _interval(ends: Sequence[float] | None, shown: Shown) -> str:
    return f"{shown(ends[0])} to {shown(ends[1])}" if ends else ""
