"""Who takes part in a world: a portfolio that stays what it is, or one that follows others."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Entrant:
    """A portfolio that takes part, with the weights that it begins with, by asset; its quote currency is one of them.

    `document` is its file as canonical JSON, which has `name` as the portfolio's id. With `holdings`, these quantities
    by asset are what it begins with.
    """

    name: str
    document: str
    quote: str
    weights: Mapping[str, Decimal]
    holdings: Mapping[str, Decimal] | None = None


@dataclass(frozen=True, slots=True)
class Walk:
    """An entrant that changes its document every `every_us`, to that of whoever had the least risk and cost so far.

    `documents` are what it may change to, by the name of the entrant that has the same under its own name.
    """

    name: str
    documents: Mapping[str, str]
    every_us: int
