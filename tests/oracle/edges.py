"""Where several assets land together: the least (x + d)' P (x + d) / 2 + sum edge_i P_ii |d_i| within bounds.

A guess says of each change whether it is free on one side of zero, zero, or at a bound; the equations of the free ones
are solved in exact fractions, and the conditions of a minimum (Karush, Kuhn, Tucker) decide. The sum is strictly
convex, so what passes is the minimum, whatever led to the guess. What fails is mended where it fails; should that go
round in circles, all guesses are tried, the nearest first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from oracle.rounding import UNIT, solution

RIDGE = UNIT // 10**14  # 1e-14 on the diagonal of A, as `drift.landing` has it
MENDINGS_MAX = 60
LOWEST, SELLING, NOTHING, BUYING, HIGHEST = range(5)


class UnsettledError(Exception):
    """No guess passed: P was no covariance, or this program is wrong."""


@dataclass(frozen=True)
class Change:
    """One asset's part of the question: drift before, edge, and how far its weight may move."""

    drift: Fraction
    edge: Fraction
    lowest: Fraction
    highest: Fraction

    @property
    def pieces(self) -> tuple[int, ...]:
        """Return the guesses that make sense of it."""
        if self.lowest == self.highest:
            return (LOWEST,)
        found = []
        if self.lowest < 0:
            found += [LOWEST, SELLING]
        if self.lowest <= 0 <= self.highest:
            found.append(NOTHING)
        if self.highest > 0:
            found += [BUYING, HIGHEST]
        if self.lowest > 0:
            found.append(LOWEST)
        if self.highest < 0:
            found.append(HIGHEST)
        return tuple(found)


def landed(changes: Sequence[Change], effects: Sequence[Sequence[int]]) -> list[Fraction]:
    """Return the changes of the minimum; `effects` counts 1e-18 and has the rows and columns of these assets only.

    Raises:
        UnsettledError: if there is none.

    """
    ridged = [[value + RIDGE * (i == j) for j, value in enumerate(row)] for i, row in enumerate(effects)]
    guess, seen = _first(changes), set()
    while tuple(guess) not in seen and len(seen) < MENDINGS_MAX:
        seen.add(tuple(guess))
        found = _worked_out(changes, ridged, guess)
        if found is None:
            break
        mended = _mended(changes, found, guess)
        if mended == guess:
            return found[0]
        guess = mended
    for other in _all(changes, guess):
        found = _worked_out(changes, ridged, other)
        if found is not None and _mended(changes, found, list(other)) == list(other):
            return found[0]
    raise UnsettledError(f"no landing for {changes}")


def _first(changes: Sequence[Change]) -> list[int]:
    """Guess that everything outside its edge is traded back."""
    found = []
    for change in changes:
        wanted = SELLING if change.drift > change.edge else BUYING if change.drift < -change.edge else NOTHING
        pieces = change.pieces
        found.append(wanted if wanted in pieces else NOTHING if NOTHING in pieces else pieces[0])
    return found


def _all(changes: Sequence[Change], guess: Sequence[int]) -> Iterator[tuple[int, ...]]:
    choices = [
        sorted(change.pieces, key=lambda piece: piece != own) for change, own in zip(changes, guess, strict=True)
    ]
    return product(*choices)


def _worked_out(
    changes: Sequence[Change], ridged: Sequence[Sequence[int]], guess: Sequence[int]
) -> tuple[list[Fraction], list[Fraction]] | None:
    """Return the changes under a guess and the drifts after them; None if the equations say nothing."""
    found = [
        change.lowest if piece == LOWEST else change.highest if piece == HIGHEST else Fraction(0)
        for change, piece in zip(changes, guess, strict=True)
    ]
    free = [i for i, piece in enumerate(guess) if piece in {SELLING, BUYING}]
    right = []
    for i in free:
        edge = changes[i].edge if guess[i] == SELLING else -changes[i].edge
        fixed = sum((value * d for value, d in zip(ridged[i], found, strict=True) if d), Fraction(0))
        right.append((edge - changes[i].drift) * UNIT - fixed)
    solved = solution([[ridged[i][j] for j in free] for i in free], right)
    if solved is None:
        return None
    for i, value in zip(free, solved, strict=True):
        found[i] = value
    moved = (sum((value * d for value, d in zip(row, found, strict=True) if d), Fraction(0)) / UNIT for row in ridged)
    return found, [change.drift + move for change, move in zip(changes, moved, strict=True)]


def _mended(changes: Sequence[Change], found: tuple[list[Fraction], list[Fraction]], guess: list[int]) -> list[int]:
    """Return the guess with every piece changed that breaks a condition; the guess itself if none does."""
    return [_piece(change, d, after, own) for change, d, after, own in zip(changes, *found, guess, strict=True)]


def _piece(change: Change, moved: Fraction, after: Fraction, own: int) -> int:
    if change.lowest == change.highest:
        return own
    # what the sum gains by one more unit up, or down, at first
    rises = after + change.edge if moved >= 0 else after - change.edge
    falls = after + change.edge if moved > 0 else after - change.edge
    if own == SELLING:
        if moved < change.lowest:
            return LOWEST
        if moved > min(change.highest, Fraction(0)):
            return NOTHING if change.highest >= 0 else HIGHEST
        return own
    if own == BUYING:
        if moved > change.highest:
            return HIGHEST
        if moved < max(change.lowest, Fraction(0)):
            return NOTHING if change.lowest <= 0 else LOWEST
        return own
    if moved < change.highest and rises < 0:
        return BUYING if moved >= 0 else SELLING
    if moved > change.lowest and falls > 0:
        return SELLING if moved <= 0 else BUYING
    return own
