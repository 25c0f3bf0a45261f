"""The whole page: what stands in it, and its text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from trimtab.backtest.field import Contestant
from trimtab.backtest.outcome import Outcome
from trimtab.report import drawings
from trimtab.report.chart import DASHES
from trimtab.report.figures import Line, figure_lines, outside_lines, rival_lines, yearly_lines
from trimtab.report.story import Story
from trimtab.report.text import digits, money, percent, points, signed_percent, span, whole
from trimtab.report.trades import Row, Trades, trades_of

DRAWN_MAX = len(DASHES)
ROWS_MAX, OTHER_ROWS_MAX = 1_000, 250


@dataclass(frozen=True, slots=True)
class Page:
    """A report. `document` is the run's JSON; of `stories` the first is the portfolio's own policy.

    Tables have every policy, drawings and trades the first few.
    """

    document: Mapping[str, Any]
    quote: str
    stories: Sequence[Story]

    @property
    def drawn(self) -> Sequence[Story]:
        """The policies of drawings and tables of trades."""
        return self.stories[:DRAWN_MAX]

    def figures(self) -> list[Line]:
        """Return the lines of the table of figures."""
        return figure_lines(self.document["policies"], self.quote)

    def trades(self) -> list[Trades]:
        """Return the tables of trades, one a policy that traded."""
        limits = (ROWS_MAX, *(OTHER_ROWS_MAX for _ in self.drawn[1:]))
        rows = zip(self.drawn, limits, strict=True)
        return [trades_of(each.name, each.deals, self.quote, limit) for each, limit in rows if each.deals]

    def text(self) -> str:
        """Return the page as HTML; names that come from files are text in it, whatever they hold."""
        environment = Environment(
            loader=PackageLoader("trimtab.report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True,
        )  # fmt: skip
        environment.policies["json.dumps_kwargs"] = {"sort_keys": False, "ensure_ascii": False}
        environment.filters |= {"money": money, "percent": percent, "points": points, "whole": whole}
        environment.filters |= {"signed": signed_percent, "number": float}
        outside = [story.outside() for story in self.stories]
        text: str = environment.get_template("page.html.j2").render(
            page=self,
            lead=self.stories[0],
            names=[story.name for story in self.stories],
            lines=self.figures(),
            years=yearly_lines(self.document["policies"]),
            rivals=rival_lines(self.document["policies"]),
            outside=outside_lines(outside),
            trades=self.trades(),
            parts=drawings.PARTS,
            trail=span(self.stories[0].trail_us()),
            style=(Path(__file__).parent / "page.css").read_text(encoding="utf-8"),
            svg=self._drawings(),
        )
        return text

    def _drawings(self) -> dict[str, str]:
        drawn, trail_us = self.drawn, self.stories[0].trail_us()
        assets = self.stories[0].assets
        rows = [Row(number, deal, self.quote) for number, deal in enumerate(self.stories[0].deals, 1)]
        found = {
            "equity": drawings.lines(
                "equity", "Equity of every policy over time", [each.equity() for each in drawn], money, digits
            ),
            "drawdown": drawings.lines(
                "drawdown", "Drawdown of every policy over time", [each.drawdown() for each in drawn], percent, _coarse
            ),
            "turnover": drawings.lines(
                "turnover", "Turnover so far", [each.turnover() for each in drawn], points, digits, step=True
            ),
            "costs": drawings.costs(drawn, self.quote),
        }
        if len(drawn) > 1:
            found["ahead"] = drawings.ahead("ahead", drawn, self.quote)
        if assets:
            found["drift"] = drawings.drifts(drawn, assets, rows)
        tracking = [each.tracking(trail_us) for each in drawn]
        if any(each.times_us for each in tracking) and trail_us:
            found["tracking"] = drawings.lines("tracking", "Trailing tracking error", tracking, percent, _coarse)
        return found


def page_of(document: Mapping[str, Any], field: Sequence[Contestant], outcomes: Sequence[Outcome]) -> Page:
    """Return the report of a run that kept diaries."""
    stories = []
    for each, outcome in zip(field, outcomes, strict=True):
        assert outcome.diary is not None, "a run that is reported keeps diaries"
        stories.append(Story(each.name, document["policies"][each.name], outcome, outcome.diary))
    return Page(document, field[0].entrant.quote, stories)


def _coarse(value: float) -> str:
    return f"{value * 100:.3g} %".replace("-", "−")
