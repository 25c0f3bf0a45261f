"""The no-trade region: `drift.region` from its words, with `width` for the bands and `edges` for the landing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from oracle.cost import at_touch, impact, of_trade
from oracle.edges import Change, landed
from oracle.pace import past, soon
from oracle.rounding import UNIT, cube_root_count, nearest, nearest_count
from oracle.threshold import cash_line
from oracle.value import Worth
from oracle.verdict import Line, Verdict
from trimtab.domain.market import Quote
from trimtab.domain.orders import Side
from trimtab.domain.portfolio import NoTradeRegion
from trimtab.settings import DriftSettings

HORIZON_YEARS_MAX = 1


@dataclass(frozen=True)
class Band:
    """One asset's constants: its row of A over the portfolio's assets, k^3 D and h^3 / e in counts of 1e-18."""

    effect: Sequence[int]
    variance: Fraction
    flow: int
    cubed: int
    dead: bool


@dataclass(frozen=True)
class Case:
    """A portfolio under the region's policy, everything that is known before any trade is thought of."""

    worth: Worth
    bands: Sequence[Band]
    policy: NoTradeRegion
    settings: DriftSettings
    share_max: Fraction
    quote: str
    paces: Sequence[int]  # of every asset, cash last


@dataclass
class Search:
    """The case with its numbers, and what has been found: changes of the active assets, drifts y after them."""

    case: Case
    costs: list[Fraction]
    full: list[int]  # h in counts of 1e-18, and as scaled by the settings
    half: list[int]
    before: list[int]
    forced: list[bool]
    changes: list[int] = field(default_factory=list)
    after: list[Fraction] = field(default_factory=list)
    active: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)

    @property
    def size(self) -> range:
        return range(len(self.before))


def effective(drifts: Sequence[int], bands: Sequence[Band]) -> list[int]:
    """Return y = A x in counts of 1e-18."""
    return [nearest(sum(map(int.__mul__, band.effect, drifts)), UNIT) for band in bands]


def regions(case: Case) -> Verdict:
    """Return the verdict without its equity: the worst asset past its bound first, until none is left."""
    search = _search(case)
    while (worst := _worst(search)) is not None:
        reason = _refusal(search, worst)
        if reason:
            search.refused[worst] = reason
            continue
        search.active.append(worst)
        _land(search)
    order = sorted(search.active, key=lambda i: (-_ratio(search.before[i], search.half[i]), i))
    names = case.worth.names
    return Verdict(
        _reason(search),
        corrections=tuple((names[i], Fraction(search.changes[i], UNIT)) for i in order if search.changes[i]),
        room=_room(search),
        urgency=_urgency(search),
        lines=_lines(search),
    )


def _search(case: Case) -> Search:
    worth, bound = case.worth, case.policy.max_deviation
    costs = [at_touch(quote) if quote else Fraction(0) for quote in worth.quotes]
    full = [
        UNIT if band.dead else cube_root_count(Fraction(band.cubed, UNIT) * cost)
        for band, cost in zip(case.bands, costs, strict=True)
    ]
    scale = Fraction(case.settings.region_scale)
    half = [
        h if band.dead else nearest_count(Fraction(h, UNIT) * scale) for band, h in zip(case.bands, full, strict=True)
    ]
    forced = [
        bound is not None and quote is not None and Fraction(abs(x), UNIT) > Fraction(bound)
        for x, quote in zip(worth.drifts, worth.quotes, strict=True)
    ]
    before = effective(worth.drifts, case.bands)
    return Search(case, costs, full, half, before, forced, [0] * len(costs), [Fraction(y, UNIT) for y in before])


def outside(y: Fraction, band: Band, quote_cost: Fraction, settings: DriftSettings) -> bool:
    """Tell whether |y| > trigger times h, with h as the real number that it is."""
    reach = Fraction(settings.trigger) * Fraction(settings.region_scale)
    return not band.dead and abs(y) ** 3 > reach**3 * Fraction(band.cubed, UNIT) * quote_cost


def _worst(search: Search) -> int | None:
    case, found, best = search.case, None, None
    touch = [at_touch(quote) if quote else None for quote in case.worth.quotes]
    for i in search.size:
        if touch[i] is None or i in search.active or i in search.refused:
            continue
        if search.forced[i] or outside(search.after[i], case.bands[i], touch[i], case.settings):
            rank = (search.forced[i], _ratio(search.after[i] * UNIT, search.half[i]))
            if best is None or rank > best:
                found, best = i, rank
    return found


def _ratio(drift: Fraction | int, half: int) -> Fraction | float:
    """Return |y| / h; all that have no band at all are equally far out."""
    if half > 0:
        return Fraction(abs(drift), half)
    return float("inf") if drift else Fraction(0)


def _refusal(search: Search, i: int) -> str:
    case, y = search.case, search.after[i]
    quote: Quote = case.worth.quotes[i]
    if not quote.instrument.tradable:
        return "instrument_not_tradable"
    share = min(max(abs(y) - _edge(search, i), Fraction(0)), case.share_max)
    moved = impact(
        Fraction(case.settings.impact_coefficient), case.bands[i].variance, case.settings.signal_lifetime_seconds
    )
    notional = share * Fraction(*case.worth.equity_parts)
    search.costs[i] = of_trade(quote, Side.SELL if y > 0 else Side.BUY, notional, moved)
    worthwhile = _benefit(search, i, y) > search.costs[i] * Fraction(case.settings.safety_factor)
    return "" if search.forced[i] or worthwhile else "cost_above_benefit"


def _edge(search: Search, i: int) -> Fraction:
    return Fraction(search.half[i], UNIT) * Fraction(search.case.settings.landing)


def _horizon(search: Search, i: int) -> Fraction:
    """Return T = 2 h^2 / (3 D) with the band's own h, in years; at most one."""
    band = search.case.bands[i]
    if band.dead:
        return Fraction(0)
    if band.flow <= 0:
        return Fraction(HORIZON_YEARS_MAX)
    return min(Fraction(2 * search.full[i] ** 2, 3 * band.flow * UNIT), Fraction(HORIZON_YEARS_MAX))


def _benefit(search: Search, i: int, y: Fraction) -> Fraction:
    """Return g S_ii |y| T."""
    variance = Fraction(0) if search.case.bands[i].dead else search.case.bands[i].variance
    return Fraction(search.case.policy.risk_aversion) * variance * abs(y) * _horizon(search, i)


def _land(search: Search) -> None:
    """Bring all active assets to where they land together, changes to the nearest 1e-18."""
    active, bands = search.active, search.case.bands
    asked = [Change(Fraction(search.before[i], UNIT), _edge(search, i), *_reach(search, i)) for i in active]
    found = landed(asked, [[bands[i].effect[j] for j in active] for i in active])
    for i, change in zip(active, found, strict=True):
        search.changes[i] = nearest_count(change)
    search.after = [
        Fraction(search.before[i] * UNIT + sum(bands[i].effect[j] * search.changes[j] for j in active), UNIT * UNIT)
        for i in search.size
    ]


def _reach(search: Search, i: int) -> tuple[Fraction, Fraction]:
    """Return how far a weight may move: not below nothing, not above everything, not past the hard bound."""
    weight, drift = Fraction(search.case.worth.weights[i], UNIT), Fraction(search.case.worth.drifts[i], UNIT)
    lowest, highest = min(-weight, Fraction(0)), max(1 - weight, Fraction(0))
    outer = search.case.policy.max_deviation
    if outer is not None:
        reach = Fraction(outer) * (Fraction(search.case.settings.landing) if search.forced[i] else 1)
        lowest, highest = max(lowest, -reach - drift), min(highest, reach - drift)
    return lowest, highest


def _reason(search: Search) -> str:
    if any(search.changes[i] for i in search.active):
        return "max_deviation" if any(search.forced[i] for i in search.active) else "band_exceeded"
    refusals = search.refused.values()
    return next((r for r in ("cost_above_benefit", "instrument_not_tradable") if r in refusals), "within_band")


def _room(search: Search) -> tuple[tuple[str, Fraction], ...]:
    found = []
    for i in search.size:
        quote, change = search.case.worth.quotes[i], Fraction(search.changes[i], UNIT)
        left = min(Fraction(search.case.worth.weights[i], UNIT) + change, search.after[i] + _edge(search, i))
        if change <= 0 and left > 0 and quote is not None and quote.instrument.tradable:
            y, half = search.after[i], Fraction(search.half[i], UNIT)
            ratio = y / half if half else (float("inf") if y > 0 else float("-inf") if y < 0 else Fraction(0))
            found.append((-ratio, search.case.worth.names[i], -left))
    return tuple((name, change) for _, name, change in sorted(found))


def _urgency(search: Search) -> Fraction:
    if any(search.forced[i] for i in search.active):
        return Fraction(1)
    trigger = Fraction(search.case.settings.trigger)
    paces = effective(search.case.paces[:-1], search.case.bands)
    found = [
        share
        for i in search.active
        for share in past(trigger * search.half[i], [soon(Fraction(search.before[i]), Fraction(paces[i]))])
    ]
    return max([Fraction(0), *found])


def _lines(search: Search) -> tuple[Line, ...]:
    worth = search.case.worth
    found = [
        Line(
            worth.names[i],
            worth.weights[i],
            worth.targets[i],
            worth.drifts[i],
            search.before[i],
            search.half[i],
            search.costs[i],
            _benefit(search, i, Fraction(search.before[i], UNIT)),
            _horizon(search, i),
            search.case.paces[i],
        )
        for i in search.size
    ]
    return (*found, cash_line(worth, search.case.quote, search.case.paces[-1]))
