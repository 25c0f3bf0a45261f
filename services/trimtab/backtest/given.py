"""What a world is given of a recorded past: estimates, costs, and what the owner of a portfolio did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from trimtab.domain.market import Market
from trimtab.messages import Costs, Risk


class Estimates(Protocol):
    """Where estimates of risk come from, as drift's own estimator gives them."""

    def observe(self, market: Market) -> Risk | None:
        """Look at the market after a frame; return a new estimate, if there is one."""
        ...


class Charges(Protocol):
    """Where costs come from that were refit from own fills."""

    def observe(self, market: Market) -> Costs | None:
        """Look at the market after a frame; return new costs, if there are any."""
        ...


@dataclass(frozen=True, slots=True)
class Deed:
    """What the owner of a portfolio does at a market time (us): moves funds, applies a document, halts or resumes it.

    `funds` are by asset, what goes out is negative; None is that nothing is done.
    """

    time_us: int
    name: str
    funds: Mapping[str, Decimal] | None = None
    document: str | None = None
    halted: bool | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """`deeds` are in the order of their times."""

    estimates: Estimates
    charges: Charges
    deeds: Sequence[Deed] = ()
