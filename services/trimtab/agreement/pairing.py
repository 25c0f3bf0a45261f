"""Which signal of the pipeline stands for which of the engine's."""

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def paired(
    first: Sequence[T], second: Sequence[T], time_us: Callable[[T], int], within_us: int
) -> list[tuple[T | None, T | None]]:
    """Return the pairs of two sequences in the order of their times; who has no partner is paired with None.

    The closest two are paired first, none further apart than `within_us`, and no two pairs cross. Of pairs equally far
    apart the earlier one comes first.
    """
    near = sorted(
        (abs(time_us(one) - time_us(other)), i, j)
        for i, one in enumerate(first)
        for j, other in enumerate(second)
        if abs(time_us(one) - time_us(other)) <= within_us
    )
    partner: dict[int, int] = {}
    for _, i, j in near:
        if i in partner or j in partner.values():
            continue
        if all((i < left) == (j < right) for left, right in partner.items()):
            partner[i] = j
    taken = set(partner.values())
    rows: list[tuple[T | None, T | None]] = [
        (one, second[partner[i]] if i in partner else None) for i, one in enumerate(first)
    ]
    rows += [(None, other) for j, other in enumerate(second) if j not in taken]
    return sorted(rows, key=lambda row: min(time_us(each) for each in row if each is not None))
