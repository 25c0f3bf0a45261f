"""What came of a portfolio along a tape."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from trimtab.backtest.bill import Bill
from trimtab.backtest.diary import Diary
from trimtab.backtest.score import Score


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an entrant fared, and what it has in the end; of one that walks, also whom it followed from when on."""

    name: str
    bill: Bill
    score: Score
    holdings: Mapping[str, Decimal]
    followed: tuple[tuple[int, str], ...] = ()
    diary: Diary | None = None
