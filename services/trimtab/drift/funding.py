"""Paying for buys: which assets are sold beyond their own corrections, how far, and what that does to the buys.

All numbers are fractions of equity. Buys are counted at their worst prices, fees included, and so are sells, so that
what is found here can be paid whatever happens. With changes `d`, worst-price factors `u` (buy, at least 1) and `v`
(sell, at most 1) and `cash` that is available, what is short is

    short = sum over buys of u_i d_i  -  sum over sells of v_i |d_i|  -  cash

and while that is positive a funder is sold. Selling one unit of weight of funder j moves every effective drift by
-A_ij, also those of assets that are being bought up to their landing edge; so these are bought more, by g, such that
they stay where they are: A_BB g = A_Bj over the growing buys B. The sale then brings v_j - sum of u_i g_i.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from trimtab.domain.amounts import ZERO, quantise
from trimtab.drift.equations import Equations
from trimtab.drift.policy import Correction

# Less of equity than this is no shortage: weights have 18 decimals.
_ENOUGH = Decimal("1e-18")
_NOBODY = -1


@dataclass(frozen=True, slots=True)
class Stand:
    """One asset as funding sees it.

    Attributes:
        buyable, sellable: how far it may be bought, and sold, in all.
        effective: its effective drift before any change.
        effect: its row of A, in the order of the stands; empty for a policy that looks at each asset alone, and then
            the two edges count for nothing: such a policy's room says all.
        landing, trigger: edges of the effective drift for an asset that is traded, and for one that is not.
        room: how far the policy lets it be sold beyond its correction.
        dear, cheap: worst price over mid, fee included, of a buy and of a sell.

    """

    asset: str
    buyable: Decimal
    sellable: Decimal
    effective: Decimal
    effect: tuple[Decimal, ...]
    landing: Decimal
    trigger: Decimal
    room: Decimal
    dear: Decimal
    cheap: Decimal


@dataclass(frozen=True, slots=True)
class Funded:
    """The corrections, their buys grown where a funder's sale calls for it, and how far each funder may be sold.

    `extra` is on top of the asset's own correction, negative, in the order in which the funders were found.
    """

    corrections: tuple[Correction, ...]
    extra: tuple[Correction, ...]


def capped(corrections: Sequence[Correction], share_max: Decimal) -> tuple[Correction, ...]:
    """Return the corrections, none larger than one trade may be; the rest follows with the next signal."""
    return tuple(Correction(c.asset, max(-share_max, min(c.change, share_max))) for c in corrections)


def funded(
    corrections: Sequence[Correction],
    room: Sequence[Correction],
    stands: Sequence[Stand],
    cash: Decimal,
) -> Funded:
    """Return what has to be sold beyond the corrections to pay for the buys among them.

    Funders are taken from `room`, in its order: first every one that is sold already (no new leg); then the first that
    pays all that is short by itself; else the one that leaves the least short (the earlier of equals), and so on.
    A funder is sold until nothing is short, or

    - it is sold as far as it may be in all,
    - an asset that is not bought would leave its band through the sale: the landing edge counts for the funder and for
      whatever is sold, the trigger for the rest, and only the edge that the asset moves towards. One that is past it
      already does not count, unless it is the funder: that is not sold at all.

    When a growing buy has grown as far as it may be bought, or has shrunk to nothing, it stays and the sale goes on.
    What stays short makes the buys smaller; that is left to the planner.
    """
    places = {stand.asset: i for i, stand in enumerate(stands)}
    changes = [ZERO] * len(stands)
    for correction in corrections:
        changes[places[correction.asset]] = correction.change
    state = _State.of(stands, cash, changes)
    funders = [places[extra.asset] for extra in room if changes[places[extra.asset]] <= 0]
    while state.short > _ENOUGH:
        tried = [found for found in map(state.sold, funders) if found.short < state.short]
        if not tried:
            break
        state = _choice(state, tried)
        funders.remove(state.extra[-1][0])
    grown = [quantise(change) for change in state.changes]
    return Funded(
        tuple(Correction(c.asset, grown[places[c.asset]]) if c.change > 0 else c for c in corrections),
        tuple(Correction(stands[i].asset, extra) for i, amount in state.extra if (extra := -quantise(amount))),
    )


@dataclass(frozen=True, slots=True)
class _State:
    """Where the search for funders stands; `extra` is (funder, sold so far beyond its correction)."""

    stands: Sequence[Stand]
    short: Decimal
    changes: tuple[Decimal, ...]
    effective: tuple[Decimal, ...]
    extra: tuple[tuple[int, Decimal], ...] = ()

    @classmethod
    def of(cls, stands: Sequence[Stand], cash: Decimal, changes: Sequence[Decimal]) -> "_State":
        rows = list(zip(stands, changes, strict=True))
        needed = sum((stand.dear * d if d > 0 else stand.cheap * d for stand, d in rows), ZERO)
        effective = [s.effective + sum((a * d for a, d in zip(s.effect, changes, strict=False)), ZERO) for s in stands]
        return cls(stands, needed - cash, tuple(changes), tuple(effective))

    def sold(self, funder: int) -> "_State":
        """Return the state after this funder was sold as far as it is needed and may be."""
        state, frozen, sold = self, set[int](), ZERO
        while state.short > _ENOUGH:
            growth = state._growth(funder, frozen)
            rates = [_rate(stand.effect, funder, growth) for stand in self.stands]
            brings = self.stands[funder].cheap - sum((self.stands[i].dear * g for i, g in growth.items()), ZERO)
            if brings <= 0:
                break
            room = self.stands[funder].room - sold
            stops = [(state.short / brings, _NOBODY), *state._stops(funder, room, growth, rates)]
            amount, stopper = min(stops)
            state, sold = state._moved(funder, growth, rates, (amount, stopper), brings), sold + amount
            if stopper in {_NOBODY, funder}:
                break
            frozen.add(stopper)
        return replace(state, extra=(*self.extra, (funder, sold)))

    def _growth(self, funder: int, frozen: Collection[int]) -> dict[int, Decimal]:
        """Return by how much each buy grows for one unit of the funder sold."""
        growing = [
            i
            for i, (stand, d) in enumerate(zip(self.stands, self.changes, strict=True))
            if stand.effect and i not in frozen and 0 < d < stand.buyable
        ]
        effects, together = [stand.effect for stand in self.stands], Equations()
        try:
            for place, i in enumerate(growing):
                before = growing[:place]
                together.extend([effects[i][k] for k in before], [effects[k][i] for k in before], effects[i][i])
            return dict(zip(growing, together.solve([effects[i][funder] for i in growing]), strict=True))
        except ArithmeticError:  # no covariance: nothing to be said of how they move together
            return {}

    def _stops(
        self, funder: int, room: Decimal, growth: Mapping[int, Decimal], rates: Sequence[Decimal]
    ) -> Iterator[tuple[Decimal, int]]:
        """Yield how much can be sold before each limit, and whom that limit ends: the funder, or a buy's growth."""
        sellable = self.stands[funder].sellable + self.changes[funder]
        yield max(sellable if self.stands[funder].effect else min(sellable, room), ZERO), funder
        for i, g in growth.items():
            if g:
                yield ((self.stands[i].buyable - self.changes[i]) / g if g > 0 else self.changes[i] / -g), i
        for k, (stand, rate) in enumerate(zip(self.stands, rates, strict=True)):
            edge = stand.landing if self.changes[k] or k == funder else stand.trigger
            ahead = self.effective[k] if rate > 0 else -self.effective[k]
            if rate and self.changes[k] <= 0 and (k == funder or ahead <= edge + _ENOUGH):
                yield max(edge - ahead, ZERO) / abs(rate), funder

    def _moved(
        self,
        funder: int,
        growth: Mapping[int, Decimal],
        rates: Sequence[Decimal],
        stop: tuple[Decimal, int],
        brings: Decimal,
    ) -> "_State":
        amount, stopper = stop
        changes = list(self.changes)
        changes[funder] -= amount
        for i, g in growth.items():
            changes[i] = max(changes[i] + g * amount, ZERO)
        if stopper in growth:  # exactly: what rounding leaves of a buy would still count as one
            changes[stopper] = self.stands[stopper].buyable if growth[stopper] > 0 else ZERO
        effective = tuple(now + rate * amount for now, rate in zip(self.effective, rates, strict=True))
        return replace(self, short=self.short - brings * amount, changes=tuple(changes), effective=effective)


def _choice(state: _State, tried: Sequence[_State]) -> _State:
    """Return the next state: a leg that is there already goes on, else one new leg rather than two."""
    for good in (
        [found for found in tried if state.changes[found.extra[-1][0]] < 0],
        [found for found in tried if found.short <= _ENOUGH],
    ):
        if good:
            return good[0]
    return min(tried, key=lambda found: found.short)


def _rate(effect: Sequence[Decimal], funder: int, growth: Mapping[int, Decimal]) -> Decimal:
    """Return how an effective drift moves for one unit of the funder sold and the buys grown."""
    return sum((effect[i] * g for i, g in growth.items()), ZERO) - effect[funder] if effect else ZERO
