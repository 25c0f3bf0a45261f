"""The rows of drift.journal, one frozen dataclass each; `messages` has the record that they stand in."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AppliedRisk:
    """The estimate in use of one quote currency: its offset in market.risk."""

    quote: str
    offset: int


@dataclass(frozen=True, slots=True)
class AppliedState:
    """What a portfolio is decided on: the portfolio.state record at `partition`, `offset`; offset -1 if it is let go.

    `targets_offset` is that of its computed targets in portfolio.targets, -1 for none. `fresh` is whether the state was
    taken anew, so that no signal of before is waited for; else only the targets are new.
    """

    portfolio_id: str
    partition: int
    offset: int
    ledger_version: int
    targets_offset: int
    fresh: bool


@dataclass(frozen=True, slots=True)
class UnsentSignal:
    """A signal that was decided at a frame and that the broker did not take."""

    portfolio_id: str
    frame_offset: int
