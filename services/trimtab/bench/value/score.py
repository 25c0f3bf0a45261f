"""What a rule's year came to."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from trimtab.bench.value.book import Book, Floats

UNIT = "bp a year"
_BASIS_POINTS = 1e4


class Rule(Protocol):
    """A rule that sees a book after every step of the market."""

    def changes(self, step: int, book: Book) -> Floats | None:
        """Return the changes of weights to trade, by account and asset; None if nobody trades."""


@dataclass(frozen=True, slots=True)
class Score:
    """By account, over a span of the market: basis points of wealth a year, and orders a year."""

    risk: Floats
    cost: Floats
    orders: Floats

    @property
    def total(self) -> float:
        """Return the mean of risk + cost."""
        return float((self.risk + self.cost).mean())

    @property
    def error(self) -> float:
        """Return the standard error of the total, accounts taken as independent."""
        sums = self.risk + self.cost
        return float(sums.std(ddof=1) / np.sqrt(sums.size)) if sums.size > 1 else float("nan")

    def part(self, chosen: slice) -> "Score":
        """Return the score of these accounts alone."""
        return Score(self.risk[chosen], self.cost[chosen], self.orders[chosen])


def live(market: Iterable[Floats], rule: Rule, targets: Floats, years: float) -> Score:
    """Run a rule through a market that lasts so many years, from the targets on."""
    book = Book(targets)
    for step, returns in enumerate(market, start=1):
        book.move(returns)
        changes = rule.changes(step, book)
        if changes is not None:
            book.trade(changes)
    scale = _BASIS_POINTS / years
    return Score(book.risk * scale, book.cost * scale, book.orders / years)
