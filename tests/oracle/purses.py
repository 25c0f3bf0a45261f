"""What is still wanted of an asset, and what an account can still spend, while a plan is made."""

from dataclasses import dataclass, field
from fractions import Fraction

from oracle.offers import Key
from trimtab.domain.orders import Side

NOTHING = Fraction(0)


@dataclass
class Want:
    """One asset, by value at decision prices: what is left of its correction, and how far it may be sold beyond."""

    asset: str
    side: Side
    cap: Fraction
    left: Fraction = NOTHING
    extra: Fraction = NOTHING
    closed: bool = False
    grain: Fraction = NOTHING  # a rest below this is nothing to speak of; zero if nothing was traded

    @property
    def open(self) -> Fraction:
        return NOTHING if self.closed else self.left

    def traded(self, value: Fraction, grain: Fraction) -> None:
        """Serve the correction first, then what is extra."""
        served = min(value, self.left)
        self.left -= served
        self.extra = max(self.extra - (value - served), NOTHING)
        self.cap -= value
        self.grain = max(self.grain, grain)


@dataclass
class Purse:
    """What an account can still spend; cash goes from `spare`, then the proceeds in their order, then `kept`."""

    held: dict[str, Fraction]
    spare: Fraction
    kept: Fraction
    proceeds: list[list[object]] = field(default_factory=list)

    @property
    def cash(self) -> Fraction:
        return self.spare + self.kept + sum((amount for _, amount in self.proceeds), NOTHING)

    def holds(self, asset: str) -> Fraction:
        return max(self.held.get(asset, NOTHING), NOTHING)

    def draw(self, amount: Fraction) -> tuple[Key, ...]:
        """Take cash and return the sells it comes from, each once."""
        part = min(self.spare, amount)
        self.spare -= part
        amount -= part
        found: list[Key] = []
        for entry in self.proceeds:
            part = min(entry[1], amount)
            entry[1] -= part
            amount -= part
            if part and entry[0] not in found:
                found.append(entry[0])
        self.kept -= amount
        return tuple(found)
