"""Oracle and fast path side by side, one world after the other."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from random import Random

from oracle.brinks import brink
from oracle.charges import costs, expected, reckoned
from oracle.deciding import Oracle
from oracle.fast import Judged, judged, screened
from oracle.holders import Holder, holders
from oracle.legs import apart, features, uncited
from oracle.planning import Plan
from oracle.plans import faults
from oracle.verdict import Line, Verdict
from oracle.worlds import World, world
from trimtab.drift.decision import Hold
from trimtab.messages import Signal, Term
from trimtab.settings import DriftSettings

CASES_PER_WORLD = 400
WORLDS_PER_DEAR = 8
EXPLAINED = 0.004  # of what the screen settles, these are judged exactly too, and with every term
_ROUNDED = Fraction(51, 10**20)  # half of 1e-18, and a little for roots and quotients cut far behind
Mutation = Callable[[DriftSettings], DriftSettings]


@dataclass
class Count:
    """What has been compared, and every difference that was found."""

    cases: int = 0
    screened: int = 0
    decisions: Counter[str] = field(default_factory=Counter)
    plans: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)

    def add(self, other: "Count") -> None:
        self.cases += other.cases
        self.screened += other.screened
        self.decisions.update(other.decisions)
        self.plans.update(other.plans)
        self.differences += other.differences


@dataclass(frozen=True)
class Answers:
    """A world with its portfolios and the oracle's verdicts."""

    seed: str
    world: World
    oracle: Oracle
    holders: tuple[Holder, ...]
    verdicts: tuple[Verdict, ...]
    plans: dict[str, Plan]

    def plan(self, name: str) -> Plan | None:
        """Return the orders that a portfolio's verdict leads to; None of a hold."""
        return self.plans.get(name)


def answers(seed: int, number: int, cases: int = CASES_PER_WORLD, *, dear: bool | None = None) -> Answers:
    """Build one world and let the oracle, shown the fees and Y that count, decide; `dear` worlds are to trade much."""
    name = f"{seed}:{number}"
    rng = Random(name)
    found = brink(rng, world(rng, dear=number % WORLDS_PER_DEAR == 0 if dear is None else dear))
    found = replace(found, costs=costs(Random(f"{name}:costs"), found))
    settings = reckoned(found.settings, found.costs)
    seen = replace(found, market=expected(found.market, found.costs), settings=settings)
    oracle = Oracle(seen.market, seen.risk, seen.settings, seen.universe)
    everybody = tuple(holders(rng, seen, oracle, cases))
    verdicts = tuple(oracle.decide(h.state, h.portfolio) for h in everybody)
    plans = {
        h.state.portfolio_id: oracle.plan(h.state, h.portfolio, verdict)
        for h, verdict in zip(everybody, verdicts, strict=True)
        if verdict.corrections
    }
    return Answers(name, found, oracle, everybody, verdicts, plans)


def compared(asked: Answers, mutation: Mutation | None = None) -> Count:
    """Hold the fast path against the oracle's answers; a mutation changes the fast path's settings alone."""
    settings = mutation(asked.world.settings) if mutation is not None else asked.world.settings
    rng, count = Random(asked.seed), Count(cases=len(asked.holders))
    known = dict(zip((h.state.portfolio_id for h in asked.holders), asked.verdicts, strict=True))
    groups = [asked.holders] if rng.random() < 0.5 else list(_by_reason(asked))
    unsure: set[str] = set()
    for group, (holds, left) in zip(groups, screened(asked.world, settings, groups, rng), strict=True):
        names = {holder.state.portfolio_id for holder in group} - left
        expected = Counter(known[name].reason for name in names)
        if holds != expected:
            count.differences.append(f"{asked.seed}: the screen says {holds - expected}, the oracle {expected - holds}")
        count.screened += len(names)
        unsure |= left
    for holder in asked.holders:
        name, verdict = holder.state.portfolio_id, known[holder.state.portfolio_id]
        plan = asked.plan(name)
        count.decisions[verdict.reason if plan is None or plan.legs else f"{verdict.reason}: {plan.reason}"] += 1
        explain = rng.random() < EXPLAINED
        if not explain and name not in unsure:
            continue
        if explain:
            verdict = asked.oracle.decide(holder.state, holder.portfolio, explain=True)
        found = judged(asked.world, settings, holder, explain=explain)
        if plan is not None:
            count.plans.update(features(plan))
        wrong = [
            *uncited(asked.world, holder, found.decision),
            *_differences(verdict, plan, found, explain=explain),
            *faults(asked.world, holder, found),
        ]
        if found.decision.costs_offset != (asked.world.costs.offset if asked.world.costs else -1):
            wrong.append(f"cites costs {found.decision.costs_offset}")
        count.differences += [f"{asked.seed} {name} ({holder.kind}): {text}" for text in wrong]
    return count


def _by_reason(asked: Answers) -> Iterator[list[Holder]]:
    """Part the portfolios by verdict, so that two wrong reasons cannot make up for each other."""
    for reason in sorted({verdict.reason for verdict in asked.verdicts}):
        yield [h for h, verdict in zip(asked.holders, asked.verdicts, strict=True) if verdict.reason == reason]


def _differences(verdict: Verdict, plan: Plan | None, found: Judged, *, explain: bool) -> Iterator[str]:
    decision, said = found.decision, found.assessment
    if not _near(decision.equity, verdict.equity):
        yield f"equity {decision.equity}, the oracle {float(verdict.equity)}"
    if said is not None and verdict.corrections:
        if said.reason != verdict.reason:
            yield f"assessed {said.reason}, the oracle {verdict.reason}"
        yield from _changes("corrections", said.corrections, verdict.corrections)
        yield from _changes("room", said.room, verdict.room)
        if not _near(said.urgency, verdict.urgency):
            yield f"urgency {said.urgency}, the oracle {float(verdict.urgency)}"
    if decision.terms or explain:
        yield from _terms(decision.terms, verdict.lines)
    detail = decision.detail if isinstance(decision, Hold) else "and trades"
    if plan is None or not plan.legs:
        wanted = (verdict.reason, verdict.blame) if plan is None else (plan.reason, plan.detail)
        if (decision.reason, detail) != wanted:
            yield f"decided {decision.reason} {detail!r}, the oracle to hold, {wanted}"
    elif not isinstance(decision, Signal) or decision.reason != verdict.reason:
        yield f"decided {decision.reason} {detail!r}, the oracle to trade, {verdict.reason}"
    elif said is not None:
        if decision.urgency != said.urgency:
            yield f"urgency {decision.urgency}, assessed {said.urgency}"
        yield from apart(plan, decision)


def _near(found: Decimal, wanted: Fraction) -> bool:
    return abs(Fraction(found) - wanted) <= _ROUNDED


def _changes(what: str, found: tuple, wanted: tuple[tuple[str, Fraction], ...]) -> Iterator[str]:
    if [change.asset for change in found] != [name for name, _ in wanted]:
        yield f"{what} of {[change.asset for change in found]}, the oracle {[name for name, _ in wanted]}"
        return
    for change, (name, exact) in zip(found, wanted, strict=True):
        if Fraction(change.change) != exact:
            yield f"{what} of {name} {change.change}, the oracle {float(exact)}"


def _terms(terms: tuple[Term, ...], lines: tuple[Line, ...]) -> Iterator[str]:
    if [term.asset for term in terms] != [line.asset for line in lines]:
        yield f"terms of {[term.asset for term in terms]}, the oracle {[line.asset for line in lines]}"
        return
    for term, line in zip(terms, lines, strict=True):
        counted = (line.weight, line.target, line.drift, line.effective, line.half, line.velocity)
        found = (term.weight, term.target, term.drift, term.effective_drift, term.half_band, term.velocity)
        fine = (line.cost, line.benefit, line.horizon)
        exact = all(Fraction(value) * 10**18 == count for value, count in zip(found, counted, strict=True))
        close = all(map(_near, (term.cost, term.benefit, term.horizon_years), fine))
        if not (exact and close):
            yield f"terms {term}, the oracle {line}"
