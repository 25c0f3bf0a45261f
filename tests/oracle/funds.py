"""Which assets pay for buys, and what that does to these: `drift.funding` from its words."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from oracle.rounding import UNIT, nearest_count, solution

NOTHING = Fraction(0)
ENOUGH = Fraction(1, UNIT)  # less of equity than this is no shortage


@dataclass(frozen=True)
class Stand:
    """One asset as funding sees it; fractions of equity, `effects` its row of A in counts of 1e-18, if it has one."""

    asset: str
    buyable: Fraction
    sellable: Fraction
    effective: Fraction
    effects: Sequence[int]
    landing: Fraction
    trigger: Fraction
    room: Fraction
    dear: Fraction
    cheap: Fraction


@dataclass
class State:
    """What is short, all changes so far, and the effective drifts after them; who was sold, and how far."""

    short: Fraction
    changes: list[Fraction]
    effective: list[Fraction]
    sold: list[tuple[int, Fraction]] = field(default_factory=list)

    def copy(self) -> "State":
        return State(self.short, list(self.changes), list(self.effective), list(self.sold))


def funded(
    stands: Sequence[Stand], changes: Sequence[Fraction], funders: Sequence[int], cash: Fraction
) -> tuple[list[Fraction], list[tuple[int, Fraction]]]:
    """Return the changes, buys grown, and (place, extra sale) of the funders as they were found."""
    state = State(_needed(stands, changes) - cash, list(changes), _after(stands, changes))
    left = [j for j in funders if changes[j] <= 0]
    while state.short > ENOUGH:
        tried = [(j, found) for j in left if (found := _sold(stands, state, j)).short < state.short]
        if not tried:
            break
        sold_already = [pair for pair in tried if state.changes[pair[0]] < 0]
        paying = [pair for pair in tried if pair[1].short <= ENOUGH]
        least = [pair for pair in tried if pair[1].short == min(found.short for _, found in tried)]
        funder, state = (sold_already or paying or least)[0]
        left.remove(funder)
    grown = [Fraction(nearest_count(change), UNIT) for change in state.changes]
    return grown, [(j, extra) for j, amount in state.sold if (extra := Fraction(nearest_count(amount), UNIT))]


def _needed(stands: Sequence[Stand], changes: Sequence[Fraction]) -> Fraction:
    rows = zip(stands, changes, strict=True)
    return sum((stand.dear * d if d > 0 else stand.cheap * d for stand, d in rows), NOTHING)


def _after(stands: Sequence[Stand], changes: Sequence[Fraction]) -> list[Fraction]:
    moved = [i for i, d in enumerate(changes) if d]
    return [
        stand.effective + (sum((stand.effects[i] * changes[i] for i in moved), NOTHING) / UNIT if stand.effects else 0)
        for stand in stands
    ]


def _sold(stands: Sequence[Stand], before: State, j: int) -> State:
    """Return the state after one funder was sold until nothing is short or something stands in the way."""
    state, sold = before.copy(), NOTHING
    while state.short > ENOUGH:
        growth = _growth(stands, state, j)
        rates = [_rate(stand, growth, j) for stand in stands]
        brings = stands[j].cheap - sum((stands[i].dear * g for i, g in growth.items()), NOTHING)
        if brings <= 0:
            break
        ends = [state.short / brings, _limit(stands, state, j, sold), *_edges(stands, state, j, rates)]
        turns = [_turn(stands[i], state.changes[i], g) for i, g in growth.items() if g]
        amount = min([*ends, *turns])
        state.short -= brings * amount
        state.changes[j] -= amount
        for i, g in growth.items():
            state.changes[i] += g * amount
        state.effective = [y + rate * amount for y, rate in zip(state.effective, rates, strict=True)]
        sold += amount
        if amount == min(ends):
            break
    state.sold.append((j, sold))
    return state


def _growth(stands: Sequence[Stand], state: State, j: int) -> dict[int, Fraction]:
    """Return by how much each buy grows for one unit of the funder sold: A_BB g = A_Bj."""
    growing = [i for i, stand in enumerate(stands) if stand.effects and 0 < state.changes[i] < stand.buyable]
    table = [[stands[i].effects[k] for k in growing] for i in growing]
    found = solution(table, [Fraction(stands[i].effects[j]) for i in growing])
    return dict(zip(growing, found, strict=True)) if found is not None else {}


def _rate(stand: Stand, growth: dict[int, Fraction], j: int) -> Fraction:
    if not stand.effects:
        return NOTHING
    return (sum((stand.effects[i] * g for i, g in growth.items()), NOTHING) - stand.effects[j]) / UNIT


def _limit(stands: Sequence[Stand], state: State, j: int, sold: Fraction) -> Fraction:
    """Return how much more of the funder may be sold in all."""
    own = stands[j].sellable + state.changes[j]
    return max(own if stands[j].effects else min(own, stands[j].room - sold), NOTHING)


def _turn(stand: Stand, change: Fraction, g: Fraction) -> Fraction:
    """Return when a buy has grown as far as it may, or shrunk to nothing."""
    return (stand.buyable - change) / g if g > 0 else change / -g


def _edges(stands: Sequence[Stand], state: State, j: int, rates: Sequence[Fraction]) -> list[Fraction]:
    """Return when each asset that is not bought comes to the edge that it moves towards."""
    found = []
    for k, (stand, rate) in enumerate(zip(stands, rates, strict=True)):
        if not rate or state.changes[k] > 0:
            continue
        edge = stand.landing if state.changes[k] < 0 or k == j else stand.trigger
        ahead = state.effective[k] if rate > 0 else -state.effective[k]
        if k == j or ahead <= edge + ENOUGH:
            found.append(max(edge - ahead, NOTHING) / abs(rate))
    return found
