"""The drawings of a report: what stands in each, its units, and what is said on hover."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from matplotlib import dates
from matplotlib.ticker import FuncFormatter, MaxNLocator

from trimtab.backtest.diary import Deal
from trimtab.domain.orders import Side
from trimtab.report.chart import DASHES, TOKENS, Chart, Spot
from trimtab.report.series import Series
from trimtab.report.story import Story
from trimtab.report.text import Shown, digits, moment, money, signed_percent
from trimtab.report.trades import Row

_DAY_US = 86_400e6
_SPOTS = 140
_MARKS_MAX = 400  # of one asset: the largest
_DATES = ["%Y", "%b %Y", "%d %b", "%H:%M", "%H:%M", "%H:%M:%S"]  # by how close together the marks of an axis are
_FIRSTS = ["", "%b %Y", "%b %Y", "%d %b", "%H:%M", "%H:%M"]  # and the first mark of a year, month, day and so on
_HEAD = 0.08  # of a band's or a drift's height is left above it
PARTS = (
    ("fees", "fees"),
    ("spread_cost", "spread"),
    ("impact_cost", "impact"),
    ("delay_cost", "delay"),
    ("opportunity_cost", "opportunity"),
)
"""What trading cost, as the JSON document has it, and in words."""


def lines(name: str, label: str, series: Sequence[Series], shown: Shown, axis: Shown, *, step: bool = False) -> str:
    """Draw values over time, one line a policy."""
    chart = Chart(name, label, [240])
    with chart.drawing() as (axes,):
        for index, each in reversed([*enumerate(series)]):
            _line(axes, each.thinned(), index, "steps-post" if step else "default")
        _time_axis(axes, series)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: axis(value)))
        chart.spots += _spots(axes, series, lambda time_us: _values(series, shown, time_us))
        return chart.svg()


def ahead(name: str, stories: Sequence[Story], quote: str) -> str:
    """Draw how much more each policy is worth than the last one, so that lines that lie together come apart."""
    found = [each.equity() for each in stories]
    last = found[-1]
    gaps = [
        Series(each.name, each.times_us, [a - b for a, b in zip(each.values, last.values, strict=True)])
        for each in found
    ]
    return lines(name, f"Equity less that of {last.name}, {quote}", gaps, money, digits)


def drifts(stories: Sequence[Story], assets: Sequence[str], rows: Sequence[Row]) -> str:
    """Draw the drift of each asset against the first policy's bands, with its trades."""
    chart = Chart("drift", "Drift of each asset against its band, over time", [128] * len(assets))
    with chart.drawing() as plots:
        for axes, asset in zip(plots, assets, strict=True):
            _panel(chart, axes, asset, stories, [row for row in rows if row.moves(asset)])
        _time_axis(plots[-1], [stories[0].equity()])
        return chart.svg()


def costs(stories: Sequence[Story], quote: str) -> str:
    """Draw what trading cost each policy, part by part; what was earned stands left of nothing."""
    chart = Chart("costs", "What trading cost each policy, by cause", [34 * len(stories) + 6], left=136)
    with chart.drawing() as (axes,):
        for row, story in enumerate(stories):
            paid = earned = 0.0
            for index, (key, word) in enumerate(PARTS):
                value = story.figures[key]
                start = paid if value >= 0 else earned
                axes.barh(row, value, left=start, height=0.62, color=TOKENS[f"c{index}"])
                text = f"{story.name}\n{word}: {money(value)} {quote}"
                left, right = sorted((start, start + value))
                if value:
                    chart.spots.append(_bar_spot(axes, left, right, row, text))
                paid, earned = (paid + value, earned) if value >= 0 else (paid, earned + value)
        axes.set_yticks(range(len(stories)), [_short(story.name) for story in stories])
        axes.set_ylim(len(stories) - 0.5, -0.5)
        axes.grid(visible=False, axis="y")
        axes.axvline(0, color=TOKENS["muted"], linewidth=0.8)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: digits(value)))
        return chart.svg()


def _panel(chart: Chart, axes: Any, asset: str, stories: Sequence[Story], rows: Sequence[Row]) -> None:
    found = [story.drift(asset) for story in stories]
    (drift, band), others = found[0], [each for each, _ in found[1:]]
    reach = max(map(abs, drift.values), default=0.0)
    width = min(max(band.values, default=0.0), 4 * reach or 1.0)
    thin = band.thinned()
    half = [min(value, 9 * (reach + width)) for value in thin.values]
    days = [time_us / _DAY_US for time_us in thin.times_us]
    axes.fill_between(days, [-value for value in half], half, color=TOKENS["band"], linewidth=0)
    axes.axhline(0, color=TOKENS["muted"], linewidth=0.8)
    for index, each in enumerate(others, 1):
        _line(axes, each.thinned(), index, "default", 0.9)
    _line(axes, drift.thinned(), 0, "default")
    limit = max(reach, width) * (1 + _HEAD) or 0.01
    axes.set_ylim(-limit, limit)
    axes.grid(visible=False, axis="x")
    axes.text(0.006, 0.97, _short(asset), transform=axes.transAxes, va="top", weight="bold", zorder=6)
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:.3g} %".replace("-", "−")))
    _marks(chart, axes, asset, drift, rows)
    chart.spots += _spots(axes, [drift], lambda time_us: _drift_text(asset, drift, band, others, time_us))


def _marks(chart: Chart, axes: Any, asset: str, drift: Series, rows: Sequence[Row]) -> None:
    largest = sorted(rows, key=lambda row: (-row.traded, row.number))[:_MARKS_MAX]
    for side, mark, token in ((Side.BUY, "^", "buy"), (Side.SELL, "v", "sell")):
        chosen = [row for row in sorted(largest, key=lambda row: row.number) if row.side_of(asset) is side]
        if not chosen:
            continue
        gid = f"{chart.name}-{chart.axes.index(axes)}-{token}"
        days = [row.deal.signal.event_time_us / _DAY_US for row in chosen]
        heights = [_before(row.deal, asset, drift) for row in chosen]
        axes.scatter(days, heights, marker=mark, s=46, color=TOKENS[token], gid=gid, zorder=5, linewidths=0)
        chart.texts[gid] = [row.told for row in chosen]


def _before(deal: Deal, asset: str, drift: Series) -> float:
    """Return how far an asset had drifted when a trade was decided."""
    for term in deal.signal.terms:
        if term.asset == asset:
            return float(term.effective_drift)
    return drift.at(deal.signal.event_time_us) or 0.0


def _line(axes: Any, series: Series, index: int, how: str, width: float = 1.6) -> None:
    days = [time_us / _DAY_US for time_us in series.times_us]
    dash, colour = DASHES[index % len(DASHES)], TOKENS[f"s{index % len(DASHES)}"]
    axes.plot(days, series.values, color=colour, linestyle=dash, linewidth=width, drawstyle=how, zorder=3)


def _time_axis(axes: Any, series: Sequence[Series]) -> None:
    locator = dates.AutoDateLocator(minticks=4, maxticks=9)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(
        dates.ConciseDateFormatter(locator, formats=_DATES, zero_formats=_FIRSTS, show_offset=False)
    )
    axes.set_xlim(*(moment_us / _DAY_US for moment_us in _ends(series)))
    axes.grid(visible=False, axis="x")


def _ends(series: Sequence[Series]) -> tuple[float, float]:
    first = min((each.times_us[0] for each in series if each.times_us), default=0)
    last = max((each.times_us[-1] for each in series if each.times_us), default=0)
    return first, last if last > first else first + 1


def _spots(axes: Any, series: Sequence[Series], told: Callable[[float], str]) -> list[Spot]:
    first, last = _ends(series)
    edges = [first + (last - first) * index / _SPOTS for index in range(_SPOTS + 1)]
    return [Spot(axes, a / _DAY_US, b / _DAY_US, told((a + b) / 2)) for a, b in pairwise(edges)]


def _bar_spot(axes: Any, left: float, right: float, row: int, text: str) -> Spot:
    return Spot(axes, left, right, text, row + 0.31, row - 0.31)


def _values(series: Sequence[Series], shown: Shown, time_us: float) -> str:
    found = [(each.name, each.at(time_us)) for each in series]
    return "\n".join([_when(time_us), *(f"{name}: {shown(value)}" for name, value in found if value is not None)])


def _drift_text(asset: str, drift: Series, band: Series, others: Sequence[Series], time_us: float) -> str:
    rows = [(each.name, each.at(time_us)) for each in (drift, *others)]
    half = band.at(time_us)
    said = [f"{name}: {signed_percent(value)}" for name, value in rows if value is not None]
    return "\n".join([f"{asset}, {_when(time_us)}", *said, *([f"band: ± {half * 100:.2f} %"] if half else [])])


def _when(time_us: float) -> str:
    return f"{moment(time_us)} UTC"


def _short(name: str) -> str:
    return name if len(name) <= 18 else f"{name[:17]}…"
