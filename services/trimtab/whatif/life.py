"""What the topics tell of one portfolio: what it had when, under which document, and what its owner did.

portfolio.state has all of it, but stamped with the wall clock: what an owner does has no market time. So it counts from
the first frame on that was written later, as drift could not have known of it before.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from trimtab.domain.amounts import ZERO
from trimtab.messages import PortfolioState
from trimtab.ports.recorded import Recorded, Stamped
from trimtab.topics import MARKET_FRAMES, PORTFOLIO_STATE
from trimtab.whatif.errors import UnanswerableError

_NAMES_SHOWN_MAX = 20
_UNREADABLE_MAX = 1_000  # frames in a row that are passed over in search of one that tells its time
_OUT_OF_NOWHERE = frozenset({"external_transfer", "withdrawal", "allocated"})  # as reconciler and `allocate` say it
_NEVER_US = 2**62
_FUNDING_MS_MAX = 60_000  # between two of the transfers that a portfolio begins with


@dataclass(frozen=True, slots=True)
class Stage:
    """A state and the market time (us) from which on it counted."""

    time_us: int
    state: PortfolioState

    @property
    def holdings(self) -> dict[str, Decimal]:
        """Return what it has, by asset, over all accounts; what is set aside for orders included."""
        found: dict[str, Decimal] = {}
        for row in self.state.positions:
            found[row.asset] = found.get(row.asset, ZERO) + row.posted
        return found


@dataclass(frozen=True, slots=True)
class Life:
    """The stages of a portfolio from the one on that counted at the frame with offset `first`."""

    first: int
    stages: Sequence[Stage]

    @property
    def venues(self) -> list[str]:
        """Return the venues that it ever had anything at."""
        return sorted({row.venue for stage in self.stages for row in stage.state.positions if row.posted})

    @property
    def assets(self) -> set[str]:
        """Return everything that it ever had."""
        return {asset for stage in self.stages for asset in stage.holdings}

    def transfers(self) -> Iterator[tuple[int, dict[str, Decimal]]]:
        """Yield when (us) what came or went (negative) that no trade brought, by asset."""
        for before, after in pairwise(self.stages):
            if moved := brought(before, after):
                yield after.time_us, moved

    def editions(self) -> Iterator[Stage]:
        """Yield the first stage, and every later one that has another document than the one before it."""
        yield self.stages[0]
        for before, after in pairwise(self.stages):
            if after.state.document_version != before.state.document_version:
                yield after

    def halts(self) -> Iterator[tuple[int, bool]]:
        """Yield when (us) it halted, or went on: first of all if it was halted from the beginning."""
        if self.stages[0].state.halted:
            yield self.stages[0].time_us, True
        for before, after in pairwise(self.stages):
            if after.state.halted != before.state.halted:
                yield after.time_us, after.state.halted


def brought(before: Stage, after: Stage) -> dict[str, Decimal]:
    """Return what came or went (negative) from one stage to the next that no trade brought, by asset."""
    if after.state.reason not in _OUT_OF_NOWHERE:
        return {}
    old, new = before.holdings, after.holdings
    moved = {asset: new.get(asset, ZERO) - old.get(asset, ZERO) for asset in sorted({*old, *new})}
    return {asset: amount for asset, amount in moved.items() if amount}


def life_of(recorded: Recorded, portfolio_id: str, first: int, last: int) -> Life:
    """Return a portfolio's life on the frames from `first` to `last` (offsets); it begins when it has anything.

    Raises:
        UnanswerableError: if it is not known, had nothing in that span, or states are compacted away.
    """
    history = recorded.history(PORTFOLIO_STATE, portfolio_id)
    if not history.records:
        raise UnanswerableError(f"portfolio {portfolio_id}: not recorded; recorded: {_named(history.keys)}")
    states = _once(history.records)
    begin_ms, end_ms = (_stamp_ms(recorded, offset) for offset in (first, last))
    known = [number for number, each in enumerate(states) if each.recorded_ms <= begin_ms]
    start = known[-1] if known else 0
    while start < len(states) and not any(row.posted for row in states[start].message.positions):
        start += 1
    if start < len(states) and states[start].recorded_ms > begin_ms:
        start = _funded(states, start)
    if start == len(states) or states[start].recorded_ms >= end_ms:
        raise UnanswerableError(
            f"portfolio {portfolio_id}: it had nothing on frames {first} to {last}; needed: a span in which it has"
        )
    if states[start].recorded_ms > begin_ms:
        first = recorded.after(MARKET_FRAMES, states[start].recorded_ms)
    lived = [each for each in states[start:] if each.recorded_ms < end_ms]
    _require_all(portfolio_id, lived)
    return Life(first, tuple(_stages(lived, _event_us(recorded, first, last), _market_clock(recorded, last))))


def _funded(states: Sequence[Stamped[PortfolioState]], start: int) -> int:
    """Return the state with which a new portfolio has what its owner brings at first, asset after asset."""
    for number in range(start + 1, len(states)):
        before, after = states[number - 1], states[number]
        if not _by_owner(before.message, after.message) or after.recorded_ms - before.recorded_ms > _FUNDING_MS_MAX:
            return number - 1
    return len(states) - 1


def _once(records: Sequence[Stamped[PortfolioState]]) -> list[Stamped[PortfolioState]]:
    """Return each version once, in their order."""
    found: dict[int, Stamped[PortfolioState]] = {}
    for each in records:
        found.setdefault(each.message.ledger_version, each)
    return [found[version] for version in sorted(found)]


def _require_all(portfolio_id: str, lived: Sequence[Stamped[PortfolioState]]) -> None:
    """See that no version is missing: what came or went there could not be known."""
    for before, after in pairwise(each.message.ledger_version for each in lived):
        if after != before + 1:
            raise UnanswerableError(
                f"portfolio {portfolio_id}: no state of ledger versions {before + 1} to {after - 1}, compacted away;"
                " needed: a span that begins later"
            )


def _stages(lived: Sequence[Stamped[PortfolioState]], begin_us: int, clock: Callable[[int], int]) -> Iterator[Stage]:
    """Yield stages at their market times: its own where the market brought it, else what the clock says.

    The first one is there at the begin.
    """
    time_us, before = begin_us, lived[0].message
    yield Stage(time_us, before)
    for each in lived[1:]:
        state = each.message
        time_us = max(time_us, clock(each.recorded_ms) if _by_owner(before, state) else state.event_time_us)
        yield Stage(time_us, state)
        before = state


def _by_owner(before: PortfolioState, after: PortfolioState) -> bool:
    """Tell whether a state came of what its owner did: such states keep the event time of the one before."""
    changed = (before.document_version, before.halted) != (after.document_version, after.halted)
    return changed or after.reason in _OUT_OF_NOWHERE


def _market_clock(recorded: Recorded, last: int) -> Callable[[int], int]:
    """Return what says which event time the first frame has that was stamped later than this (ms)."""
    return lambda recorded_ms: _event_us(recorded, recorded.after(MARKET_FRAMES, recorded_ms), last)


def _event_us(recorded: Recorded, offset: int, last: int) -> int:
    """Return the event time of a frame, or of the first readable one after it that is not after the last."""
    found = recorded.span(MARKET_FRAMES, offset, min(offset + _UNREADABLE_MAX, last + 1))
    return next((each.message.event_time_us for each in found), _NEVER_US)


def _stamp_ms(recorded: Recorded, offset: int) -> int:
    """Return when (ms) a frame was written, or the first readable one after it."""
    found = recorded.span(MARKET_FRAMES, offset, offset + _UNREADABLE_MAX)
    return next((each.recorded_ms for each in found), 0)


def _named(keys: frozenset[str]) -> str:
    names = sorted(keys)
    more = f" and {len(names) - _NAMES_SHOWN_MAX} more" if len(names) > _NAMES_SHOWN_MAX else ""
    return (", ".join(names[:_NAMES_SHOWN_MAX]) or "none") + more
