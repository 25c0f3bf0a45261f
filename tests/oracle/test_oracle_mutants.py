"""The oracle notices when the fast path is a little wrong."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import ROUND_FLOOR, Decimal
from functools import cache
from typing import Any

import pytest

from oracle import fast
from oracle.compare import Answers, answers, compared
from trimtab.domain.amounts import CONTEXT, SCALE, ceil_to
from trimtab.domain.market import Quote
from trimtab.domain.orders import Side
from trimtab.domain.portfolio import Windows
from trimtab.drift import (
    bands,
    cost_adjusted,
    crosses,
    draft,
    dueness,
    envelope,
    funding,
    gates,
    holdings,
    landing,
    offers,
    planner,
    region,
    tolerance,
    volatility,
)
from trimtab.drift.columns import Columns
from trimtab.drift.policy import Correction

SEED, WORLDS, CASES = 5, 250, 60  # many small worlds: what a mutant needs may be rare
NUDGE = Decimal("1.0000001")

Patch = pytest.MonkeyPatch


@cache
def world(number: int) -> Answers:
    return answers(SEED, number, CASES, dear=True)


SETTINGS = {
    "trigger": lambda old: replace_settings(old, trigger=old.trigger * NUDGE),
    "landing": lambda old: replace_settings(old, landing=old.landing / NUDGE),
    "region_scale": lambda old: replace_settings(old, region_scale=old.region_scale * NUDGE),
    "safety_factor": lambda old: replace_settings(old, safety_factor=old.safety_factor * Decimal("1.05")),
    "quote_age_max_seconds": lambda old: replace_settings(old, quote_age_max_seconds=old.quote_age_max_seconds * 1.01),
    "signal_lifetime_seconds": lambda old: replace_settings(old, signal_lifetime_seconds=61),
    "impact_coefficient": lambda old: replace_settings(old, impact_coefficient=old.impact_coefficient * NUDGE),
    "risk_observations_min": lambda old: replace_settings(old, risk_observations_min=2),
}


def replace_settings(old: Any, **changes: Any) -> Any:
    return old.model_copy(update=changes)


def noticed(mutation: Callable[[Any], Any] | None = None) -> bool:
    """Tell whether any of the worlds looks different; most mutants need a few of them only."""
    return any(compared(world(number), mutation).differences for number in range(WORLDS))


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_that_is_a_little_off_is_noticed(name: str) -> None:
    assert noticed(SETTINGS[name])


def floored(value: Decimal) -> Decimal:
    return value.quantize(SCALE, rounding=ROUND_FLOOR, context=CONTEXT)


def last_of_ties(patch: Patch) -> None:
    worst = region.RegionRule._worst

    def mutant(self: Any, assets: Sequence[Any], search: Any) -> int | None:
        first = worst(self, assets, search)
        if first is None:
            return None
        found = first
        kept, search.refused = search.refused, dict(search.refused)
        while (another := worst(self, assets, search)) is not None:
            same = assets[another].half == assets[first].half and assets[another].forced == assets[first].forced
            if not same or abs(search.landing.effective[another]) != abs(search.landing.effective[first]):
                break
            found = another
            search.refused[another] = None
        search.refused = kept
        return found

    patch.setattr(region.RegionRule, "_worst", mutant)


def forced_on_the_bound(patch: Patch) -> None:
    asset = region.RegionRule._asset

    def mutant(self: Any, drift: Decimal, quote: Quote | None, band: Any) -> Any:
        bound = self.policy.max_deviation
        found = asset(self, drift, quote, band)
        return replace(found, forced=found.forced or (bound is not None and abs(drift) == bound and quote is not None))

    patch.setattr(region.RegionRule, "_asset", mutant)
    patch.setattr(region.RegionRule, "breached", lambda self, view: True)


def wider_screen(patch: Patch) -> None:
    cubed = envelope.Estimate.cubed
    patch.setattr(envelope.Estimate, "cubed", lambda self, *columns: cubed(self, *columns) * (1 + 1e-6))


def screen_without_age(patch: Patch) -> None:
    at = Columns.at
    patch.setattr(Columns, "at", lambda self, now_us, age_us: at(self, now_us, 2**60))


def gates_a_moment_late(patch: Patch) -> None:
    replaced = {
        gates.Reason.NOT_BEFORE: lambda market, state, portfolio: market.event_time_us <= state.not_before_us,
    }
    patch.setattr(gates, "GATES", tuple((reason, replaced.get(reason, gate)) for reason, gate in gates.GATES))


def landing_one_by_one(patch: Patch) -> None:
    """Leave out what the assets' trades do for one another."""
    activate = landing.Landing.activate

    def mutant(self: Any, index: int) -> None:
        self._active.clear()
        self._free.clear()
        self._equations = landing.Equations()
        activate(self, index)

    patch.setattr(landing.Landing, "activate", mutant)


def enough_only_above(self: Any, wanted: Decimal) -> Decimal:
    quantity = fitting(self, wanted)
    return quantity if quantity > self.smallest else Decimal(0)


def all_cash_kept(view: Any, held: Any) -> Any:
    return tuple(replace(purse, spare=Decimal(0), kept=purse.spare + purse.kept) for purse in purses(view, held))


def a_tick_further(quote: Quote, side: Side, budget: Decimal) -> Decimal:
    return limit_price(quote, side, budget) + quote.instrument.tick * side.sign


def last_funder_first(corrections: Any, room: Any, *rest: Any) -> Any:
    return funded(corrections, room[::-1], *rest)


def dearest_first(self: Any, options: Any) -> Any:
    return pick(self, sorted(options, key=lambda option: -option.offer.rank)[:1])


def any_cross(places: Any, purses: Any, wanted: Any) -> Any:
    return next(possible(places, purses, wanted), None)


def value(module: Any, name: str, mutant: Any) -> Callable[[Patch], None]:
    return lambda patch: patch.setattr(module, name, mutant)


def up_to_the_bound(effective: Decimal, bound_cubed: Decimal) -> bool:
    return abs(effective) ** 3 >= bound_cubed


def past_the_bound(self: Any, view: Any) -> bool:
    drifts = (*view.drifts, view.cash_weight - view.cash_target)
    rows = zip((*self.assets, self.cash), drifts, strict=True)
    return any(bound is not None and abs(drift) > bound for bound, drift in rows)


def a_little_worth(self: Any, view: Any, place: int) -> Any:
    found = worth(self, view, place)
    return replace(found, benefit=found.benefit * (1 + SCALE))


def closed_windows(self: Windows, event_time_us: int) -> bool:
    days, rest = divmod(event_time_us // 60_000_000, 24 * 60)
    return (days + 3) % 7 in self.weekdays and any(start <= rest <= end for start, end in self.minutes)


def any_fee(rules: Any, fees: Any) -> Any:
    return replace(rules, charged_fee=fees[rules.key].fee) if rules.key in fees else rules


def any_depth(quote: Quote, side: Side, quantity: Decimal) -> Any:
    return shown(quote, side, quote.depth(side) + 1)


shown = draft.shown
cube_root, touch, last_us = bands.cube_root, region.touch_cost, dueness.last_us
fitting, purses, limit_price, funded = offers.Offer.fitting, planner.purses, offers.limit_price, planner.funded
pick, possible = draft.Draft._pick, crosses._crosses
worth = cost_adjusted.CostAdjustedRule._worth

MUTANTS: dict[str, Callable[[Patch], None]] = {
    "at the trigger counts as past it": value(region, "_outside", up_to_the_bound),
    "the last of equals comes first": last_of_ties,
    "at the hard bound counts as past it": forced_on_the_bound,
    "a buy for a sale": value(region, "Correction", lambda asset, change: Correction(asset, -change)),
    "landing one asset after the other": landing_one_by_one,
    "landing with a thousandfold ridge": value(landing, "_RIDGE", Decimal("1e-11")),
    "landing without what gains little": value(landing, "_FLAT", Decimal("1e-3")),
    "an own part that is a little off": value(bands, "OWN_PART", bands.OWN_PART * NUDGE),
    "no width": value(bands, "_width_cubed", lambda *_: Decimal(1)),
    "flows cut, not rounded": value(bands, "quantise", floored),
    "weights cut, not rounded": value(holdings, "quantise", floored),
    "a root rounded up": value(bands, "cube_root", lambda found: cube_root(found) + SCALE),
    "no half spread": value(region, "touch_cost", lambda quote: quote.instrument.expected_fee),
    "the stated fee for the charged one": value(fast, "taker_fees", lambda costs: {}),
    "a fee charged when another one was stated": value(fast, "charged", any_fee),
    "the set Y for the refit one": value(fast, "impact_coefficient", lambda costs: None),
    "what was shown of every order": value(draft, "shown", any_depth),
    "no impact": value(region, "trade_cost", lambda quote, *_: touch(quote)),
    "a horizon a little off": value(region, "_TWO_THIRDS", Decimal("0.6666667")),
    "at the threshold is not past it": value(tolerance.Tolerance, "reached", past_the_bound),
    "a volatility that moves no bound": value(tolerance, "scale", lambda policy, found: Decimal(1)),
    "a volatility cut, not rounded": value(volatility, "quantise", floored),
    "cash whose bound stays": value(tolerance, "_mean", lambda factors, targets: Decimal(1)),
    "worth its cost exactly is worth it": value(cost_adjusted.CostAdjustedRule, "_worth", a_little_worth),
    "a year that is too long": value(cost_adjusted, "HORIZON_YEARS_MAX", NUDGE),
    "a time that is due a moment late": value(dueness, "last_us", lambda cron, now_us: last_us(cron, now_us - 1)),
    "a window that is open too long": value(Windows, "contain", closed_windows),
    "a pause that is too long": gates_a_moment_late,
    "an hour that is too long": value(gates, "HOUR_US", gates.HOUR_US + 1),
    "a screen that is too wide": wider_screen,
    "a screen that takes old prices": screen_without_age,
    "more sold than there is": value(offers, "floor_to", ceil_to),
    "more sold to pay than may be": value(draft, "floor_to", ceil_to),
    "the smallest order is too small": value(offers.Offer, "fitting", enough_only_above),
    "no cash is spare": value(planner, "purses", all_cash_kept),
    "a limit one tick further": value(offers, "limit_price", a_tick_further),
    "buys that do not grow": value(funding._State, "_growth", lambda *_: {}),
    "the last funder first": value(planner, "funded", last_funder_first),
    "the last account first": value(draft.Draft, "_pick", dearest_first),
    "the first cross for the best": value(draft, "best_cross", any_cross),
    "no cross": value(draft, "best_cross", lambda *_: None),
    "nothing is deferred": value(draft.Draft, "deferred", lambda *_: iter(())),
    "a drift that stands still": value(
        region, "recent_returns", lambda holdings, risk: (Decimal(0),) * len(holdings.assets)
    ),
    "what comes back is as urgent": value(region, "ahead", lambda drift, speed: abs(drift) + abs(speed)),
    "no limit to a trade": value(planner, "capped", lambda corrections, share: corrections),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_rule_that_is_a_little_wrong_is_noticed(name: str, monkeypatch: Patch) -> None:
    MUTANTS[name](monkeypatch)
    assert noticed()
