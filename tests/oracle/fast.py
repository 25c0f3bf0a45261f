"""The fast path as the service runs it: the screen first, the exact decision for whom it cannot settle."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any
from unittest.mock import patch

from oracle.holders import Holder
from oracle.worlds import CASH, World
from trimtab.domain.market import Market
from trimtab.drift import decision as deciding
from trimtab.drift.decision import Decision, Subject, judge, prepare
from trimtab.drift.holdings import View
from trimtab.drift.planner import Plan, plan
from trimtab.drift.policy import Assessment
from trimtab.drift.portfolios import Entry
from trimtab.drift.screen import Screen
from trimtab.frames import charged, impact_coefficient, taker_fees
from trimtab.ports.topics import Record
from trimtab.settings import DriftSettings

RISK_OFFSET = 3


@dataclass(frozen=True)
class Judged:
    """An exact decision, the assessment behind it if there was one, and what it stood on."""

    decision: Decision
    assessment: Assessment | None
    subject: Subject


def screened(
    world: World, settings: DriftSettings, groups: Sequence[Sequence[Holder]], rng: Random
) -> list[tuple[Counter[str], set[str]]]:
    """Show each group to a screen of its own; return its certain holds by reason, and who needs an exact look."""
    found = []
    for group in groups:
        screen = Screen(settings)
        first = rng.random() < 0.1 and len(group) < 50  # an estimate comes before the portfolios, too: slowly
        if first and world.risk is not None:
            screen.estimate(world.risk)
        for holder in group:
            screen.put(_entry(holder))
        if not first and world.risk is not None:
            screen.estimate(world.risk)
        if rng.random() < 0.5:
            screen.look(_earlier(world, rng), None)  # what it keeps must not outlive what it stands on
        glance = screen.look(
            charged_market(world), None if rng.random() < 0.5 else frozenset(world.market.quotes) | _all(world)
        )
        found.append((Counter({str(reason): n for reason, n in glance.holds.items()}), set(glance.unsure)))
    return found


def judged(world: World, settings: DriftSettings, holder: Holder, *, explain: bool) -> Judged:
    """Decide exactly."""
    risk = Record(world.risk, "market.risk", 0, RISK_OFFSET) if world.risk is not None else None
    subject = prepare(risk, holder.state, holder.portfolio, settings)
    heard: list[Assessment] = []

    def overheard(signal_id: str, view: View, assessment: Assessment, *rest: Any) -> Plan:
        heard.append(assessment)
        return plan(signal_id, view, assessment, *rest)

    with patch.object(deciding, "plan", overheard):
        decision = judge(charged_market(world), subject, explain=explain)
    return Judged(decision, heard[-1] if heard else None, subject)


def charged_market(world: World) -> Market:
    """Return the market as a feed has it that was given the costs at its last full frame."""
    fees, market = taker_fees(world.costs), world.market
    return replace(
        market,
        instruments={key: charged(rules, fees) for key, rules in market.instruments.items()},
        quotes={
            key: replace(quote, instrument=charged(quote.instrument, fees)) for key, quote in market.quotes.items()
        },
        costs_offset=world.costs.offset if world.costs is not None else -1,
        impact_coefficient=impact_coefficient(world.costs),
    )


def _earlier(world: World, rng: Random) -> Market:
    """Return the market some time ago, when some quotes were missing."""
    market = charged_market(world)
    quotes = {key: quote for key, quote in market.quotes.items() if rng.random() < 0.9}
    ago_us = rng.choice([0, 1, 1_000_000, 5_000_000, 60_000_000, 3_600_000_000])
    return replace(market, event_time_us=market.event_time_us - ago_us, complete=rng.random() < 0.9, quotes=quotes)


def _entry(holder: Holder) -> Entry:
    state = holder.state
    venues = {position.venue for position in state.positions}
    assets = {position.asset for position in state.positions} | {asset for asset, _ in holder.portfolio.targets}
    keys = frozenset(f"{venue}:{asset}/{CASH}" for venue in venues for asset in assets - {CASH})
    return Entry(0, 0, state, holder.portfolio, keys)


def _all(world: World) -> frozenset[str]:
    return frozenset(f"{venue}:{asset}/{CASH}" for venue in ("binance", "kraken") for asset in world.assets)
